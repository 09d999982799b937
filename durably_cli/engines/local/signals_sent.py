"""The signals that were sent to a run: files in its inbox, one for each name.

A file is written whole and durably, under a name that follows from the signal's, so that of all who
send one the first is the one. It stays there until the run has ended: whoever sends another finds
it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from durably_cli.engines.local.inbox import SUFFIX
from durably_cli.steps.mail import Sent
from durably_cli.system import files
from durably_cli.values.strict_json import DECODER, Json, as_read, printable, to_json

_LONGEST = 1 << 24
_PREFIX = "signal-"


class SignalsSent:
    """Those to the run of this journal."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal.with_suffix(SUFFIX)

    def send(self, name: str, sent: Sent, temporary_folder: Path) -> bool:
        """Leave a signal there, durably; False if there is one of this name.

        FileNotFoundError if the run ends at this moment.
        """
        head = to_json({"name": name, "by": sent.by, "at": sent.at})
        data = f'{head[:-1]},"value":{sent.value}}}\n'.encode("ascii")
        written = files.written(temporary_folder, self._folder.name, data)
        try:
            files.make_folder(self._folder)
            return files.publish(written, self._path_of(name))
        finally:
            written.unlink(missing_ok=True)

    def find(self, name: str) -> Sent | None:
        """The one of this name, if there is one that can be read."""
        try:
            fd = files.open_existing(self._path_of(name))
        except FileNotFoundError:
            return None
        with open(fd, encoding="ascii", errors="replace") as file:
            text = file.read(_LONGEST)
        try:
            found, _ = DECODER.raw_decode(text)
            value = Json(as_read(found["value"]))
            return Sent(value, printable(str(found["by"])), str(found["at"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return Sent(Json("null"), "somebody, which cannot be read,", "")

    def listens_for(self, name: str) -> Callable[[], bool]:
        """Says whether there is one."""
        path = self._path_of(name)
        return lambda: os.path.lexists(path)

    def refuse(self, name: str) -> None:
        """Take the one of this name away, so that another one may come."""
        self._path_of(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Those that are there, whether the run has taken them or not."""
        found = list[str]()
        with suppress(FileNotFoundError):
            for file in sorted(os.listdir(self._folder)):
                if file.startswith(_PREFIX):
                    with suppress(OSError, ValueError, KeyError, TypeError):
                        text = (self._folder / file).read_text("ascii", "replace")
                        found.append(printable(str(json.loads(text)["name"])))
        return found

    def _path_of(self, name: str) -> Path:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / f"{_PREFIX}{digest}"
