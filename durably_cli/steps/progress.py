"""`step.progress`: how far the run has come."""

from __future__ import annotations

import math
from contextlib import suppress

from durably_cli.journal.events import ProgressReported
from durably_cli.system import clock
from durably_cli.values.untrusted import repr_of, text_of


def reported(current: float, total: float | None, message: str | None) -> ProgressReported:
    """What is journalled of it. TypeError for what is no number, or one that no float holds."""
    done, all_of_it = _number(current), None if total is None else _number(total)
    shown = None if message is None else text_of(message)
    return ProgressReported(done, clock.now(), all_of_it, shown)


def _number(given: object) -> float:
    """A plain int or float. TypeError for anything else."""
    with suppress(OverflowError):  # of an int that no float holds
        if isinstance(given, (int, float)) and math.isfinite(given):
            return int.__pos__(given) if isinstance(given, int) else float.__pos__(given)
    raise TypeError(f"step.progress takes numbers that a float can hold, not {repr_of(given):.80}")
