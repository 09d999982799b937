"""Which runs are old enough to be removed, whatever engine has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.journal.state import Status
from durably_cli.system import clock, ids

FINAL = (Status.COMPLETED, Status.CANCELLED)
"""What may go without being asked for: it cannot be resumed."""

RETENTION_PAUSE = timedelta(hours=1)
"""A project's old runs are removed no more often, if it has that done for it."""

RETENTION_SECONDS = 5.0
"""For so long at a time."""


class Old(NamedTuple):
    """Which runs are to go: those that ended before, but for the newest of each job.

    Of no status, those that cannot be resumed.
    """

    before: datetime
    keep_last: int = 0
    statuses: Collection[Status] = ()
    free_keys: bool = False

    @classmethod
    def staying(cls, seconds: float | None, keep_last: int) -> Old:
        """Where runs stay for so long, if there is such a time, and so many of each job."""
        now = clock.utc_now()
        return cls(now if seconds is None else now - timedelta(seconds=seconds), keep_last)


def in_families(found: Mapping[str, str], is_there: Callable[[str], bool]) -> list[str]:
    """The runs that may go, in their order, of all with the one each is a step of, or "".

    Behind each stand those that are steps of it. One that is a step of a run that stays goes with
    that one, or later.
    """
    below = defaultdict[str, list[str]](list)
    for run_id, parent in found.items():
        if parent in found:
            below[parent].append(run_id)
        elif not parent or not is_there(parent):
            below[""].append(run_id)
    return list(_families(below, ""))


def _families(below: Mapping[str, Sequence[str]], parent: str) -> Iterator[str]:
    """The runs below one: each with those that are steps of it behind it, and theirs."""
    for run_id in below.get(parent, ()):
        yield run_id
        yield from _families(below, run_id)


def ended_at(run: RunView | Unreadable) -> datetime:
    """When the run ended; of one that has not, when it gave its last sign of life."""
    if isinstance(run, Unreadable):
        return ids.made_at(run.run_id)
    state = run.state
    last = state.attempts[-1].last if state.attempts else state.created.at
    return clock.parse_time(state.ended or last)
