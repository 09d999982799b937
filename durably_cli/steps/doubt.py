"""A step in doubt: it was begun and left no result, so it may have happened, or not.

By default a resume calls it again. A step may say otherwise: `stop`, and a person decides, or a
function that looks whether it has happened.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from durably_cli.errors import StepInDoubt, StepMisused
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.journal.registry import Event
from durably_cli.journal.state import REFUSED
from durably_cli.journal.step_events import (
    StepDiscarded,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
)
from durably_cli.steps.accepted import accepted
from durably_cli.steps.operation import Raised
from durably_cli.steps.tries import Retry
from durably_cli.values import plain
from durably_cli.values.strict_json import Json
from durably_cli.values.untrusted import repr_of, safely

WhenInDoubt: TypeAlias = Literal["again", "stop", "database"] | Callable[..., object]
"""What a resume does with a step that was cut short: call it again, stop, or call this function to
look. That of a transaction does look, in its database.
"""

AGAIN: Literal["again"] = "again"
STOP: Literal["stop"] = "stop"
LOOK = "look"


class NotDone(Exception):
    """Raised by a function that looks whether a step in doubt has happened: it has not."""


def checked(in_doubt: WhenInDoubt, name: str, retry: Retry | None) -> WhenInDoubt:
    """What a step was given as `in_doubt`. StepMisused for what makes no sense."""
    if callable(in_doubt):
        return in_doubt
    if in_doubt not in (AGAIN, STOP):
        raise StepMisused(
            f"step {name!r}: in_doubt is 'again', 'stop', or a function that looks, not "
            f"{repr_of(in_doubt):.80}"
        )
    if in_doubt == STOP and retry is not None and retry.tries > 1:
        raise StepMisused(
            f"step {name!r}: in_doubt='stop' and several tries exclude each other: a try that "
            "failed may have happened, too; give it one, or a function that looks"
        )
    return in_doubt


def word_for(in_doubt: WhenInDoubt) -> str:
    """How a journal says it."""
    return LOOK if callable(in_doubt) else in_doubt


def stops_at(name: str) -> Raised:
    """The end of an attempt that comes to a step that nobody has decided."""
    return Raised(
        StepInDoubt(
            f"step {name!r} was in flight when the run stopped: it may have happened, and is not "
            "called again unless somebody says so"
        )
    )


def takes_null(converter: plain.Converter) -> bool:
    """Is null a result of the step, as of a function that returns nothing?"""
    return safely(lambda given: (converter.load(given),), Json("null")) is not None


def discarded_unasked(last: Event | None) -> str | None:
    """Why a result counts no more, if nobody has asked for that."""
    if isinstance(last, StepOutdated):
        return f"step {last.because!r} before it gives another result now"
    return last.why or None if isinstance(last, StepDiscarded) else None


def refused_before(last: Event | None) -> str | None:
    """Why a result was refused, if the step had returned one."""
    is_refusal = isinstance(last, StepFailed) and last.error.type == REFUSED
    return last.error.message if is_refusal and isinstance(last, StepFailed) else None


def stopped_behind(name: str, why: str) -> StepInDoubt:
    """The end of an attempt that comes to a step which was done with what counts no more."""
    said = f"step {name!r} was done, and {why}"
    return StepInDoubt(f"{said}: it is not called again unless somebody says so")


def could_not_look(name: str, error: BaseException) -> Raised:
    """The end of an attempt in which the function that looks has failed."""
    said = f"step {name!r} may have happened, and what looks for that has failed: "
    stopped = StepInDoubt(said + _in_words(error))
    stopped.__cause__ = error
    return Raised(stopped)


def was_refused(name: str, why: str) -> Raised:
    """The end of an attempt in which such a step has returned what no journal may hold."""
    said = f"step {name!r} has returned, so it has happened, but its result is refused: {why}"
    return Raised(StepInDoubt(f"{said}; it is not called again unless somebody says so"))


def _in_words(error: BaseException) -> str:
    """What it says, whatever its own `__str__` does."""
    found = describe(error)
    return f"{found.type}: {found.message}"


def given(
    marked: StepMarkedDone, converter: plain.Converter, secrets: Secrets | None
) -> tuple[Json, Any, int] | Raised:
    """The result that somebody has given: its JSON, and that read; its files are vouched for.

    The end of the attempt if it does not fit: another one can be given.
    """
    said = f"the result that {marked.by} has given for step {marked.name!r} "
    if not marked.result:
        return Raised(StepInDoubt(said + "was in a file that is damaged: give it again"))
    try:
        text, back = accepted(converter.load(marked.result), converter, secrets)
    except Exception as error:  # validators are the user's own code
        return Raised(StepInDoubt(f"{said}does not fit: {describe(error).message}"))
    return text, back, 0
