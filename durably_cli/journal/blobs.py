"""Large results: each in a file of its own beside the journal, which says so in the result's place.

    {"$blob":"0199….blobs/<sha256>","bytes":70000,"preview":"[{\\"id\\": …"}

The files of a run stand in `<run id>.blobs/`, belong to that run, and are named by the sha256
of their bytes. A file gets its name when it is on disk, and that before the line that names it. A
result that looks like such a reference is put into a file as well, so that no other is mistaken.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durably_cli.errors import Forbidden
from durably_cli.journal.events import Event, StepCompleted
from durably_cli.system import files
from durably_cli.values.strict_json import Json, to_json

LIMIT = 64 * 1024
"""How many bytes of JSON a result may have to stand in the journal itself."""

PREVIEW = 200
"""How many of its characters stand in the journal."""

_MARK = '{"$blob":'
_CHUNK = 1 << 20


class BlobDamaged(ValueError):
    """The file of a large result is missing, or is not what was written; the message says which."""


class Blobs:
    """The large results of the run whose journal this is."""

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_suffix(".blobs")

    def put(self, result: Json, temporary_folder: Path) -> Json:
        """Write a result to its file, durably; the reference to it."""
        from hashlib import sha256  # loads OpenSSL, which sizes do not need

        data = result.encode("ascii")
        name = sha256(data).hexdigest()
        files.make_folder(self.folder)
        fd, temporary = files.create(temporary_folder, name)
        try:
            files.write_all(fd, data)
            files.sync(fd)
        except BaseException:
            os.unlink(temporary)
            raise
        finally:
            os.close(fd)
        os.rename(temporary, self.folder / name)  # over the same result, or what became of it
        files.sync_folder(self.folder)
        reference = {"$blob": f"{self.folder.name}/{name}", "bytes": len(data)}
        return Json(to_json({**reference, "preview": preview(result)}))

    def get(self, result: Json) -> Json:
        """The result behind a reference, checked; any other as it is. BlobDamaged if it is gone."""
        if not is_blob_reference(result):
            return result
        return Json(b"".join(self._checked(result)).decode("ascii"))

    def check(self, reference: Json) -> None:
        """BlobDamaged if what is behind a reference is missing or changed; in little memory."""
        for _ in self._checked(reference):
            pass

    def missing(self, event: Event) -> str | None:
        """Why the large result of this event cannot be what was written, as far as a look tells."""
        if not isinstance(event, StepCompleted) or not is_blob_reference(event.result):
            return None
        try:
            path = self.path_of(event.result)
            found, wanted = os.lstat(path).st_size, size_of(event.result)
        except BlobDamaged as error:
            return f"the result of step {event.name} is lost: {error}"
        except OSError as error:
            return f"the result of step {event.name} is lost: {path}: {error.strerror}"
        if found != wanted:
            return f"the result of step {event.name} is lost: {path} has {found} bytes of {wanted}"
        return None

    def lost(self, event: Event) -> str | None:
        """Why the large result of this event is not what was written, having read all of it."""
        reason = self.missing(event)
        if reason is None and isinstance(event, StepCompleted) and is_blob_reference(event.result):
            try:
                self.check(event.result)
            except BlobDamaged as error:
                return f"the result of step {event.name} is lost: {error}"
        return reason

    def path_of(self, reference: Json) -> Path:
        """The file a reference names. BlobDamaged if it names none of this run's."""
        folder, _, name = str(_parsed(reference).get("$blob")).partition("/")
        if folder != self.folder.name or not is_file_name(name):
            raise BlobDamaged(f"{reference[:PREVIEW]} names no file of this run")
        return self.folder / name

    def _checked(self, reference: Json) -> Iterator[bytes]:
        """The file's bytes in pieces; BlobDamaged at their end, if they are not the right ones."""
        from hashlib import sha256

        path, digest = self.path_of(reference), sha256()
        try:
            with open(files.open_existing(path), "rb") as file:
                while data := file.read(_CHUNK):
                    digest.update(data)
                    yield data
        except OSError as error:
            raise BlobDamaged(f"{path}: {error.strerror}") from None
        except Forbidden as error:
            raise BlobDamaged(error.what) from None
        if digest.hexdigest() != path.name:
            raise BlobDamaged(f"{path} is not what was written: its sha256 is another")


def is_file_name(name: str) -> bool:
    """Can this be the name of a file of a large result?"""
    return len(name) == 64 and not name.strip("0123456789abcdef")


def is_blob_reference(result: Json) -> bool:
    """Does this stand for a result in a file of its own?"""
    return result.startswith(_MARK)


def belongs_in_a_file(result: Json) -> bool:
    """Is it too large for the journal, or would it be taken for a reference?"""
    return len(result) > LIMIT or result.startswith(_MARK)


def size_of(result: Json) -> int:
    """How many bytes of JSON a result has, wherever it stands."""
    return int(_parsed(result)["bytes"]) if is_blob_reference(result) else len(result)


def preview(result: Json) -> str:
    """The beginning of a result, as text."""
    return result[:PREVIEW] + (" ..." if len(result) > PREVIEW else "")


def _parsed(reference: Json) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(reference)
    return found
