"""Executing a run in this process, whatever engine holds it.

A new run and one that a crash left behind take the same way, for a new run is one whose journal
holds no attempt yet. An engine knows a job only as `work`: a callable that takes the step and
gives the output as JSON.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from durably_cli.engines import who, working_folder
from durably_cli.engines.live_run import BoundHandler, LiveRun, Watcher
from durably_cli.engines.none_returned import note_on_none
from durably_cli.engines.recorder import Recorder
from durably_cli.errors import (
    Abort,
    AttemptTimedOut,
    Cancelled,
    FileChanged,
    Interrupted,
    JournalLost,
    StepInDoubt,
    Stopped,
    Suspended,
)
from durably_cli.journal.events import (
    RunCancelled,
    RunCompleted,
    RunHasFailed,
    RunInterrupted,
    RunStarted,
)
from durably_cli.journal.failures import describe
from durably_cli.journal.registry import Event
from durably_cli.journal.state import TIME_LIMIT
from durably_cli.journal.wait_events import RunSuspended
from durably_cli.steps.causes import steps_of
from durably_cli.steps.child import ChildEnds, end_of_child
from durably_cli.steps.current import executed, masking
from durably_cli.steps.step import Step
from durably_cli.steps.step_of_attempt import step_of_attempt
from durably_cli.system import clock, signals
from durably_cli.system.process import this
from durably_cli.system.time_limits import OutOfTime
from durably_cli.values.strict_json import Json
from durably_cli.version import __version__


def execute_in_turn(
    run: LiveRun, work: BoundHandler, watcher: Watcher, take_turn: Callable[[], object]
) -> None:
    """Execute a run that has not ended once it has its turn, unless it is cancelled before.

    A failure of the job ends the run and returns, and so does a cancel. Interrupted, JournalLost,
    AttemptTimedOut and KeyboardInterrupt end the attempt and pass through.
    """
    with run.stopper, masking(work.secrets):
        try:
            run.stop.check()
            take_turn()
        except BaseException:
            run.stopper.end()
            if not isinstance(run.stop.cause, Cancelled):
                raise
            run.held.log.end_with(_cancelled(run.stop.cause))
        else:
            if isinstance(_execute(run, work, watcher), RunHasFailed):
                run.has_failed = work
    if isinstance(run.stop.cause, Cancelled):
        run.held.clear_requests()
        if children := run.children:
            run.held.cancel_children(children, run.stop.cause.reason)


def _execute(run: LiveRun, work: BoundHandler, watcher: Watcher) -> Event:
    record = Recorder(run.held.log, watcher.recorded)
    attempt = len(run.state.attempts) + 1
    stop = run.stop
    step = step_of_attempt(
        run.past,
        stop,
        record.__call__,  # bound: a call of the object itself takes longer
        run_id=run.run_id,
        attempt=attempt,
        created_at=clock.parse_time(run.state.created.at),
        replayed=watcher.replayed,
        secrets=work.secrets,
        programs=run.held.programs,
        project=work.project,
        recording=record if work.is_async else None,
    )
    step._execute_child = lambda child: run.held.children(run, step, watcher)(child)
    run.held.begin()
    try:
        with signals.stopping(stop.stop), executed(step):
            end = _end_of(run, work, step, record)
            record.end_with(end)
            return end
    except BaseException as error:
        run.held.let_go()
        if isinstance(error, Stopped):
            run.stop.check()
        raise
    finally:
        record.end()


def _end_of(
    run: LiveRun, work: BoundHandler, step: Step, record: Recorder
) -> RunCompleted | RunHasFailed | RunCancelled:
    """Call the handler; the event that ends the run. What ends only the attempt passes through."""
    try:
        _begin(run, work, step, record)
        output = _called(work, step, run)
        cause = run.stop.cause
        if cause is not None and (run.stop.was_raised or not isinstance(cause, Interrupted)):
            raise cause  # which the handler has swallowed: what it returned may be a part
        step.raise_refused()
    except (OutOfTime, Stopped):  # of what this run is part of
        raise
    except KeyboardInterrupt as interrupt:
        try:
            if run.has_begun:
                record.end_with(RunInterrupted(_signal_name(interrupt), clock.now()))
        except JournalLost:  # a Ctrl-C in the middle of an append has closed the journal
            if isinstance(interrupt, Interrupted):
                raise
        raise  # after a signal the lost journal is the error, after the job's own Ctrl-C that is
    except Cancelled as cancelled:
        return _cancelled(cancelled, step.attempt if run.has_begun else 0)
    except StepInDoubt as error:
        return _failed(error, work, run)
    except AttemptTimedOut as over:
        if over is run.stop.cause:
            record.end_with(RunInterrupted(TIME_LIMIT, clock.now()))
        raise
    except Suspended as suspended:
        left = [str(name) for name in run.past.waits if name not in run.past.came_to]
        record.end_with(RunSuspended(clock.now(), suspended.until, left))
        raise
    except (Abort, ChildEnds):
        raise
    except BaseException as error:  # SystemExit too: leaving is not completing
        if not run.has_begun:
            raise
        return _failed(error, work, run)
    return RunCompleted(output, clock.now())


def _failed(error: BaseException, work: BoundHandler, run: LiveRun) -> RunHasFailed:
    note_on_none(error, run.held.look)
    error_info, causes = work.secrets.masked_error(describe(error)), steps_of(error)
    if isinstance(error, (StepInDoubt, FileChanged)):  # whatever was handled when it was raised
        causes = causes[:1]
    several = causes if len(causes) > 1 else []
    return RunHasFailed(error_info, clock.now(), next(iter(causes), None), several)


def _begin(run: LiveRun, work: BoundHandler, step: Step, record: Recorder) -> None:
    """The first lines of the attempt; from here on its time counts."""
    before = run.held.end
    try:
        try:
            record(_started(run, step.attempt, work.source))
        finally:  # a signal is raised right behind the append
            run.has_begun = run.held.end != before
        run.stopper.limit(work.timeout)
        record.all(event._replace(at=clock.now()) for event in run.decisions)
    except Stopped:
        run.stop.check()
        raise


def _cancelled(cancelled: Cancelled, attempt: int = 0) -> RunCancelled:
    return RunCancelled(clock.now(), cancelled.reason, cancelled.by, attempt)


def _called(work: BoundHandler, step: Step, run: LiveRun) -> Json:
    """What the handler returns; after a stop, whatever it raises is that.

    Of a process that it forked this is the end.
    """
    owner = this.pid
    try:
        try:
            output = work.call(step)
        finally:
            if this.pid == owner:
                step.close()
                run.stopper.end()
    except BaseException as error:
        if this.pid == owner:
            run.stop.check()
            raise
        raise end_of_child(error, work.secrets) from None
    if this.pid != owner:
        raise ChildEnds(0)
    return output


def _started(run: LiveRun, attempt: int, source: str | None) -> RunStarted:
    folder = working_folder.current()
    return RunStarted(
        attempt=attempt,
        pid=os.getpid(),
        host=who.host(),
        at=clock.now(),
        versions={"durably": __version__, "python": sys.version.split()[0]},
        source=source,
        dropped=run.dropped,
        kept=run.saved_as,
        folder="" if folder == run.state.created.folder else folder,
    )


def source_hash(source: bytes) -> str:
    """`sha256:` and the digest of the text of a job's file."""
    from hashlib import sha256

    return "sha256:" + sha256(source).hexdigest()


def _signal_name(error: KeyboardInterrupt) -> str:
    return signal.Signals(error.signum if isinstance(error, Interrupted) else signal.SIGINT).name
