"""What the kinds of steps that wait have in common: a deadline, and the end that it makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

from durably_cli.errors import StepMisused, WaitTimeout
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.journal.raised import parts_of
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepMarkedDone
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.steps.causes import steps_of
from durably_cli.steps.doubt import given
from durably_cli.steps.operation import Effect, Past, Raised
from durably_cli.steps.scope import being_handled
from durably_cli.steps.stop import NO_TIME
from durably_cli.system import clock
from durably_cli.values.durations import Duration, seconds_in, span
from durably_cli.values.plain import Converter
from durably_cli.values.strict_json import Json
from durably_cli.values.untrusted import repr_of


def wait_begun(
    past: Past, name: str, kind: str, until: Callable[[], str], **more: Any
) -> Generator[Effect, Any, StepWaiting]:
    """The wait of this step as an attempt began it: an earlier one, or this."""
    found = past.waits.get(name)
    past.came_to.add(name)
    if found is None or found.kind != kind:
        handled = being_handled()
        during = [] if handled is None else steps_of(handled)
        found = StepWaiting(name, kind, clock.now(), until(), during, **more)
        yield found
        past.waits[name] = found
    return found


def refuse_secret(secrets: Secrets | None, text: Json, name: str, what: str) -> None:
    """StepMisused if what a step was given is to be journalled, and holds a secret."""
    if secrets is not None and (found := secrets.find_in(text)):
        place, path = found
        raise StepMisused(
            f"step {name!r}: {what} holds the secret {path}, at {place}: no journal may"
        )


def marked_done(
    past: Past, name: str, converter: Converter, secrets: Secrets | None = None
) -> Generator[Effect, Any, tuple[Any] | None]:
    """The result that somebody has given with --done, in place of what is waited for, in a tuple.

    It is Raised if it does not fit. None if nobody has given any.
    """
    last = past.unfinished.get(name)
    if not isinstance(last, StepMarkedDone):
        return None
    found = given(last, converter, secrets)
    if isinstance(found, Raised):
        return (found,)
    text, back, _ = found
    yield StepCompleted(name, 0, text, clock.now())
    return (back,)


def over(past: Past, wait: StepWaiting, error: Exception) -> Generator[Effect, Any, Raised]:
    """The step has failed: what it waits for has not come."""
    past.end_wait(wait.name)
    yield StepFailed(wait.name, ms_of(wait), describe(error), clock.now(), parts_of(error))
    return Raised(error)


def timed_out(wait: StepWaiting, what: str) -> WaitTimeout:
    """The error of a wait whose deadline is over."""
    return WaitTimeout(f"step {wait.name!r}: {what} within {span(longest_of(wait))}")


def longest_of(wait: StepWaiting) -> float:
    """The seconds that a wait was to take when it began.

    A process that sits by it waits no longer, whatever the clock shows; it may have been set back.
    """
    if not wait.until:
        return math.inf
    return (clock.parse_time(wait.until) - clock.parse_time(wait.at)).total_seconds()


def ms_of(wait: StepWaiting) -> int:
    """How long it has waited, by the wall clock, for it may have been in several processes."""
    return max(0, clock.milliseconds_of(clock.now()) - clock.milliseconds_of(wait.at))


def later_by(seconds: float, at: str | None = None) -> str:
    """The time so many seconds later than that one, or than now."""
    moment = clock.utc_now() if at is None else clock.parse_time(at)
    try:
        return clock.format_due(moment + timedelta(seconds=seconds))
    except OverflowError:
        return NO_TIME


def span_of(name: str, what: str, given: Duration) -> float:
    """The seconds of a span of time that a step was given. StepMisused if it is none."""
    try:
        return seconds_in(given)
    except (TypeError, ValueError) as error:
        raise StepMisused(f"step {name!r}: {what}={repr_of(given):.80}: {error}") from None
