"""A run as its journal stands now."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.errors import DurablyError, JournalDamaged, JournalError
from durably_cli.journal.blobs import BlobDamaged, Blobs
from durably_cli.journal.events import LogWritten, RunCreated
from durably_cli.journal.fold import NotARun, fold, fold_on
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader, Position, begins_with
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.wait_events import RUN
from durably_cli.system import files, ids, locks
from durably_cli.values.strict_json import Json, to_json

if TYPE_CHECKING:
    from durably_cli.engines.local.inbox import CancelRequest


class Checkpoint(NamedTuple):
    """A run's state at a mark in its journal, and the crc of the bytes before that."""

    state: RunState
    mark: Position
    digest: int


class RunView:
    """A run as its journal stands now; a context manager, because it can be read once more.

    `held` says whether a process owns it, `damage` what is wrong with it: then all else is of the
    good lines before it. Of what is `known` only the checksums are looked at again.
    """

    def __init__(
        self,
        fd: int,
        path: Path,
        known: Checkpoint | None = None,
        *,
        looks_for_large: bool = True,
    ) -> None:
        self.path = path
        self.run_id = path.stem
        self._fd = fd
        self.held = locks.is_held(fd)
        if known and not begins_with(fd, known.mark.end, known.digest):
            known = None
        after = known.mark if known else None
        doubt = missing(Blobs(path)) if looks_for_large else _no_doubt
        self._reading = JournalReader(fd, path, self.run_id, after=after, doubt=doubt)
        self.damage: JournalDamaged | None = None
        events = self._up_to_damage()
        self.state = fold_on(known.state.copy(), events) if known else fold_reading(events, path)
        if self.damage:
            self.state.lose_end("lost in the damage")

    @property
    def status(self) -> Status:
        """Where the run stands; interrupted if it has not ended and no process holds it."""
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
        from durably_cli.engines.local.family import do_children_wait  # few runs have any

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
        from durably_cli.engines.local.family import children_got_further_at  # few runs have any

        return children_got_further_at(self)

    def cancel_request(self) -> CancelRequest | None:
        """Who has asked it to end, which it has not yet; None too if that cannot be read."""
        if self.state.has_ended or not os.path.lexists(self.path.with_suffix(".inbox")):
            return None
        from durably_cli.engines.local.inbox import Inbox  # few runs have one

        with suppress(OSError, DurablyError):
            return Inbox(self.path).cancel()
        return None

    @property
    def torn_bytes(self) -> int:
        """How many bytes of a torn tail a crash left; the next attempt drops them."""
        return self._reading.torn.size if self._reading.torn and not self.held else 0

    def events(self) -> Iterator[Event]:
        """The same events again; one iterator at a time, for they share the file's offset."""
        return (event for _, event in self.lines())

    def lines(self) -> Iterator[tuple[bytes, Event]]:
        """The same lines again, without their newlines; one iterator at a time."""
        return JournalReader(self._fd, self.path, self.run_id, size=self._reading.end).with_lines()

    def input(self) -> Json:
        """The input, whole. JournalError if it is in a file that was changed."""
        return whole_input(self.path, self.state.created)

    def output(self) -> Json | None:
        """The output, whole, if there is one. JournalError if it is in a file that was changed."""
        output = self.state.output
        if output is not None and self.state.has_large_output:
            return whole(self.path, "the output", output)
        return output

    def open(self) -> BinaryIO:
        """The journal's bytes, to be read from the beginning."""
        file = os.fdopen(os.dup(self._fd), "rb")
        file.seek(0)
        return file

    @property
    def imported(self) -> bool:
        """Was it brought from elsewhere, so that it is read-only?"""
        return is_imported(self.path)

    def is_still_free(self) -> bool:
        """Has no process taken it up since: is the journal this file still, and nobody's?"""
        try:
            named = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._fd), named) and not locks.is_held(self._fd)

    def sync(self) -> None:
        """Return once what was read is on disk: for who acts on an end that it did not write."""
        files.sync(self._fd)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def __enter__(self) -> RunView:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _up_to_damage(self) -> Iterator[Event]:
        try:
            yield from self._reading
        except JournalDamaged as damage:
            if not self._reading.lines:
                raise
            self.damage = damage


class Unreadable:
    """A run of whose journal nothing can be read, and why."""

    def __init__(self, run_id: str, error: DurablyError) -> None:
        self.run_id = run_id
        self.error = error

    @property
    def status(self) -> Status:
        """Damaged, or unreadable for another reason."""
        return Status.DAMAGED if isinstance(self.error, JournalDamaged) else Status.UNREADABLE


def _no_doubt(_: Event) -> None:
    pass


def whole_input(path: Path, created: RunCreated) -> Json:
    """The input of the run of this journal. JournalError if it is in a file that was changed."""
    return whole(path, "the input", created.input) if created.input_bytes else created.input


def whole(path: Path, what: str, reference: Json) -> Json:
    """What a reference in this journal stands for. JournalError if it is gone or changed."""
    try:
        return Blobs(path).get(reference)
    except BlobDamaged as error:
        raise JournalError(
            f"{what} cannot be read: {error}",
            hint=hints.command("verify", ids.short(path.stem)),
        ) from None


def whole_log(path: Path, log: LogWritten) -> LogWritten:
    """The line as it was logged; if the file that has all of it is lost, as the journal has it."""
    if not log.whole:
        return log
    try:
        found = json.loads(Blobs(path).get(Json(to_json(log.whole))))
        return log._replace(message=str(found["message"]), data=dict(found["data"]), whole={})
    except (ValueError, TypeError, KeyError):  # lost, or of a bundle that somebody made up
        return log


def marker_of(path: Path) -> Path:
    """What says beside this journal that its run was brought from elsewhere."""
    return path.with_suffix(".imported")


def is_imported(path: Path) -> bool:
    """Was the run of this journal brought from elsewhere, so that it is read-only?"""
    return os.path.lexists(marker_of(path))


def fold_reading(events: Iterable[Event], path: Path) -> RunState:
    """The state of the journal at this path. JournalDamaged if its events make no run."""
    try:
        state = fold(events)
        if state.created.run != path.stem:
            raise NotARun("it is the journal of another run")
        return state
    except NotARun as error:
        raise JournalDamaged(str(path), 1, 0, str(error)) from None
