"""What others have to say to a run: only its owner appends to the journal, and looks in here.

A request is a file in a folder beside the journal. It is written whole and durably under a name
that says what it asks for, so the first one of its kind counts, however many send one.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from durably_cli.engines.run_view import CancelRequest
from durably_cli.system import files
from durably_cli.values.strict_json import printable, to_json

SUFFIX = ".inbox"
_CANCEL = "cancel"
_LONGEST = 1 << 20


class Inbox:
    """The requests to the run of this journal."""

    def __init__(self, journal: Path) -> None:
        self._folder = journal.with_suffix(SUFFIX)
        self._path = self._folder / _CANCEL

    def ask_to_cancel(self, request: CancelRequest, temporary_folder: Path) -> None:
        """Leave the request there, durably, unless there is one.

        It is lost if the run ends at this moment: who asks looks again.
        """
        data = (to_json(request._asdict()) + "\n").encode("ascii")
        written = files.written(temporary_folder, self._folder.name, data)
        with suppress(FileNotFoundError):  # the folder went, with what was in it
            files.make_folder(self._folder)
            files.publish(written, self._path)
            return
        written.unlink(missing_ok=True)

    def cancel(self) -> CancelRequest | None:
        """The request to cancel, if there is one."""
        try:
            fd = files.open_existing(self._path)
        except FileNotFoundError:
            return None
        with open(fd, encoding="ascii", errors="replace") as file:
            text = file.read(_LONGEST)
        try:
            found = json.loads(text)
            reason = found.get("reason")
            return CancelRequest(
                printable(str(found["by"])),
                str(found["at"]),
                None if reason is None else printable(str(reason)),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return CancelRequest("somebody", "", f"the request {self._path} cannot be read")

    def forget_cancel(self) -> None:
        """Take the request to cancel away: it was for an attempt that has ended."""
        with suppress(FileNotFoundError):
            self._path.unlink()

    def clear(self) -> None:
        """Take all requests away: the run has ended without them."""
        if os.path.lexists(self._folder):
            with suppress(OSError):  # another one comes at this moment
                files.remove_folder(self._folder)
