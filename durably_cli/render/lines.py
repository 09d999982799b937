"""What trigger and resume say on stderr while a run executes, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from durably_cli import hints
from durably_cli.engines.local.holder import holder
from durably_cli.engines.local.live_run import LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import (
    PRINTED,
    LogWritten,
    ProgressReported,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import (
    DATABASE,
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import item_around
from durably_cli.journal.step_state import StepStatus
from durably_cli.journal.wait_events import SIGNAL, SignalReceived, StepWaiting
from durably_cli.render.own_logging import is_shown_by_logging
from durably_cli.render.timeline import seconds_between
from durably_cli.render.waits import answers_to, said_of
from durably_cli.render.words import listed, local_time, one_line, utc_time
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread

_IN_FULL = 20
"""How many steps have a line each; after that 50, 100, 200, 500, ... are said."""


class Talk:
    """An observer that writes plain lines; it never fails a run, whatever becomes of the stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._is_terminal = stream, stream.isatty()
        self._is_heard = True
        self.run: LiveRun | None = None
        self.shows_sources = False
        """Whether what the job prints and logs has no other way to be seen."""
        self.completed = 0
        self.replayed_steps = 0
        self._progress = -1
        self._next_said = 50
        self._failure: StepFailed | None = None
        self._failed_tries = dict[str, int]()
        self._outdated = 0
        self._looked_for = set[str]()
        self._maps = set[str]()
        """Those that were begun here: no steps that are counted, for their items are."""

    def owns(self, run: LiveRun) -> None:
        if self.run is not None:  # of this very call
            self.say("it failed by nothing but what was replayed: those steps are executed now")
        self.run = run

    def waits_for_run(self, view: RunView) -> None:
        self.say(
            f"waiting for run {short(view.run_id)}, which another process executes{holder(view)}"
        )

    def waits_for_key(self, run_id: str, key: str) -> None:
        self.say(f"waiting for the concurrency key {key!r}, which run {short(run_id)} has")

    def waits_for_programs(self, run_id: str) -> None:
        self.say(f"waiting for programs of run {short(run_id)}, which are still being ended")

    def passes_over(self, job: str, unread: Sequence[Unread]) -> None:
        for line in not_read(job, unread):
            self.say(line)

    def replayed(self, name: str) -> None:
        if self.run is None or name not in self.run.state.maps:
            self.replayed_steps += 1

    def recorded(self, event: Event) -> None:
        if isinstance(event, LogWritten) and event.source is not None:
            if self.shows_sources:
                self.said(event)
            return
        if self._failure is not None:
            self._say_failure(event)
        if type(event) is StepStarted:  # worth no line of its own, and every second event
            if self._looked_for and event.name in self._looked_for:
                self._looked_for.discard(event.name)
                self.say(f"step {event.name} is called again")
            return
        if isinstance(event, MapStarted):
            self._maps.add(event.name)
        elif isinstance(event, StepCompleted):
            if event.name in self._looked_for:
                self._looked_for.discard(event.name)
                self.say(f"step {event.name} had happened: what looks for it has found a result")
            self.completed += event.name not in self._maps
            self.step_completed(event)
            if self._outdated:
                later, self._outdated = plural(self._outdated, "step"), 0
                again = f"step {event.name} gives another result"
                self.say(f"{again}: what {later} after it gave is discarded")
        elif isinstance(event, StepOutdated):
            self._outdated += event.name != event.because  # which a map says of itself
        elif isinstance(event, StepDiscarded) and event.why:
            self.say(f"step {event.name} is executed again: {event.why}")
        elif isinstance(event, StepFailed):
            self._failure = event  # which the end of the run may say, with its traceback
        elif isinstance(event, StepRetrying):
            self.retrying(event)
        elif isinstance(event, StepWaiting):
            self.waiting(event)
        elif isinstance(event, SignalReceived):
            self.say(f"signal {event.name} has come, of {event.by}")
        elif isinstance(event, StepCancelled) and item_around(event.name) is None:
            self.say(f"step {event.name} was cancelled after {span(event.ms / 1000)}")
        elif isinstance(event, LogWritten):
            if self.shows_sources or not is_shown_by_logging(event.level):
                self.logged(event)
        elif isinstance(event, ProgressReported):
            self.progressed(event)
        elif isinstance(event, RunStarted) and self.run is not None:
            self.started(event, self.run)

    def waiting(self, event: StepWaiting) -> None:
        """A step begins to wait."""
        self.say(said_of(event, self.time))
        run = self.run
        if event.kind == SIGNAL and run is not None:
            for words in answers_to(event, short(run.run_id)):
                self.say(f"  {hints.command(*words)}")

    def _say_failure(self, event: Event | None) -> None:
        """Say that a step failed, unless this event is the end of its run by that."""
        failed, self._failure = self._failure, None
        is_its_end = isinstance(event, RunHasFailed) and failed and failed.name in _causes_of(event)
        if failed is not None and not is_its_end:
            tried = f" after {failed.tries:,} tries" if failed.tries > 1 else ""
            self.say(f"step {failed.name} failed{tried}: {one_line(failed.error)}")

    def started(self, event: RunStarted, run: LiveRun) -> None:
        created = run.state.created
        again = f", attempt {event.attempt}" if event.attempt > 1 else ""
        self.say(f"run {run.run_id} of {created.job}{again}")
        self.passes_over(created.job, run.unread)
        self.say_what_changed(event, run)

    def say_what_changed(self, event: RunStarted, run: LiveRun) -> None:
        if event.dropped:
            kept = f"; the original is kept as {event.kept}" if event.kept else ""
            self.say(f"a crash left {plural(event.dropped, 'byte')} of an unfinished append{kept}")
        if run.state.attempts:
            last, usual = run.state.attempts[-1].started, run.state.created.folder
            if last.source != event.source:
                self.say("the job's file has changed since the last attempt")
            before, now = last.folder or usual, event.folder or usual
            if before != now and before:
                self.say(f"the last attempt ran in {before}, this one runs in {now}")
        elif run.state.origin:
            there = plural(run.state.from_origin, "result")
            self.say(f"a fork of run {short(run.state.origin)}, with {there} of it")
        if run.carried:
            names = [name for name in run.state.carried if name in run.carried]
            again: tuple[str, ...] = ("resume", short(run.run_id))
            if run.state.origin and not run.state.attempts:  # this very command makes it
                again = ("fork", *(hints.words_typed()[1:] or [short(run.state.origin)]))
            is_of_all = again[0] == "fork" and len(names) > 1
            which = ("--redo-failed",) if is_of_all else ("--redo", names[0])
            redo = hints.command(*again, *which)
            failures = plural(len(names), "failure")
            self.say(f"{failures} that the job went on after will be replayed: {listed(names)}")
            what = "them" if is_of_all else "such a step"
            self.say(f"to execute {what} again, stop this and type:", redo)
        has_failed = run.state.status is Status.FAILED  # and all tries are open again
        for step in () if has_failed else run.state.unfinished.values():
            if step.most > 1:
                self._failed_tries[step.name] = step.tries
            if step.status is StepStatus.RETRYING and not step.is_gone:
                pause = seconds_between(clock.now(), step.until or "")
                why = f": {one_line(step.error)}" if step.error else ""
                then = f"; again in {span(pause)}" if pause else ""
                tried = f"try {step.tries} of {step.most}"
                self.say(f"step {step.name} had failed, {tried}{why}{then}")
        decided: list[Event] = list(run.decisions)
        if run.state.origin and not run.state.attempts:
            decided += run.past.unfinished.values()
        redone = [each.name for each in decided if isinstance(each, StepDiscarded) and each.by]
        done = [each.name for each in decided if isinstance(each, StepMarkedDone)]
        for what, names in (("executed again", redone), ("marked as done", done)):
            if names:
                self.say(f"{what}: {listed(names)}")
        for step in run.state.cut_short:
            if step.name in run.past.in_doubt:
                knows = step.when_in_doubt == DATABASE
                then = "its database knows whether it was done" if knows else "it may have happened"
                self.say(f"step {step.name} was in flight when the run stopped: {then}")
                if step.when_in_doubt == "look":
                    self._looked_for.add(step.name)

    def step_completed(self, event: StepCompleted) -> None:
        done, is_map = self.completed, event.name in self._maps
        if done <= _IN_FULL or (is_map and item_around(event.name) is None):
            took = span(event.ms / 1000)
            self.say(f"step {event.name} completed in {took}{self.in_try(event.name)}")
            if done == _IN_FULL and not is_map:
                self.say("from here on steps are counted: at 50, 100, 200, 500, ...")
        elif done == self._next_said and not is_map:
            self.say(f"{done:,} steps completed")
            self._next_said = done * 5 // 2 if str(done).startswith("2") else done * 2

    def in_try(self, step: str) -> str:
        """Which try of the step this was, if it has failed before."""
        failed = self._failed_tries.pop(step, 0)
        return f", in try {failed + 1:,}" if failed else ""

    def retrying(self, event: StepRetrying) -> None:
        self._failed_tries[event.name] = event.tries
        tried = f"try {event.tries} of {event.of}"
        pause = span(seconds_between(clock.now(), event.until))
        self.say(f"step {event.name} failed, {tried}: {one_line(event.error)}; again in {pause}")

    def logged(self, event: LogWritten) -> None:
        self.say(f"{event.level}: {event.message}{event.values}")
        for line in event.traceback:
            self.say(f"  {line}")

    def said(self, event: LogWritten) -> None:
        """What was printed, as it was; and a record of a logger."""
        if event.source in PRINTED:
            self.say(event.message)
        else:
            self.logged(event)

    def progressed(self, event: ProgressReported) -> None:
        """Say it when another tenth is done."""
        done = share(event)
        if done is not None and event.total is not None and int(10 * done) != self._progress:
            self._progress = int(10 * done)
            message = f" {event.message}" if event.message else ""
            self.say(f"progress {event.current:g} of {event.total:g}{message}")

    def say(self, text: str, command: str = "") -> None:
        """One line on stderr, with a command to type at its end."""
        if not self._is_heard:
            return
        try:
            self._stream.write(visible(text) + (f" {command}" if command else "") + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody listens any more
            pass

    def quote(self, line: str) -> None:
        """A line of somebody else, as an error's traceback: in one piece, to be copied."""
        self.say(line)

    def time(self, at: str) -> str:
        """A journal's time: local on a terminal, else UTC."""
        return local_time(at) if self._is_terminal else utc_time(at)

    def hush(self) -> None:
        """Say nothing from now on: nobody listens any more."""
        self._is_heard = False

    def close(self) -> None:
        """Nothing more will be said of events."""
        self._say_failure(None)

    @property
    def erase(self) -> str:
        """What takes back the line that the cursor stands in, if that is a live one."""
        return ""


class Silent(Talk):
    """An observer that says nothing."""

    def say(self, text: str, command: str = "") -> None:
        pass


def not_read(job: str, unread: Sequence[Unread]) -> list[str]:
    """What to say of fields of the input that the job passes over."""
    return [
        f"the input of {job} has no field {each.path!r}, which is passed over"
        + (f": did you mean {each.nearest!r}?" if each.nearest else "")
        for each in unread
    ]


def _causes_of(event: RunHasFailed) -> list[str]:
    """The steps that the failure of a run came from."""
    return event.steps or ([] if event.step is None else [event.step])


def share(event: ProgressReported) -> float | None:
    """How much of the total is done, from 0 to 1; None if there is no total."""
    if not event.total:
        return None
    return min(1.0, max(0.0, float(event.current) / float(event.total)))
