"""A run as it stands now, whatever engine has it: what everybody who shows one looks at."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.errors import DurablyError, JournalDamaged
from durably_cli.journal.events import LogWritten
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.wait_events import RUN
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from typing import Self

    from durably_cli.steps.mail import Mail


class CancelRequest(NamedTuple):
    """Somebody wants the run to end for good."""

    by: str
    at: str
    reason: str | None = None


class RunView(ABC):
    """A run as it stands now; a context manager, because its events can be read once more.

    `held` says whether somebody executes it, `damage` what is wrong with what was written of it:
    then all else is of what is good before that.
    """

    run_id: str
    state: RunState
    held: bool
    damage: JournalDamaged | None = None
    imported: bool = False
    """Was it brought from elsewhere, so that it is read-only?"""
    torn_bytes: int = 0
    """How many bytes of a torn tail a crash left; the next attempt drops them."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where its events are, for people to look."""

    @property
    @abstractmethod
    def mail(self) -> Mail:
        """The signals that were sent to it."""

    @abstractmethod
    def events(self) -> Iterator[Event]:
        """Its events again; one iterator at a time."""

    @abstractmethod
    def lines(self) -> Iterator[tuple[bytes, Event]]:
        """The same as lines of a journal, without their newlines; one iterator at a time."""

    @abstractmethod
    def input(self) -> Json:
        """The input, whole. JournalError if it cannot be read."""

    @abstractmethod
    def output(self) -> Json | None:
        """The output, whole, if there is one. JournalError if it cannot be read."""

    @abstractmethod
    def result(self, found: Json) -> Json:
        """What a step's result stands for, if it is too large for a line.

        BlobDamaged if that cannot be read.
        """

    @abstractmethod
    def whole_log(self, log: LogWritten) -> LogWritten:
        """The line as it was logged; if all of it is lost, as the event has it."""

    @abstractmethod
    def look_beside(self, run_id: str) -> RunView | Unreadable | None:
        """Another run of the same engine; None if there is none."""

    @abstractmethod
    def forks(self) -> list[str]:
        """The runs that were made of it and are there still, oldest first."""

    @abstractmethod
    def cancel_request(self) -> CancelRequest | None:
        """Who has asked it to end, which it has not yet; None too if that cannot be read."""

    @abstractmethod
    def has_key(self) -> str | None:
        """The run that executes now with the concurrency key of this one, if one does."""

    @abstractmethod
    def heirs(self) -> list[int]:
        """The processes that still hold it for an owner that is gone."""

    @abstractmethod
    def is_still_free(self) -> bool:
        """Has nobody taken it up since it was looked at?"""

    @abstractmethod
    def sync(self) -> None:
        """Return once what was read is on disk: for who acts on an end that it did not write."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what it holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_queued(self) -> bool:
        """Is it to go on as soon as somebody takes it up, who is there for that?"""
        return False

    @property
    def lacks_worker(self) -> bool:
        """Does it go on once somebody takes it up, who is not there?"""
        return False

    @property
    def is_left(self) -> bool:
        """Has it not ended, and nobody goes on with it unasked, of those who are there for that?"""
        return False

    @property
    def goes_on(self) -> bool:
        """Does somebody execute it, or is about to?"""
        return self.held or self.is_queued

    @property
    def status(self) -> Status:
        """Where the run stands; interrupted if it has not ended and nobody executes it."""
        if self.damage:
            return Status.DAMAGED
        if self._waits:
            return Status.WAITING
        if self.state.has_ended or self.held:
            return self.state.status
        return Status.INTERRUPTED

    @cached_property
    def _waits(self) -> bool:
        if not self.state.is_waiting:
            return False
        if all(wait.kind != RUN for wait in self.state.waits.values()):
            return True
        from durably_cli.engines.family import do_children_wait  # few runs have any

        return do_children_wait(self)

    @property
    def killed_in_vain(self) -> int:
        """How many attempts in a row were killed in which neither it nor a child got further."""
        return self.state.killed_in_vain(self._children_got_further_at)

    @property
    def is_given_up(self) -> bool:
        """Was it taken up so often in vain that this takes a person?"""
        state = self.state
        return state.is_given_up() and state.is_given_up(self._children_got_further_at)

    @cached_property
    def _children_got_further_at(self) -> str:
        if all(wait.kind != RUN for wait in self.state.waits.values()):
            return ""
        from durably_cli.engines.family import children_got_further_at  # few runs have any

        return children_got_further_at(self)


class Unreadable:
    """A run of which nothing can be read, and why."""

    def __init__(self, run_id: str, error: DurablyError) -> None:
        self.run_id = run_id
        self.error = error

    @property
    def status(self) -> Status:
        """Damaged, or unreadable for another reason."""
        return Status.DAMAGED if isinstance(self.error, JournalDamaged) else Status.UNREADABLE
