"""What `list` and `inspect` do: read journals, change nothing, import no job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from durably_cli import ids, paths
from durably_cli.errors import NotFound, UsageError
from durably_cli.lookup import find_run
from durably_cli.render import plain
from durably_cli.render.text import visible
from durably_cli.state import Status
from durably_cli.store import Store, Unreadable, View

if TYPE_CHECKING:
    from rich.console import Console


class Filters(NamedTuple):
    """Which runs `durably list` shows; an unreadable one unless a filter asks what it hides."""

    jobs: list[str]
    statuses: list[Status]
    labels: dict[str, str]
    since: datetime | None

    def let_through(self, run: View | Unreadable) -> bool:
        """Does the run fit every filter that was given?"""
        if isinstance(run, Unreadable):
            return not (self.jobs or self.statuses or self.labels)
        created = run.state.created
        return (
            (not self.jobs or created.job in self.jobs)
            and (not self.statuses or run.status in self.statuses)
            and self.labels.items() <= created.labels.items()
        )


def run_list(project: Path, filters: Filters, count: int, *, as_json: bool) -> int:
    """`durably list`; the exit code."""
    store = paths.open_store(project)
    runs = _found(store, filters)
    if count:
        runs = islice(runs, count)
    out = sys.stdout
    if as_json:
        plain.write_list_json(runs, out)
    elif out.isatty():
        _show_list(runs, store, out)
    else:
        plain.write_list(runs, out)
    return 0


def run_inspect(project: Path, meant: str, *, step: str | None, events: bool, as_json: bool) -> int:
    """`durably inspect`; the exit code."""
    if sum((step is not None, events, as_json)) > 1:
        raise UsageError("--step, --events and --json exclude each other")
    store = paths.open_store(project)
    out = sys.stdout
    with store.view(find_run(store, meant)) as view:
        if step is not None:
            _write_result(view, step, out)
        elif events:
            out.writelines(line.decode("ascii") + "\n" for line, _ in view.lines())
        elif as_json:
            plain.write_run_json(view, out)
        elif out.isatty():
            from durably_cli.render.terminal import show_run

            show_run(view, _console(out))
        else:
            plain.write_run(view, out)
    return 0


def _found(store: Store, filters: Filters) -> Iterator[View | Unreadable]:
    for run in store.views():
        if filters.since is not None and ids.made_at(run.run_id) < filters.since:
            return
        if filters.let_through(run):
            yield run


def _show_list(runs: Iterator[View | Unreadable], store: Store, out: TextIO) -> None:
    from durably_cli.render.terminal import show_list

    if not show_list(runs, _console(out)):
        print(f"no runs in {visible(str(store.root))}", file=sys.stderr)


def _console(out: TextIO) -> Console:
    from rich.console import Console

    return Console(file=out, highlight=False, emoji=False, markup=False)


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
