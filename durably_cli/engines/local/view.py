"""A run as its journal stands now."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.engines.run_view import CancelRequest, RunView, Unreadable
from durably_cli.errors import DurablyError, JournalDamaged, JournalError
from durably_cli.journal.blobs import BlobDamaged, Blobs
from durably_cli.journal.events import LogWritten, RunCreated
from durably_cli.journal.fold import NotARun, fold, fold_on
from durably_cli.journal.large import missing
from durably_cli.journal.reader import JournalReader, Position, begins_with
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.system import files, ids, locks
from durably_cli.values.strict_json import Json, to_json

if TYPE_CHECKING:
    from durably_cli.steps.mail import Mail


class Checkpoint(NamedTuple):
    """A run's state at a mark in its journal, and the crc of the bytes before that."""

    state: RunState
    mark: Position
    digest: int


class JournalView(RunView):
    """A run as its journal stands now; a context manager, because it can be read once more.

    Of what is `known` only the checksums are looked at again.
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
        events = self._up_to_damage()
        self.state = fold_on(known.state.copy(), events) if known else fold_reading(events, path)
        if self.damage:
            self.state.lose_end("lost in the damage")

    @property
    def where(self) -> str:
        return str(self.path)

    @property
    def mail(self) -> Mail:
        from durably_cli.engines.local.signals_sent import SignalsSent  # few runs wait for any

        return SignalsSent(self.path)

    def result(self, found: Json) -> Json:
        return Blobs(self.path).get(found)

    def whole_log(self, log: LogWritten) -> LogWritten:
        return whole_log(self.path, log)

    def look_beside(self, run_id: str) -> RunView | Unreadable | None:
        from durably_cli.engines.local.store import Store  # which needs views itself

        return Store.of(self.path).look(run_id)

    def forks(self) -> list[str]:
        from durably_cli.engines.local.forks import forks_of  # for who shows a run whole

        return forks_of(self.path)

    def has_key(self) -> str | None:
        from durably_cli.engines.local.turns import has_key  # few runs wait

        key = self.state.created.concurrency_key
        return None if key is None else has_key(self.path.parents[2], key)

    def heirs(self) -> list[int]:
        from durably_cli.engines import who  # for who waits

        attempts = self.state.attempts
        owner = attempts[-1].started if attempts else self.state.created
        return who.heirs_of(self.path) if who.is_gone(owner.pid, owner.host) else []

    def cancel_request(self) -> CancelRequest | None:
        if self.state.has_ended or not os.path.lexists(self.path.with_suffix(".inbox")):
            return None
        from durably_cli.engines.local.inbox import Inbox  # few runs have one

        with suppress(OSError, DurablyError):
            return Inbox(self.path).cancel()
        return None

    @property
    def torn_bytes(self) -> int:  # type: ignore[override]
        return self._reading.torn.size if self._reading.torn and not self.held else 0

    def events(self) -> Iterator[Event]:
        return (event for _, event in self.lines())

    def lines(self) -> Iterator[tuple[bytes, Event]]:
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
    def imported(self) -> bool:  # type: ignore[override]
        return is_imported(self.path)

    def is_still_free(self) -> bool:
        """Has no process taken it up since: is the journal this file still, and nobody's?"""
        try:
            named = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(self._fd), named) and not locks.is_held(self._fd)

    def sync(self) -> None:
        files.sync(self._fd)

    def close(self) -> None:
        os.close(self._fd)

    def _up_to_damage(self) -> Iterator[Event]:
        try:
            yield from self._reading
        except JournalDamaged as damage:
            if not self._reading.lines:
                raise
            self.damage = damage


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
