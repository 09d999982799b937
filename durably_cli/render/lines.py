"""What trigger and resume say on stderr while a run executes, line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from durably_cli.engines.holder import holder
from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.run_view import RunView
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
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepFailed,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import item_around
from durably_cli.journal.wait_events import SignalReceived, StepWaiting
from durably_cli.render.own_logging import is_shown_by_logging
from durably_cli.render.timeline import seconds_between
from durably_cli.render.what_changed import what_changed
from durably_cli.render.words import local_time, one_line, utc_time
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
        elif isinstance(event, StepWaiting) and self.run is not None:
            self._say_waits(self.run, event)
        elif isinstance(event, SignalReceived):
            self.say(f"signal {event.name} has come, from {event.by}")
        elif isinstance(event, StepCancelled) and item_around(event.name) is None:
            self.say(f"step {event.name} was cancelled after {span(event.ms / 1000)}")
        elif isinstance(event, LogWritten):
            if self.shows_sources or not is_shown_by_logging(event.level):
                self.logged(event)
        elif isinstance(event, ProgressReported):
            self.progressed(event)
        elif isinstance(event, RunStarted) and self.run is not None:
            self.started(event, self.run)

    def child_waits(self, child: str, run: LiveRun, event: StepWaiting | None) -> None:
        self._say_waits(run, event, child)

    def _say_waits(self, run: LiveRun, event: StepWaiting | None = None, child: str = "") -> None:
        """What that run waits for from now on; without an event, what it has waited for before.

        Of what may be suspended, its end says so.
        """
        is_new = event is not None or bool(run.state.waits)
        if is_new and self.run is not None and not (self.run.stop.suspends or run.stop.suspends):
            from durably_cli.render.waits import lines_of_waits  # few runs wait

            for line in lines_of_waits(run, event, child, self.time):
                self.say(line)

    def _say_failure(self, event: Event | None) -> None:
        """Say that a step failed, unless this event is the end of its run by that."""
        failed, self._failure = self._failure, None
        is_its_end = isinstance(event, RunHasFailed) and failed and failed.name in _causes_of(event)
        if failed is not None and not is_its_end:
            tried = f" after {failed.tries:,} tries" if failed.tries > 1 else ""
            self.say(f"step {failed.name} failed{tried}: {one_line(failed.error)}")

    def begins(self, run_id: str, job: str, attempt: int, where: str = "") -> None:
        """An attempt at a run begins, here or elsewhere."""
        again = f", attempt {attempt}" if attempt > 1 else ""
        self.say(f"run {run_id} of {job}{again}{where and f', on {where}'}")

    def started(self, event: RunStarted, run: LiveRun) -> None:
        created = run.state.created
        self.begins(run.run_id, created.job, event.attempt)
        self.passes_over(created.job, run.unread)
        self.say_what_changed(event, run)

    def say_what_changed(self, event: RunStarted, run: LiveRun) -> None:
        """What there is to know of the run before this attempt of it."""
        for said in what_changed(event, run):
            self.say(*said)
        self._say_waits(run)
        if run.state.status is not Status.FAILED:  # else all tries are open again
            steps = run.state.unfinished.values()
            self._failed_tries |= {step.name: step.tries for step in steps if step.most > 1}
        for step in run.state.cut_short:
            if step.name in run.past.in_doubt and step.when_in_doubt == "look":
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
