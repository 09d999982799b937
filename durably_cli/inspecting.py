"""What `durably inspect` does: reads a journal, changes nothing, imports no job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TextIO

from durably_cli import ids, paths
from durably_cli.errors import NotFound, UsageError
from durably_cli.lookup import find_run
from durably_cli.render import plain
from durably_cli.store import Store, Unreadable, View


def run_inspect(project: Path, meant: str, *, step: str | None, events: bool, as_json: bool) -> int:
    """`durably inspect`; the exit code."""
    if sum((step is not None, events, as_json)) > 1:
        raise UsageError("--step, --events and --json exclude each other")
    store = paths.open_store(project)
    out = sys.stdout
    with _look(store, find_run(store, meant)) as view:
        if step is not None:
            _write_result(view, step, out)
        elif events:
            out.writelines(line.decode("ascii") + "\n" for line, _ in view.lines())
        elif as_json:
            plain.write_run_json(view, out)
        elif out.isatty():
            _show(view, out)
        else:
            plain.write_run(view, out)
        if view.damage:
            out.flush()
            view.damage.hint = "nothing was changed; keep a copy of the file before you touch it"
            raise view.damage
    return 0


def _look(store: Store, run_id: str) -> View:
    """The run, damaged or not: what is intact of it is to be seen."""
    found = store.look(run_id)
    if found is None:
        raise NotFound(f"there is no run {run_id} in {store.root}", hint="durably list")
    if isinstance(found, Unreadable):
        raise found.error
    return found


def _show(view: View, out: TextIO) -> None:
    from rich.console import Console  # for terminals alone

    from durably_cli.render.terminal import show_run

    show_run(view, Console(file=out, highlight=False, emoji=False, markup=False))


def _write_result(view: View, name: str, out: TextIO) -> None:
    for step in plain.all_steps(view):
        if step.name == name and step.result is not None:
            out.write((plain.pretty_json(step.result) if out.isatty() else step.result) + "\n")
            return
    known = {step.name for step in plain.all_steps(view)}
    what = f"step {name!r} has no result" if name in known else f"there is no step {name!r}"
    raise NotFound(
        f"{what} in run {ids.short(view.run_id)}", hint=f"durably inspect {ids.short(view.run_id)}"
    )
