"""`durably wait`: wait for the ends of runs; it executes nothing and imports no job."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_span
from durably_cli.cli.asking import say, say_hint
from durably_cli.cli.ends import End, end_of
from durably_cli.cli.parameters import AsJson, SomeRuns
from durably_cli.engines.due import is_due
from durably_cli.engines.holder import holder
from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.engines.takeover import is_suspended
from durably_cli.errors import DurablyError, Interrupted, TimedOut
from durably_cli.journal.state import Status
from durably_cli.project.engine import open_runs
from durably_cli.project.finding import find_anywhere
from durably_cli.render import rows
from durably_cli.render.failure import error_lines
from durably_cli.render.next_steps import how_to_answer, next_commands, ways_to_answer
from durably_cli.render.reason import reason
from durably_cli.render.record import details, summary
from durably_cli.system import signals
from durably_cli.system.ids import short

if TYPE_CHECKING:
    from durably_cli.engines.runs import Runs
    from durably_cli.render.run_types import RunSummary, RunWaitedFor, UnreadableWaitedFor


@as_command()
def wait(
    context: typer.Context,
    runs: SomeRuns,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="Wait no longer than 30s, 5m, 2h or 1d, and then exit with 124."
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Wait until runs have ended, and end as they did.

    Of one run it prints the output, and has the exit code of its trigger. Of several it prints a
    line each, as `durably list` does, in the order given; the exit code is the first that is not 0.

    It executes nothing. A suspended run is waited for: a tick or a resume goes on with it. One
    that no process executes any more is not: that is 75, and `durably resume` goes on with it.

    \b
    Examples:
      durably wait @last
      durably wait key:sync-users/2026-11-24 --timeout 10m
      durably wait 3f2a9c1d @last --json
    """
    return run_wait(project_of(context), runs, timeout, as_json=as_json)


def run_wait(project: Path, queries: list[str], timeout: str | None, *, as_json: bool) -> int:
    """`durably wait`; the exit code. All runs are looked up before one is waited for."""
    begun = time.monotonic()
    deadline = math.inf if timeout is None else begun + read_span(timeout, "--timeout")
    runs = open_runs(project)
    found = {run_id: of for of, run_id in (find_anywhere(project, each, runs) for each in queries)}
    run_ids = list(found)
    signals.install()
    try:
        if len(run_ids) == 1:
            return _wait_for_run(found[run_ids[0]], run_ids[0], deadline, as_json=as_json)
        return _wait_for_several(found, deadline, as_json=as_json)
    except Interrupted as stopped:
        stopped.what = "stopped waiting; no run was stopped by that"
        stopped.hint = hints.command("wait", *map(short, run_ids))
        raise
    finally:
        signals.uninstall()


def _wait_for_run(runs: Runs, run_id: str, deadline: float, *, as_json: bool) -> int:
    document.about(run_id)
    run = _awaited(runs, run_id, deadline)
    if isinstance(run, Unreadable):
        raise run.error
    with run:
        end = _end_of(run)
        with suppress(BrokenPipeError):  # closing stdout early changes nothing of how it ended
            if as_json:
                document.suggest(*next_commands(run))
                rows.write_summary_json(run, document.on(sys.stdout), {})
            elif end is None:
                rows.write_output(run, sys.stdout, is_terminal=sys.stdout.isatty())
            sys.stdout.flush()
        for line in () if run.damage else error_lines(run):
            say(line)
    if end is None:
        return 0
    _say(end)
    return end.note(run_id)


def _wait_for_several(runs: Mapping[str, Runs], deadline: float, *, as_json: bool) -> int:
    ends: list[End | None] = []

    def awaited() -> Iterator[RunView | Unreadable]:
        for run_id, of in runs.items():
            run = _awaited(of, run_id, deadline)
            ends.append(_end_of(run))
            yield run
            if isinstance(run, RunView):
                run.close()

    def fields(run: RunView | Unreadable) -> RunWaitedFor | UnreadableWaitedFor:
        code = ends[-1].exit if ends[-1] else 0
        if isinstance(run, RunView):
            return {**details(run), "exit": code}
        return {**summary(run), "exit": code}

    found = awaited()
    with suppress(BrokenPipeError):  # closing stdout early changes nothing of how they ended
        _write_all(found, fields, as_json=as_json)
    for _ in found:
        pass
    failed = [(run_id, end) for run_id, end in zip(runs, ends, strict=True) if end]
    for _, end in failed:
        _say(end)
    return failed[0][1].note(failed[0][0]) if failed else 0


def _write_all(
    runs: Iterator[RunView | Unreadable],
    fields: Callable[[RunView | Unreadable], RunSummary],
    *,
    as_json: bool,
) -> None:
    """Print each run as soon as it and those before it have ended; on a terminal a table of all."""
    if as_json:
        rows.write_list_json(runs, document.on(sys.stdout), fields)
    elif sys.stdout.isatty():
        from durably_cli.render.tables import console_on, show_list  # only on a terminal

        show_list(runs, console_on(sys.stdout))
    else:
        for run in runs:
            rows.write_list([run], sys.stdout)
            sys.stdout.flush()


def _say(end: End) -> None:
    """What happened, and what to type."""
    for line in end.message.split("\n"):
        say(line)
    if end.hint:
        say_hint(end.hint)


def _awaited(runs: Runs, run_id: str, deadline: float) -> RunView | Unreadable:
    def waits(run: RunView) -> None:
        if run.held:
            say(f"waiting for run {short(run_id)}, which another process executes{holder(run)}")
            return
        at = "is queued" if run.is_queued else "no process is at"
        say(f"waiting for run {short(run_id)}, which {at}: {reason(run)}")
        for each in ways_to_answer(run):
            if each.purpose:
                say(f"{each.purpose}, type: {hints.command(*each.words)}")

    return runs.at_its_end(run_id, deadline, waits)


def _goes_on(run: RunView) -> bool:
    return (run.goes_on or is_suspended(run)) and not run.state.is_final and not run.damage


def _end_of(run: RunView | Unreadable) -> End | None:
    """None if it completed."""
    error = run.error if isinstance(run, Unreadable) else run.damage
    if error is not None:
        return _of_error(error)
    assert isinstance(run, RunView)
    if _goes_on(run):
        said = None if run.status is Status.RUNNING else reason(run)
        why = f": {said}" if said else ""
        can_go_on = not run.goes_on and is_due(run)
        again = hints.command("resume" if can_go_on else "wait", short(run.run_id))
        what = f"run {short(run.run_id)} is still {run.status}{why}"
        return _of_error(TimedOut(what, hint=how_to_answer(run) or again))
    return end_of(run)


def _of_error(error: DurablyError) -> End:
    return End(error.exit_code, error.code, error.what, error.hint)
