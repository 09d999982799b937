"""`durably verify`: look at every file of a store, and say what each is worth."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.parameters import AnyRuns, AsJson
from durably_cli.engines.local.check import Finding, Time, of_all, of_runs
from durably_cli.engines.local.runs import find_run
from durably_cli.engines.local.store import Store
from durably_cli.errors import JournalError, UsageError
from durably_cli.project import stores
from durably_cli.project.engine import refuse_without_journals
from durably_cli.render.record import SCHEMA
from durably_cli.render.rows import json_of, row
from durably_cli.render.words import local_time
from durably_cli.system import ids
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.part_types import FindingFields


@as_command()
def verify(
    context: typer.Context,
    runs: AnyRuns = None,
    all: Annotated[bool, typer.Option("--all", help="Everything, as without a RUN.")] = False,
    cron: Annotated[
        bool,
        typer.Option("--cron", help="In place of files: what a job finds that cron starts."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check journals, keys, locks and leftovers, or what cron sees.

    In a pipe a file is a line of tab-separated cells: kind, name, state, what that means. The exit
    code is 74 if one is damaged; a warning leaves it 0. With --cron the project's jobs are imported
    in the environment that cron gives them.

    \b
    Examples:
      durably verify
      durably verify @last
      durably verify --cron
      durably verify --json | jq -r '.findings[] | select(.state != "ok") | .detail'
    """
    if all and runs:
        raise UsageError("--all and runs exclude each other")
    if cron and (all or runs):
        raise UsageError("--cron and what else is to be checked exclude each other")
    project = project_of(context)
    if cron:
        from durably_cli.cli.cron_checks import of_cron  # rarely asked for

        return _show_all(of_cron(project, _time(as_json)), as_json=as_json)
    return run_verify(project, runs or [], as_json=as_json)


DAMAGED = ("damaged", "unreadable")


def run_verify(project: Path, query: list[str], *, as_json: bool) -> int:
    """`durably verify`; the exit code."""
    refuse_without_journals(project, "verify")
    store, time = stores.open_store(project), _time(as_json)
    runs = [find_run(store, one) for one in query]
    findings = (
        of_runs(store, runs, time) if runs else chain(of_all(store, time), _late(store, time))
    )
    return _show_all(findings, as_json=as_json, root=store.root)


def _late(store: Store, time: Time) -> Iterator[Finding]:
    """Runs that no tick takes up."""
    from durably_cli.cli.late_runs import of_tick

    yield from (each for each in of_tick(store, time) if each.state == "warning")


def _time(as_json: bool) -> Time:
    return _local if sys.stdout.isatty() and not as_json else str


def _show_all(findings: Iterable[Finding], *, as_json: bool, root: Path | None = None) -> int:
    out, bad, separator, journals = sys.stdout, 0, "\n", list[str]()
    if as_json:
        document.on(out).write(f'{{"schema": {SCHEMA}, "findings": [')
    try:
        for each in findings:
            if each.state in DAMAGED:
                bad += 1
                journals += [ids.short(each.name)] if each.kind == "journal" else []
            if as_json:
                out.write(separator + json_of(_fields(each)))
                separator = ",\n"
            elif out.isatty():
                _show(each)
            else:
                out.write(row(*each))
    finally:
        if as_json:
            out.write("]")
    out.flush()
    if bad:
        raise JournalError(
            f"{plural(bad, 'file')} in {root} cannot be relied on",
            hint="".join(
                f"{hints.command('inspect', run)}    (shows what is intact)\n"
                for run in journals[:1]
            )
            + f"{hints.command('help', 'care')}    (says what can be done)",
        )
    return 0


def _fields(each: Finding) -> FindingFields:
    return {"kind": each.kind, "name": each.name, "state": each.state, "detail": each.detail}


def _local(at: str) -> str:
    try:
        return local_time(at)
    except ValueError:  # of a file that somebody has made up
        return at


def _show(each: Finding) -> None:
    from rich.text import Text  # only on a terminal

    from durably_cli.render.colours import LOOKS
    from durably_cli.render.tables import console_on

    colour, sign = LOOKS.get(each.state, ("dim", "·"))
    name = ids.short(each.name) if each.kind == "journal" else each.name
    line = Text.assemble((f"{sign} {each.kind:8} ", colour), (f"{visible(name)}  ", "bold"))
    console_on(sys.stdout).print(line + Text(visible(each.detail)), soft_wrap=True)
