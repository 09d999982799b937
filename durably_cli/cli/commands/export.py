"""What `durably export` and `durably import` do: carry a run in one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from durably_cli.cli.asking import say
from durably_cli.engines.local import bundle
from durably_cli.engines.local.import_ import bring_in
from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.view import is_imported
from durably_cli.errors import DurablyError, JournalDamaged, UsageError
from durably_cli.project import places, stores
from durably_cli.system import files
from durably_cli.system.ids import short


def run_export(project: Path, meant: str, target: Path) -> int:
    """`durably export`; the exit code. The file gets its name when it is whole and on disk."""
    store = stores.open_store(project)
    run_id = find_run(store, meant)
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already", hint="choose another name")
    fd, temporary = files.create_unnamed(target.parent, target.name)
    with files.naming(target), open(fd, "wb") as out:
        with store.view(run_id, despite_damage=True) as view:
            contents = bundle.write(view, store, _job_files(project), out)
            damage = view.damage
        out.flush()
        os.fsync(fd)
        files.give_name(fd, temporary, target)
    say(f"exported run {short(run_id)} of {contents.job} to {target}")
    _say_damage(damage)
    if contents.source is None:
        say("the job's file is not in it: it has changed since the last attempt")
    return 0


def _job_files(project: Path) -> Iterator[Path]:
    try:
        yield from places.job_files(project)
    except DurablyError:  # there is no folder of jobs (any more)
        return


def run_import(project: Path, source: Path, *, adopt: bool) -> int:
    """`durably import`; the exit code."""
    store = stores.open_store(project, to_write=True)
    with open(source, "rb") as file:
        contents, was_here, damage = bring_in(file, store, adopt=adopt)
    print(contents.run)
    what = "was here already" if was_here else "is imported"
    read_only = is_imported(store.path_of(contents.run))
    may = "it is read-only" if read_only else "it is this project's own, and can be resumed"
    say(f"run {short(contents.run)} of {contents.job} {what}; {may}")
    _say_damage(damage)
    return 0


def _say_damage(damage: JournalDamaged | None) -> None:
    if damage is not None:
        say(f"it is damaged at line {damage.line}, byte {damage.byte:,}")
