"""Triggering and resuming runs that workers execute: this process waits, and shows what they do."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.asking import say
from durably_cli.cli.ends import end_of
from durably_cli.cli.noticing import IN_NOTICE
from durably_cli.cli.outcome import failed_before, say_outcome
from durably_cli.cli.talking import talk_on
from durably_cli.engines.outcome import Outcome
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import (
    AttemptTimedOut,
    Busy,
    ConfigError,
    Interrupted,
    NotFound,
    Unreachable,
)
from durably_cli.journal.events import RunStarted
from durably_cli.journal.state import Status
from durably_cli.journal.wait_events import RunSuspended
from durably_cli.project.discovery import find_job
from durably_cli.project.finding import find_here
from durably_cli.project.listening_job import ListeningJob
from durably_cli.render.lines import Talk
from durably_cli.render.next_steps import how_to_go_on, newly_asked, next_commands, ways_to_answer
from durably_cli.render.reason import reason
from durably_cli.render.rows import write_output, write_summary_json
from durably_cli.render.waits import what_it_waits_for
from durably_cli.system import signals
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.engines.dbos.news import News
    from durably_cli.engines.dbos.view import DatabaseView
    from durably_cli.engines.decisions import Decisions
    from durably_cli.engines.forking import ForkRequest
    from durably_cli.engines.live_run import BoundHandler
    from durably_cli.engines.observer import Runnable
    from durably_cli.engines.request import Request
    from durably_cli.journal.registry import Event

_NOBODY_SECONDS = 3.0
"""After so many seconds it is said that no worker takes the run up."""


class Patience(NamedTuple):
    """How long this process waits for a run: so many seconds, and until it `suspends`, or ended."""

    seconds: float | None = None
    suspends: bool = False


def trigger_elsewhere(
    engine: DbosEngine,
    project: Path,
    request: Request,
    patience: Patience,
    *,
    timeout: float | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make a run as the request says, and wait for its end as long as is said; the exit code."""
    talk = talk_on(sys.stderr, quiet)
    run_id, disposition = engine.trigger(
        request,
        lambda: _job(engine, project, request.job, talk),
        timeout,
        is_unheard=IN_NOTICE in os.environ,
    )
    document.about(run_id)
    before, is_coalesced = 0, disposition is Disposition.COALESCED
    was_over = engine.runs.row(run_id).is_over
    if not is_coalesced and patience.seconds == 0:
        return _say_detached(engine, run_id, quiet=quiet, as_json=as_json)
    if request.wait and not was_over and not is_coalesced:
        news = engine.runs.news(run_id)
        if disposition is Disposition.IDEMPOTENT:  # what was done before is not done now
            news.events()
            before = len(engine.runs.view(run_id).state.attempts)
        if not _watch(engine, run_id, talk, news, patience):
            return _say_detached(engine, run_id, quiet=quiet, as_json=as_json)
    result = TriggerResult(run_id, disposition, executed=not was_over)
    return _said(engine, result, talk, before=before, quiet=quiet, as_json=as_json)


