"""Triggering and resuming runs that workers execute: this process waits, and shows what they do."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.asking import say
from durably_cli.cli.outcome import failed_before, say_outcome
from durably_cli.engines.execute import TIME_LIMIT
from durably_cli.engines.outcome import Outcome
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import AttemptTimedOut, Interrupted, NotFound
from durably_cli.journal.events import RunStarted
from durably_cli.journal.state import Status
from durably_cli.project.discovery import find_job
from durably_cli.project.listening_job import ListeningJob
from durably_cli.render.lines import Silent, Talk
from durably_cli.render.next_steps import how_to_go_on, next_commands
from durably_cli.render.rows import write_output, write_summary_json
from durably_cli.system import signals
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.engines.dbos.view import DatabaseView
    from durably_cli.engines.decisions import Decisions
    from durably_cli.engines.live_run import BoundHandler
    from durably_cli.engines.observer import Runnable
    from durably_cli.engines.request import Request

_PAUSE_SECONDS = 0.1
_NOBODY_SECONDS = 3.0
"""After so many seconds it is said that no worker takes the run up."""


def trigger_elsewhere(
    engine: DbosEngine,
    project: Path,
    request: Request,
    *,
    detaches: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make a run as the request says, and wait for its end unless it `detaches`; the exit code."""
    talk = Silent(sys.stderr) if quiet else Talk(sys.stderr)
    run_id, disposition = engine.trigger(request, lambda: _job(engine, project, request.job, talk))
    document.about(run_id)
    is_coalesced = disposition is Disposition.COALESCED
    if detaches and not is_coalesced:
        return _say_detached(engine, run_id, quiet=quiet, as_json=as_json)
    is_over = engine.runs.view(run_id).is_over
    if request.wait and not is_over and not is_coalesced:
        _watch(engine, run_id, talk)
    result = TriggerResult(run_id, disposition, executed=not is_over)
    return _said(engine, result, talk, quiet=quiet, as_json=as_json)


def resume_elsewhere(
    engine: DbosEngine, run: str, decisions: Decisions, *, quiet: bool, as_json: bool
) -> int:
    """Have a run gone on with from where it was left, and wait for its end; the exit code."""
    talk = Silent(sys.stderr) if quiet else Talk(sys.stderr)
    run_id = engine.runs.find(run)
    document.about(run_id)
    seen = engine.runs.view(run_id).places
    goes_on = engine.resume(run_id, decisions)
    if goes_on:
        _watch(engine, run_id, talk, seen)
    result = TriggerResult(run_id, Disposition.CREATED, executed=goes_on)
    return _said(engine, result, talk, quiet=quiet, as_json=as_json)


def _job(engine: DbosEngine, project: Path, name: str, talk: Talk) -> Runnable:
    """The job; where this project has none of that name, and a worker has, one that reads nothing.

    NotFound if no live worker has it either.
    """
    try:
        return ListeningJob(find_job(project, name, talk.say), project, all_threads=False)
    except NotFound:
        if not engine.workers_of(name):
            raise
        return _JobElsewhere()


class _JobElsewhere:
    """A job that only workers have: they refuse an input that its model rejects."""

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        return ReadyInput(given, canonical=given)

    def work(self, input: Json) -> BoundHandler:
        raise AssertionError("it is executed by workers")


def _watch(
    engine: DbosEngine, run_id: str, talk: Talk, seen: frozenset[tuple[int, int]] = frozenset()
) -> None:
    """Say what happens in the run until it has ended; a signal ends only this process."""
    begun, is_said = time.monotonic(), False
    signals.install()
    try:
        while True:
            view = engine.runs.view(run_id)
            _say_new(view, seen, talk)
            seen |= view.places
            if view.is_over and not view.state.is_waiting:
                return
            late = time.monotonic() - begun > _NOBODY_SECONDS
            if late and view.is_queued and not is_said and not engine.workers_of(_job_of(view)):
                is_said = True
                talk.say(
                    f"no worker has the job {_job_of(view)}: run {short(run_id)} waits for one"
                )
            time.sleep(_PAUSE_SECONDS)
    except Interrupted as stopped:
        stopped.what = f"stopped waiting; run {short(run_id)} goes on"
        stopped.hint = hints.command("wait", short(run_id))
        raise
    finally:
        talk.close()
        signals.uninstall()


def _job_of(view: DatabaseView) -> str:
    return view.state.created.job


def _say_new(view: DatabaseView, seen: frozenset[tuple[int, int]], talk: Talk) -> None:
    for attempt, place, event in view.placed:
        if (attempt, place) in seen:
            continue
        if isinstance(event, RunStarted):
            again = f", attempt {attempt}" if attempt > 1 else ""
            talk.say(f"run {view.run_id} of {_job_of(view)}{again}, on {event.host}")
        else:
            talk.recorded(event)


def _said(
    engine: DbosEngine, result: TriggerResult, talk: Talk, *, quiet: bool, as_json: bool
) -> int:
    view = engine.runs.view(result.run_id)
    with suppress(BrokenPipeError):  # closing stdout early changes nothing of how it ended
        if as_json:
            document.suggest(*next_commands(view))
            out = document.on(sys.stdout)
            write_summary_json(view, out, {"disposition": str(result.disposition)})
        elif not quiet:
            write_output(view, sys.stdout, is_terminal=sys.stdout.isatty())
        sys.stdout.flush()
    attempts = view.state.attempts
    if view.status is Status.INTERRUPTED and attempts and attempts[-1].outcome == TIME_LIMIT:
        what = f"run {short(view.run_id)} has taken longer than its job may"
        raise AttemptTimedOut(what, hint=hints.command("resume", short(view.run_id)))
    go_on = "" if view.state.is_final else how_to_go_on(view)
    done = view.state.completed_steps
    outcome = Outcome(done, replayed=0, unused=[], failed=len(view.state.failed_steps), saved_ms=0)
    code = say_outcome(view, result, outcome, talk, go_on)
    if quiet and code == 1:
        say(f"run {short(view.run_id)} failed {failed_before(view, talk)}")
    return code


def _say_detached(engine: DbosEngine, run_id: str, *, quiet: bool, as_json: bool) -> int:
    if as_json:
        view = engine.runs.view(run_id)
        document.suggest(*next_commands(view))
        write_summary_json(view, document.on(sys.stdout), {"detached": True})
    elif not quiet:
        print(run_id, flush=True)
        say(f"run {short(run_id)} waits for a worker")
        say(f"to wait for its end: {hints.command('wait', short(run_id))}")
    return 0
