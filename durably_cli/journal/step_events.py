"""What can stand in a journal of a step: see `events`.

The first field of each is the step's name.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.registry import event
from durably_cli.journal.step_names import StepName
from durably_cli.values.strict_json import Json

DATABASE: Literal["database"] = "database"
"""What a resume asks of a transaction that was cut short: its result is there, or it was not done.
"""

ITEMS = "items"
"""The same of a map: each of its items says for itself."""

NO_CODE = "-"
"""What a start has of a function that is none of the project's; so an attempt begins."""


@event("step.started")
class StepStarted(NamedTuple):
    """The function of a step is about to be called.

    `during` are the steps whose failures the handler was handling then. The first start behind a
    failure is synced: whether that is carried depends on it. `code` says which function it is, and
    what it does, or NO_CODE; without one it is that of the start before it in this attempt.
    `in_doubt` is `database` of a transaction, which is never in doubt: its database knows. `input`
    is a digest of what an item of a map is, if it is known by a key.
    """

    name: StepName
    at: str
    during: list[str] = []
    code: str = ""
    in_doubt: str = ""
    input: str = ""


@event("map.started")
class MapStarted(NamedTuple):
    """A map is about to go through its items, each of which is a step, or a scope of several.

    Its end is a step.completed, whose result counts them, or a step.failed. An older durably, which
    does not know this event, and no scopes, refuses to resume the run. `items` is how many there
    are, or 0 if nobody knows yet.
    """

    name: StepName
    at: str
    during: list[str] = []
    items: int = 0


@event("step.entered", durable=True)
class StepEntered(NamedTuple):
    """The function of a step is about to be called that is not to be called twice unasked.

    `in_doubt` is what a resume does if no result follows: `stop`, or `look`; it `gives` something.
    """

    name: StepName
    in_doubt: str
    at: str
    gives: bool = False


@event("step.completed", durable=True)
class StepCompleted(NamedTuple):
    """A step is acknowledged: its result is on disk."""

    name: StepName
    ms: int
    result: Json
    at: str


@event("step.failed", durable=True)
class StepFailed(NamedTuple):
    """A step raised; `raised` is what makes the exception again, if the failure is carried.

    If the error was shortened, `whole` is the reference to the file that has all of it. `refused`
    is the result that was refused, and what refused it, if that is why the step failed; `tries`
    says how often it was tried.
    """

    name: StepName
    ms: int
    error: ErrorInfo
    at: str
    raised: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    tries: int = 1


@event("step.retrying", durable=True)
class StepRetrying(NamedTuple):
    """A try of a step failed, and the next one begins at `until`, not before.

    It was number `tries` of at most `of`, and took `ms`. A final failure is a step.failed. If the
    error was shortened, `whole` is the reference to the file that has all of it.
    """

    name: StepName
    tries: int
    of: int
    ms: int
    error: ErrorInfo
    until: str
    at: str
    whole: dict[str, Any] = {}


@event("step.cancelled")
class StepCancelled(NamedTuple):
    """The task that awaited a step was cancelled, as by a time limit of the handler's own.

    That is no failure: it has no result, and its effect may have happened or not.
    """

    name: StepName
    ms: int
    at: str


@event("step.discarded", durable=True)
class StepDiscarded(NamedTuple):
    """Somebody wants a step executed again, whatever came of it before.

    If it had a result, `sha256` is that of it, and `ms` how long it took: another one outdates what
    came after it, unless `only` this step is to be executed again. `why` says so where nobody
    asked: a file is not what it was.
    """

    name: StepName
    by: str
    at: str
    sha256: str = ""
    ms: int = 0
    only: bool = False
    why: str = ""


@event("step.outdated")
class StepOutdated(NamedTuple):
    """What a step gave counts no more: `because` is the step before it that gave something else.

    It is on disk before the result of that one is.
    """

    name: StepName
    because: str
    at: str
    ms: int = 0


@event("step.marked-done", durable=True)
class StepMarkedDone(NamedTuple):
    """Somebody says that a step was done, and what it gave: it is not called, but has this result.

    A step.completed follows once the handler asks for it, and the result fits its type.
    """

    name: StepName
    by: str
    result: Json
    at: str