def resume_elsewhere(
    engine: DbosEngine,
    project: Path,
    run: str,
    decisions: Decisions,
    *,
    timeout: float | None,
    suspends: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Have a run gone on with from where it was left, and wait for its end; the exit code."""
    talk = talk_on(sys.stderr, quiet)
    run_id = find_here(project, run, engine.runs)
    document.about(run_id)
    news = engine.runs.news(run_id)
    news.events()
    before = len(engine.runs.view(run_id).state.attempts)
    goes_on = engine.resume(run_id, decisions, timeout)
    if goes_on:
        _watch(engine, run_id, talk, news, Patience(suspends=suspends))
    result = TriggerResult(run_id, Disposition.CREATED, executed=goes_on)
    return _said(engine, result, talk, before=before, quiet=quiet, as_json=as_json)


def fork_elsewhere(
    engine: DbosEngine,
    project: Path,
    run: str,
    asked: ForkRequest,
    *,
    timeout: float | None,
    suspends: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make a run of what another one has, and wait for its end; the exit code."""
    talk = talk_on(sys.stderr, quiet)
    origin = find_here(project, run, engine.runs)
    document.about(origin)
    job = engine.runs.view(origin).state.created.job
    run_id = engine.fork(origin, asked, lambda: _job(engine, project, job, talk), timeout)
    document.about(run_id)
    talk.say(f"run {run_id} of {job}, a fork of run {short(origin)}")
    news = engine.runs.news(run_id, first_attempt=1)
    _watch(engine, run_id, talk, news, Patience(suspends=suspends))
    result = TriggerResult(run_id, Disposition.FORKED, executed=True)
    return _said(engine, result, talk, quiet=quiet, as_json=as_json)


def _job(engine: DbosEngine, project: Path, name: str, talk: Talk) -> Runnable:
    """The job; where this project has none of that name, and a worker has, one that reads nothing.

    NotFound if no live worker has it either.
    """
    try:
        return ListeningJob(find_job(project, name, talk.say), project, all_threads=False)
    except (NotFound, ConfigError):
        if not engine.workers_of(name):
            raise
        return _JobElsewhere()


class _JobElsewhere:
    """A job that only workers have: they refuse an input that its model rejects."""

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        return ReadyInput(given, canonical=given)

    def work(self, input: Json) -> BoundHandler:
        raise AssertionError("it is executed by workers")


def _watch(engine: DbosEngine, run_id: str, talk: Talk, news: News, patience: Patience) -> bool:
    """Say what happens in the run until it has ended; False if that takes longer than it may.

    A signal ends only this process.
    """
    begun, is_said, is_new = time.monotonic(), False, False
    created = engine.runs.created(run_id)
    job = created.job if created else ""
    engine.database.be_patient()
    signals.install()
    try:
        for pause in engine.runs.pauses():
            row = engine.runs.row(run_id)
            found = news.events()
            for placed in found:
                _say_new(placed.event, run_id, job, talk)
            passed = time.monotonic() - begun
            if row.is_over and (patience.suspends or not engine.runs.goes_on(run_id)):
                return True
            is_new |= any(isinstance(placed.event, RunSuspended) for placed in found)
            if row.is_over and is_new:
                is_new = False
                _say_waits(engine, run_id, talk)
            if patience.seconds is not None and passed >= patience.seconds:
                return False
            late = passed > _NOBODY_SECONDS and not row.is_over and not is_said
            if late and not engine.workers_of(job):
                is_said = True
                talk.say(f"no worker has the job {job}: run {short(run_id)} waits for one")
            pause(bool(found))
    except Unreachable as error:
        error.what += f"; run {short(run_id)} goes on without it being seen"
        error.hint = hints.command("wait", short(run_id))
        raise
    except Interrupted as stopped:
        stopped.what = f"stopped waiting; run {short(run_id)} goes on"
        stopped.hint = hints.command("wait", short(run_id))
        raise
    finally:
        talk.close()
        signals.uninstall()
    raise AssertionError


def _say_waits(engine: DbosEngine, run_id: str, talk: Talk) -> None:
    view = engine.runs.view(run_id)
    for said in what_it_waits_for(view, talk.time):
        talk.say(said)
    for each in ways_to_answer(view):
        if each.purpose:
            talk.say(f"{each.purpose}, type:", hints.command(*each.words))


def _say_new(event: Event, run_id: str, job: str, talk: Talk) -> None:
    if isinstance(event, RunStarted):
        talk.begins(run_id, job, event.attempt, event.host)
    else:
        talk.recorded(event)


def _said(
    engine: DbosEngine,
    result: TriggerResult,
    talk: Talk,
    *,
    before: int = 0,
    quiet: bool,
    as_json: bool,
) -> int:
    """Say what came of the run, in the attempts behind so many; the exit code."""
    view = engine.runs.view(result.run_id)
    if view.state.is_out_of_time:
        if quiet:
            _report(view, "", talk)
        what = f"run {short(view.run_id)} was ended: its time limit is over"
        raise AttemptTimedOut(what, hint=hints.command("resume", short(view.run_id)))
    with suppress(BrokenPipeError):  # closing stdout early changes nothing of how it ended
        if as_json:
            document.suggest(*next_commands(view))
            out = document.on(sys.stdout)
            write_summary_json(view, out, {"disposition": str(result.disposition)})
        elif not quiet:
            write_output(view, sys.stdout, is_terminal=sys.stdout.isatty())
        sys.stdout.flush()
    go_on = "" if view.state.is_final else how_to_go_on(view)
    done, begun = view.state.completed_steps, view.state.attempts[before:]
    replayed, saved_ms = (begun[0].before, begun[0].ms_before) if begun else (0, 0)
    failed = sum(step.attempt > before for step in view.state.failed_steps)
    outcome = Outcome(done - replayed, replayed, [], failed, saved_ms)
    code = say_outcome(view, result, outcome, talk, go_on)
    if view.status is Status.FAILED:
        talk.say("workers have the code that they began with: once it is mended, start them again")
    if code and (end := end_of(view)):
        end.note(view.run_id)
    if quiet and code not in (0, Busy.exit_code):
        _report(view, go_on, talk, "" if result.executed else failed_before(view, talk))
    elif quiet and code and result.executed:
        sys.stderr.write(newly_asked(view))
    return code


def _report(view: DatabaseView, go_on: str, talk: Talk, failed_before: str = "") -> None:
    """Say all of a run that did not complete, for who reads nothing else of it."""
    from durably_cli.render.report import report  # only after a failure

    masked = str  # workers mask what they record
    sys.stderr.write(report(view, None, go_on, masked, talk.time, failed_before=failed_before))


def _say_detached(engine: DbosEngine, run_id: str, *, quiet: bool, as_json: bool) -> int:
    if as_json:
        view = engine.runs.view(run_id)
        document.suggest(*next_commands(view))
        write_summary_json(view, document.on(sys.stdout), {"detached": True})
    elif not quiet:
        print(run_id, flush=True)
        view = engine.runs.view(run_id)
        said = reason(view) if view.status is Status.PENDING else None
        say(f"run {short(run_id)} is {view.status}{f': {said}' if said else ''}")
        say(f"to wait for its end: {hints.command('wait', short(run_id))}")
    return 0
