"""What `durably export` and `durably import` do: carry a run in one file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from durably_cli import bundle, files, paths
from durably_cli.errors import UsageError
from durably_cli.ids import short
from durably_cli.lookup import find_run


def run_export(project: Path, meant: str, target: Path) -> int:
    """`durably export`; the exit code. The file gets its name when it is whole and on disk."""
    store = paths.open_store(project)
    run_id = find_run(store, meant)
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already", hint="choose another name, or remove it")
    fd, temporary = files.create_unnamed(target.parent, target.name)
    with files.naming(target), open(fd, "wb") as out:
        with store.view(run_id, despite_damage=True) as view:
            contents = bundle.write(view, store, project, out)
        out.flush()
        os.fsync(fd)
        files.give_name(fd, temporary, target)
    _say(f"exported run {short(run_id)} of {contents.job} to {target}")
    if contents.source is None:
        _say("the job's file is not in it: it has changed since the last attempt")
    return 0


def run_import(project: Path, source: Path, *, adopt: bool) -> int:
    """`durably import`; the exit code."""
    store = paths.open_store(project, to_write=True)
    with open(source, "rb") as file:
        contents = bundle.read(file, store, adopt=adopt)
    print(contents.run)
    is_own = "it can be resumed" if adopt else "it is read-only"
    _say(f"imported run {short(contents.run)} of {contents.job}; {is_own}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)
