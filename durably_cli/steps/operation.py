"""The seam: what a handler asks of its run, and the effects that every kind of step is made of.

An operation is a value that says what is wanted. Its `plan` is a generator that says how, held
against the past: what the journal has of the operation already. A plan does nothing itself. It
yields effects; a driver performs each, and sends back what came of it:

    an event             written down; sent when it is as durable as its class says
    Call(fn, args, t)    the user's function called; its result, or Raised(its exception)
    Wait(until, longest) time has passed: True; or what is waited for is there: False
    All(operations, n)   each performed, n of them at a time; what came of each by its place

What a plan returns is the step's result, or Raised(error), which the driver raises: a generator
cannot pass on every exception.

So a kind of step is written once, whatever drives it, and tested with a dict and a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable
from threading import Lock
from typing import Any, NamedTuple, Protocol, TypeAlias, final

from durably_cli.journal.received import Received
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepDiscarded, StepFailed, StepOutdated
from durably_cli.journal.wait_events import SIGNAL, StepWaiting
from durably_cli.steps.mail import Mail, NoMail
from durably_cli.steps.reported import Reported
from durably_cli.values.plain import Converter
from durably_cli.values.strict_json import Json


@final
class Call(NamedTuple):
    """Call a function of the user's, for `timeout` seconds at the most."""

    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    timeout: float | None = None


class Raised(NamedTuple):
    """What came of a call that raised."""

    error: BaseException


@final
class Wait(NamedTuple):
    """Let time pass until then: UTC, as events have it.

    It is over after `longest` seconds, whatever the clock shows then, or once `ready` says so. If
    it `holds_back`, nothing that is performed beside it begins before. If it `suspends`, no process
    needs to sit by it.
    """

    until: str
    longest: float
    holds_back: bool = False
    ready: Callable[[], bool] | None = None
    suspends: bool = False


@final
class All(NamedTuple):
    """Perform these operations, at most so many of them at once, and so many a second.

    Once one has failed no other one begins, unless it `goes_on`; `ended` is called with how many
    have ended, and how many of them have failed, by one thread at a time. What comes of it is a
    result or Raised for each that was begun, by its place.
    """

    operations: Iterable[Operation]
    at_once: int
    goes_on: bool = False
    per_second: float | None = None
    ended: Callable[[int, int], object] = lambda done, failed: None


Effect: TypeAlias = Event | Call | Wait | All
Plan: TypeAlias = Generator[Effect, Any, Any]


class Begun(NamedTuple):
    """How often a step without a result has been tried, and since when."""

    tries: int
    since: str


class Later(NamedTuple):
    """A step that began after another one had completed, and how long it took."""

    name: str
    ms: int


class Order(Protocol):
    """In which order the steps of a run came."""

    def names(self) -> Iterable[str]:
        """The names of all steps, which know where they stand."""

    def later(self, name: str) -> Iterable[Later]:
        """The steps that began after this one had completed."""

    def milliseconds(self, name: str) -> int:
        """How long a step took that has completed."""


class _NoOrder:
    """That of a run that has no journal."""

    def names(self) -> Iterable[str]:
        return ()

    def later(self, name: str) -> Iterable[Later]:
        return ()

    def milliseconds(self, name: str) -> int:
        return 0


class Past(NamedTuple):
    """What the journal has of a run's steps, by their names.

    `results` are those that completed, and `failures` those that are carried, each taken out when
    it is handed back; `whole` reads a result that stands in a file of its own. `unfinished` is the
    last event, other than a start, of each without a result; `begun` are their tries, `in_doubt`
    those that were begun and have no end, and what their last start said of that. `reported` is
    what need not be reported again, `discarded` how many results of a step count no more, `dropped`
    how often one was discarded that had none, and `keys` the run whose keys a step has that was in
    doubt in the origin of a fork. `waits` are the steps that wait, of which this attempt `came_to`
    some, `received` their signals, and `mail` is where others come. `inputs` are digests of the
    items of maps that are known by keys. Another result of those in `redone` outdates what came
    later, by the `order` in which they came; what is `owed` of that is to be written before another
    step. Who changes what is of several steps at once is `changing` it: threads of the handler may
    be in a step each.
    """

    results: dict[str, Json]
    whole: Callable[[str, Json], Json]
    unfinished: dict[str, Event]
    failures: dict[str, StepFailed]
    begun: dict[str, Begun]
    in_doubt: dict[str, str]
    reported: Reported
    discarded: Counter[str]
    dropped: Counter[str]
    keys: dict[str, str]
    waits: dict[str, StepWaiting]
    came_to: set[str]
    received: Received
    mail: Mail
    inputs: dict[str, str]
    redone: dict[str, StepDiscarded]
    owed: list[StepOutdated]
    order: Order
    changing: Lock

    def outdate(self, event: StepOutdated) -> None:
        """What this step has given counts no more; that may be a row, and not yet a result."""
        if event.name not in self.results:
            self.discarded[event.name] += 1
        self.forget(event.name)
        self.in_doubt.pop(event.name, None)
        self.unfinished[event.name] = event

    def forget(self, name: str) -> None:
        """Nothing of this step counts any more."""
        if self.results.pop(name, None) is not None:
            self.discarded[name] += 1
            self.keys.pop(name, None)
        self.unfinished.pop(name, None)
        self.failures.pop(name, None)
        self.begun.pop(name, None)
        self.waits.pop(name, None)
        self.received.discard(name)

    def end_wait(self, name: str) -> None:
        """The step waits no more: it has an end."""
        wait = self.waits.pop(name, None)
        if wait is not None and wait.kind == SIGNAL:
            self.received.end(name)


def fresh_past(results: dict[str, Json]) -> Past:
    """One of these results, and nothing else."""
    return Past(
        results=results,
        whole=lambda name, result: result,
        unfinished={},
        failures={},
        begun={},
        in_doubt={},
        reported=Reported(),
        discarded=Counter(),
        dropped=Counter(),
        keys={},
        waits={},
        came_to=set(),
        received=Received(),
        mail=NoMail(),
        inputs={},
        redone={},
        owed=[],
        order=_NoOrder(),
        changing=Lock(),
    )


class Operation(Protocol):
    """One kind of step, as a handler asked for it, or a scope; its converter makes its result."""

    @property
    def name(self) -> str:
        """The step's name."""

    @property
    def converter(self) -> Converter | None:
        """How its result goes to JSON and back; None of a scope, which has none of its own."""

    def plan(self, past: Past) -> Plan:
        """The effects that it takes; only what has no result yet is asked for its plan."""
