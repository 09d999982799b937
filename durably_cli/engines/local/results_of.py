"""Whether a step has what it asks for, whatever brought it."""

from __future__ import annotations

from enum import StrEnum

from durably_cli.engines.local.view import RunView
from durably_cli.journal.step_events import (
    StepCompleted,
    StepDiscarded,
    StepMarkedDone,
    StepOutdated,
)


class Has(StrEnum):
    """What a step has, in words behind its name."""

    GIVEN = "was given its result by --done"
    RESULT = "has a result"


def has_result(view: RunView, name: str) -> Has | None:
    """Has the step of this name a result that counts? No state holds those of all steps."""
    found: Has | None = None
    for event in view.events():
        if not isinstance(event, _DECIDE) or event.name != name:
            continue
        if isinstance(event, StepMarkedDone):
            found = Has.GIVEN
        elif isinstance(event, StepCompleted):
            found = found or Has.RESULT
        else:
            found = None
    return found


_DECIDE = (StepCompleted, StepMarkedDone, StepDiscarded, StepOutdated)
