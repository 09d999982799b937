"""What an engine keeps for notices: the runs that are put down, and what fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from durably_cli.system import clock, ids

if TYPE_CHECKING:
    from durably_cli.engines.run_view import RunView, Unreadable

_LONGEST_PAUSE_MINUTES = 60


class Failing(NamedTuple):
    """What fails: since a run did. `stamp` is that of the run.

    A notice that is not out yet was tried so often, the last time `tried`, and `said` says what
    came of it; `recovered` is the run that it is of, if that is a recovery.
    """

    job: str
    key: str
    run: str
    since: str
    stamp: list[int | str]
    why: str = ""
    recovered: str = ""
    said: str = ""
    tries: int = 0
    tried: str = ""

    def is_due(self) -> bool:
        """Is the notice to be tried again now? The pauses grow to an hour."""
        if not self.said:
            return False
        pause = timedelta(minutes=min(_LONGEST_PAUSE_MINUTES, 2 ** min(self.tries, 6)))
        return clock.utc_now() >= clock.parse_time(self.tried) + pause


def failing_of(found: Mapping[str, Any]) -> Failing | None:
    """What was written, if it is what durably writes."""
    try:
        failing = Failing(**found)
        clock.parse_time(failing.since)
        if failing.tried:
            clock.parse_time(failing.tried)
    except (TypeError, ValueError):
        return None
    is_whole = isinstance(failing.tries, int) and isinstance(failing.stamp, list)
    texts = (failing.job, failing.key, failing.why, failing.said)
    are_ids = ids.is_id(str(failing.run)) and (
        not failing.recovered or ids.is_id(str(failing.recovered))
    )
    return failing if is_whole and are_ids and all(isinstance(t, str) for t in texts) else None


class OneFailing(Protocol):
    """What is noted of one job and key, as long as nobody else may change it."""

    @property
    def found(self) -> Failing | None:
        """What was noted when that began."""

    def write(self, failing: Failing) -> None:
        """Note this, durably."""

    def remove(self) -> None:
        """It fails no more."""


class Noted(Protocol):
    """What is noted of the runs of a project."""

    def put_down(self, run_id: str, attempt: int) -> None:
        """The end of this attempt is to be looked at, whatever becomes of this process: durable."""

    def cross_out(self, run_id: str, attempts: int) -> None:
        """It was looked at, and so many attempts had begun; one that begins meanwhile stays."""

    def left(self) -> Iterator[str]:
        """The runs that are put down, and that nobody executes now."""

    def look(self, run_id: str) -> RunView | Unreadable | None:
        """A run as it is now: see `Runs.look`."""

    def is_executed(self, view: RunView) -> bool:
        """Is an attempt at it being made, whose end is still to come?"""

    def dead(self, run_id: str) -> Mapping[str, Any]:
        """What was noted of a run that is put down, and has died."""

    def note_dead(self, run_id: str, dead: Mapping[str, str]) -> None:
        """Note that of it."""

    def stamp(self, run_id: str) -> list[int | str]:
        """What tells a run from what it was before; empty if there is none."""

    def failing(self) -> Iterator[tuple[Failing, bool]]:
        """What fails; and has its run changed since, so that it is to be looked at?"""

    def one(self, job: str, key: str, seconds: float) -> AbstractContextManager[OneFailing | None]:
        """What is noted of this job and key; None if others have it for so many seconds."""
