"""The signals that were sent to a run: files in its inbox, one for each wait of a name.

A file is written whole and durably, under a name that follows from the signal's and its number, and
appears by a link: of all who send one the first is the one. A deadline that is over is put there in
the same way, so that no sender hears of success behind it. It stays there until the run has ended:
whoever sends another finds it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from durably_cli.engines.local.inbox import SUFFIX
from durably_cli.errors import Forbidden, InvalidInput, JournalLost
from durably_cli.steps.mail import Closed, Found, Sent, Unusable
from durably_cli.system import files
from durably_cli.values.strict_json import DECODER, Json, as_read, printable, to_json

_LONGEST = 1 << 24
"""How many bytes such a file may have, and little more than that a value."""


class SignalsSent:
    """Those to the run of this journal."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal.with_suffix(SUFFIX)

    def send(self, name: str, sent: Sent, temporary_folder: Path, number: int = 0) -> bool:
        """Leave a signal there, durably; False if there is one of this name and number.

        InvalidInput if it is too long; FileNotFoundError if the run ends at this moment.
        """
        head = to_json({"name": name, "by": sent.by, "at": sent.at})
        data = f'{head[:-1]},"value":{sent.value}}}\n'.encode("ascii")
        if len(data) > _LONGEST:
            raise InvalidInput(
                f"signal {name!r} has {len(sent.value):,} bytes, and no signal may have more than "
                f"about {_LONGEST:,}: put what it says into a file, and send its path"
            )
        return self._put(name, number, data, temporary_folder)

    def close(self, name: str, number: int, at: str) -> bool:
        """Leave the end of the wait there, durably; False if there is a signal already.

        JournalLost if that cannot be written.
        """
        data = (to_json({"name": name, "closed": at}) + "\n").encode("ascii")
        try:
            return self._put(name, number, data, self._folder.parents[2] / "tmp")
        except OSError as error:
            what = f"the deadline of signal {name!r} cannot be noted in {self._folder}: {error}"
            raise JournalLost(what) from None

    def find(self, name: str, number: int = 0) -> Found | None:
        """What is there of this name and number."""
        try:
            fd = files.open_existing(self._path_of(name, number))
        except FileNotFoundError:
            return None
        except Forbidden:
            files.refuse_link(self._folder)  # what is behind that is none of the run's
            return Unusable("it is no plain file")
        with open(fd, encoding="ascii", errors="replace") as file:
            text = file.read(_LONGEST)  # none is longer
        try:
            found = DECODER.decode(text)
            if "closed" in found:
                return Closed(str(found["closed"]))
            value = Json(as_read(found["value"]))
            return Sent(value, printable(str(found["by"])), str(found["at"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            return Unusable(f"it is no signal: {error!r:.80}")

    def listens_for(self, name: str, number: int = 0) -> Callable[[], bool]:
        """Says whether there is anything."""
        path = self._path_of(name, number)
        return lambda: os.path.lexists(path)

    def refuse(self, name: str, number: int = 0) -> None:
        """Take it away, so that another one may come. JournalLost if that cannot be."""
        path = self._path_of(name, number)
        try:
            if path.is_dir() and not path.is_symlink():
                files.remove_folder(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise JournalLost(f"{path} is no signal, and cannot be removed: {error}") from None

    def _put(self, name: str, number: int, data: bytes, temporary_folder: Path) -> bool:
        written = files.written(temporary_folder, self._folder.name, data)
        try:
            files.make_folder(self._folder)
            is_first = files.publish(written, self._path_of(name, number))
            if not is_first:  # and who has put that there may not have come so far
                files.sync_folder(self._folder)
            return is_first
        finally:
            written.unlink(missing_ok=True)

    def _path_of(self, name: str, number: int) -> Path:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / (f"signal-{digest}-{number}" if number else f"signal-{digest}")
