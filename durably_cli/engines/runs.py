"""What every engine can say of its runs: it looks, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.journal.events import LogWritten, RunCreated
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status


class Claimed(NamedTuple):
    """The run that a key stands for, if that is there, or when it was deleted.

    `elsewhere` says where it is, if it was made elsewhere before the project had this engine.
    """

    run: str | None = None
    deleted: str | None = None
    elsewhere: str | None = None


class Runs(Protocol):
    """The runs of a project, as one engine has them."""

    @property
    def place(self) -> str:
        """Where they are, for people."""

    def find(self, query: str) -> str:
        """The id of the run that a person means.

        NotFound if there is none; UsageError if several fit, with the candidates.
        """

    def view(self, run_id: str, *, despite_damage: bool = False) -> RunView:
        """The run as it is now. NotFound if there is none; JournalError if it cannot be read.

        Of a damaged one, what stands before the damage, if asked for.
        """

    def look(self, run_id: str) -> RunView | Unreadable | None:
        """The same, damaged or not, or why nothing of it can be read; None if there is none."""

    def look_at(self, run_ids: Iterable[str]) -> Iterator[RunView | Unreadable]:
        """These runs, as far as they are there; each view is closed when the next is asked for."""

    def created(self, run_id: str) -> RunCreated | None:
        """What the run was made as; None if that cannot be read."""

    def run_ids(self) -> Iterator[str]:
        """The ids of all runs, newest first."""

    def fitting(self, part: str) -> list[str]:
        """The ids that begin or end with this part, or are it, newest first."""

    def claimed(self, job: str, key: str) -> Claimed:
        """What an idempotency key of a job stands for."""

    def why_none(self) -> str:
        """What to add where a run is not found, if there are none at all."""

    def may_be_of_others(self) -> bool:
        """May somebody else have some?"""

    def lacks_place(self) -> str:
        """What is missing of the place where they are to be, if anything is."""

    def candidates(
        self,
        *,
        statuses: Collection[Status] = (),
        jobs: Collection[str] = (),
        labels: Mapping[str, str] | None = None,
        looking_at_many: Callable[[], object] = lambda: None,
    ) -> Iterator[str]:
        """The ids of all runs that may fit, and perhaps of others, newest first.

        The caller may shrink `jobs` between items.

        `looking_at_many` is called if that takes a while.
        """

    def follow(self, run_id: str) -> Iterator[tuple[bytes, Event]]:
        """The run's lines as `RunView.lines` gives them, and those to come while it goes on."""

    def whole_log(self, run_id: str, log: LogWritten) -> LogWritten:
        """A line of a run as it was logged; if all of it is lost, as the event has it."""

    def at_its_end(
        self, run_id: str, deadline: float, waits: Callable[[RunView], None]
    ) -> RunView | Unreadable:
        """The run once it has ended, or nobody goes on with it; or as it is at that moment.

        The deadline is one of `time.monotonic`; `waits` is called with the run if it is waited
        for. NotFound if it is deleted meanwhile.
        """
