"""What a run is: the state that its events add up to, which `fold` makes.

It holds what is unfinished step by step and the rest as counts, so that a journal of a million
events folds in the memory of a small one. `step_state` walks the events again for the rest.
"""

from __future__ import annotations

import copy
from collections import Counter
from enum import StrEnum

from durably_cli.journal.carried import Failures
from durably_cli.journal.events import (
    ErrorInfo,
    ProgressReported,
    RunCancelled,
    RunCreated,
    RunRepaired,
    RunStarted,
)
from durably_cli.journal.received import Received
from durably_cli.journal.spent import Spent
from durably_cli.journal.step_events import DATABASE, ITEMS, StepDiscarded, StepMarkedDone
from durably_cli.journal.step_names import item_around
from durably_cli.journal.step_state import StepState, StepStatus
from durably_cli.journal.wait_events import SIGNAL, WAIT, StepWaiting
from durably_cli.values.strict_json import Json


class Status(StrEnum):
    """Where a run stands. The last three are never journalled: they take a look at the file."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"
    UNREADABLE = "unreadable"


REFUSED = "ValueRefused"
"""The type of the error of a step that has returned what no journal may hold."""

NO_END = "no end recorded"
"""What came of an attempt that was killed, or crashed with its machine."""

TIME_LIMIT = "time limit"
"""What ended an attempt that took longer than it may, as its journal says."""

KILLED = (NO_END, "SIGTERM", "SIGHUP")
"""What came of an attempt whose process has died, and was not stopped by somebody at it."""

_IN_VAIN = 5

_BEGUN = (StepStatus.STARTED, StepStatus.CANCELLED)
_NEITHER = (StepStatus.MARKED_DONE, StepStatus.DISCARDED)
"""A run that fails by such a step has stopped at it."""


class Attempt:
    """One process's try: when it last left word, and `ended`, unless that was not its end.

    So many steps had a result `before` it that it has not discarded, which took so many
    milliseconds, `ms_before`, time side by side counted once.
    """

    __slots__ = ("before", "ended", "last", "ms_before", "outcome", "started")

    def __init__(self, started: RunStarted, before: int, ms_before: int) -> None:
        self.started, self.before, self.ms_before = started, before, ms_before
        self.last = started.at
        self.ended: str | None = None
        self.outcome = NO_END


def ended_as(status: Status) -> str:
    """How a run has ended, behind its name: `has completed`, `was cancelled`."""
    return "was cancelled" if status is Status.CANCELLED else f"has {status}"


class RunState:
    """The run as its journal tells it; only `fold` makes one.

    Of a large output it has the reference, and that it is one.
    """

    def __init__(self, created: RunCreated) -> None:
        self.created = created
        self.has_large_output = False
        self.origin: str | None = None
        """The run of which this one is a fork."""
        self.from_origin = 0
        """How many results it has from there."""
        self.status = Status.PENDING
        self.attempts: list[Attempt] = []
        self.unfinished: dict[str, StepState] = {}
        self.discarded = Counter[str]()
        """How many results of a step count no more."""
        self.decisions: list[StepDiscarded | StepMarkedDone] = []
        """What people have decided of its steps."""
        self.waits: dict[str, StepWaiting] = {}
        """What its steps wait for."""
        self.received = Received()
        """The signals that it has."""
        self.children: dict[str, str] = {}
        """The runs that are a step of it, by the names of these."""
        self.open_children = set[str]()
        """Those that were one, and have given it no result."""
        self.due: str | None = None
        """If it is suspended, when the first of its waits is over; empty if none is."""
        self.failures: Failures | None = None
        self.maps = set[str]()
        """The maps among its steps: they are counted nowhere, for their items are."""
        self.maps_with_failures = set[str]()
        """Those of which an item has failed, in any attempt."""
        self.completed_steps = 0
        self.spent = Spent()
        self.log_lines = 0
        self.progress: ProgressReported | None = None
        self.output: Json | None = None
        self.error: ErrorInfo | None = None
        self.causes: list[str] = []
        self.ended: str | None = None
        self.cancelled: RunCancelled | None = None
        self.repaired: list[RunRepaired] = []
        self.unknown: list[str] = []

    def copy(self) -> RunState:
        """The same, to be folded on without a change of this one."""
        copied = copy.copy(self)
        copied.attempts = [copy.copy(attempt) for attempt in self.attempts]
        copied.unfinished = {**self.unfinished}
        copied.children, copied.open_children = {**self.children}, {*self.open_children}
        copied.waits, copied.received = {**self.waits}, self.received.copy()
        copied.failures, copied.discarded = copy.deepcopy(self.failures), self.discarded.copy()
        copied.repaired, copied.unknown = [*self.repaired], [*self.unknown]
        copied.decisions, copied.maps = [*self.decisions], {*self.maps}
        copied.maps_with_failures = {*self.maps_with_failures}
        copied.spent = copy.deepcopy(self.spent)
        return copied

    def end_wait(self, name: str) -> StepWaiting | None:
        """What the step has waited for, if it has, and does no more: it has an end."""
        wait = self.waits.pop(name, None)
        if wait is not None and wait.kind == SIGNAL:
            self.received.end(name)
        return wait

    @property
    def is_waiting(self) -> bool:
        """Is a wait open, and nothing else in flight, whether a process holds it or not?"""
        return bool(self.waits) and not self.has_ended and not self.cut_short

    @property
    def is_out_of_time(self) -> bool:
        """Has it not ended because its last attempt took too long? It does not go on by itself."""
        last = self.attempts[-1].outcome if self.attempts else ""
        return not self.has_ended and last == TIME_LIMIT

    @property
    def is_final(self) -> bool:
        """Has it ended for good, so that nothing may be added?"""
        return self.status in (Status.COMPLETED, Status.CANCELLED)

    @property
    def has_ended(self) -> bool:
        """Has it ended, for good or by failing?"""
        return self.is_final or self.status is Status.FAILED

    def lose_end(self, why: str) -> None:
        """The journal says nothing of how the last attempt ended, because of this."""
        if self.attempts and self.attempts[-1].ended is None:
            self.attempts[-1].outcome = why

    def needs(self, child: str) -> bool:
        """Would it make this run again, if that were gone: is it a step that has no result?"""
        steps = (self.unfinished.get(step) for step, run in self.children.items() if run == child)
        return any(step and step.status is not StepStatus.DISCARDED for step in steps)

    @property
    def cut_short(self) -> list[StepState]:
        """Steps that were started and have no result, but for maps: what counts is their items."""
        started = (step for step in self.unfinished.values() if step.status in _BEGUN)
        return [step for step in started if step.when_in_doubt not in (ITEMS, WAIT)]

    @property
    def got_further_at(self) -> str:
        """When the last attempt began that completed a step, or the run; empty if none has."""
        after = self.completed_steps + (self.status is Status.COMPLETED)
        for attempt in reversed(self.attempts):
            if after > attempt.before:
                return attempt.started.at
            after = attempt.before
        return ""

    def killed_in_vain(self, behind: str = "") -> int:
        """How many attempts in a row, up to the last, were killed and completed no step.

        Only those count that began behind this time.
        """
        many, after = 0, self.completed_steps
        for attempt in reversed(self.attempts):
            has_got_further = after > attempt.before or attempt.started.at <= behind
            if attempt.outcome not in KILLED or has_got_further:
                break
            many, after = many + 1, attempt.before
        return many

    def is_given_up(self, behind: str = "") -> bool:
        """Was it taken up so often in vain that this takes a person? The first time is no such."""
        many = self.killed_in_vain(behind)
        return many - (many == len(self.attempts)) >= _IN_VAIN

    @property
    def in_doubt(self) -> list[StepState]:
        """Those whose effect may or may not have happened: of a transaction its database knows."""
        return [step for step in self.cut_short if step.when_in_doubt != DATABASE]

    @property
    def may_have_happened(self) -> list[StepState]:
        """Those cut short, and those that stop and have returned what was refused."""
        return [*self.cut_short, *filter(_was_refused, self.unfinished.values())]

    @property
    def undecided(self) -> list[StepState]:
        """Steps that wait for a decision, or for a decision that fits; none of a final run."""
        if self.is_final:
            return []
        found = [self.unfinished[name] for name in self.causes if name in self.unfinished]
        badly = [step for step in found if step.status in _NEITHER or self._stopped_at(step)]
        return [*badly, *(step for step in self.in_doubt if step.when_in_doubt == "stop")]

    def _stopped_at(self, step: StepState) -> bool:
        """Has the run failed by this doubt, though no event says so: it came with a new release?

        Or the process was killed between the start of the step and that event.
        """
        if self.status is not Status.FAILED:
            return False
        if step.status is StepStatus.FAILED:
            return _was_refused(step)
        if self.error is None or self.error.type != "StepInDoubt":  # by one that was cancelled
            return False
        return step.status in _BEGUN and step.when_in_doubt in ("again", DATABASE)

    @property
    def carried(self) -> list[str]:
        """Steps whose failures the next attempt replays: see `carried`."""
        return self.failures.carried if self.failures else []

    @property
    def failed_steps(self) -> list[StepState]:
        """Steps whose last word is a failure, but for those that are gone."""
        steps = self.unfinished.values()
        return [step for step in steps if step.status is StepStatus.FAILED and not step.is_gone]

    @property
    def failed_items(self) -> list[str]:
        """Those of maps among them, which no one has to decide about; also of scopes in items."""
        returned = {step.name for step in self.may_have_happened}
        failed = [step.name for step in self.failed_steps if step.name not in returned]
        return [name for name in failed if item_around(name) is not None]

    @property
    def discarded_steps(self) -> int:
        """How many results count no more."""
        return sum(many for name, many in self.discarded.items() if name not in self.maps)


def _was_refused(step: StepState) -> bool:
    """Has this step returned, which is not to be called again unasked, and what it gave is refused?

    A failure of it that was raised is another matter: then it has not returned.
    """
    refused = step.error is not None and step.error.type == REFUSED
    return step.status is StepStatus.FAILED and refused and step.when_in_doubt == "stop"
