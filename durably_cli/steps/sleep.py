"""`step.sleep`: time passes, once, however many processes it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from durably_cli.errors import StepMisused
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.wait_events import SLEEP
from durably_cli.steps.operation import Past, Plan, Wait
from durably_cli.steps.waits import later_by, longest_of, marked_done, ms_of, wait_begun
from durably_cli.system import clock
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json
from durably_cli.values.untrusted import repr_of


class Sleep(NamedTuple):
    """Let so many seconds pass, or all up to a time."""

    name: str
    seconds: float | None
    until: str = ""
    converter: plain.Converter = convert.converter(object)

    def plan(self, past: Past) -> Plan:
        """Waiting, and completed; killed in between, the rest of it is waited."""
        done = yield from marked_done(past, self.name, self.converter)
        if done is not None:
            return done[0]
        wait = yield from wait_begun(past, self.name, SLEEP, self._deadline)
        longest = math.inf if self.seconds is None else longest_of(wait)
        yield Wait(wait.until, longest, suspends=True)
        past.end_wait(self.name)
        yield StepCompleted(self.name, ms_of(wait), Json("null"), clock.now())
        return None

    def _deadline(self) -> str:
        return self.until if self.seconds is None else later_by(self.seconds)


def moment_of(name: str, given: object, say: Callable[[str], object]) -> str:
    """A time that a step was given, in UTC. StepMisused if it is none.

    One without a zone is local time, which it says.
    """
    found = given
    if isinstance(given, str):
        try:
            found = datetime.fromisoformat(given.strip())
        except ValueError:
            found = None
    if not isinstance(found, datetime):
        raise StepMisused(
            f"step {name!r}: until={repr_of(given):.80} is no time: give a datetime, or a text "
            "as 2026-12-24T18:00:00+01:00"
        )
    try:
        if found.tzinfo is None:
            found = _local(found)
            say(f"step {name!r}: {repr_of(given):.80} has no zone, and is taken as local: {found}")
        return clock.format_due(found.astimezone(UTC))
    except (OverflowError, OSError, ValueError):
        raise StepMisused(f"step {name!r}: until={repr_of(given):.80} is in no calendar") from None


def _local(given: datetime) -> datetime:
    """The moment that clocks here show so. One that they skip is as long behind the change.

    `astimezone` by itself takes that as one before the change, which would be too early.
    """
    second = given.replace(microsecond=0).timestamp()
    moment = datetime.fromtimestamp(second, UTC) + timedelta(microseconds=given.microsecond)
    return moment.astimezone()
