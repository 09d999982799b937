"""Large values: each in a file of its own beside the journal, which says so in the value's place.

    {"$blob":"0199….blobs/<sha256>","bytes":70000,"preview":"[{\\"id\\": …"}

The files of a run stand in `<run id>.blobs/`, belong to that run, and are named by the sha256
of their bytes. A file gets its name when it is on disk, and that before the line that names it. A
result that looks like such a reference is put into a file as well, so that no other is mistaken.
Where else references stand, the event says that they are some.

A large input stands in `<run id>.input-<sha256>`: it is there before its journal is, and so must
not look like something that the run has done; and whoever else makes the same run has another name.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durably_cli.errors import Forbidden
from durably_cli.system import files
from durably_cli.values.strict_json import FILE_MARK, Json, to_json

LIMIT = 64 * 1024
"""How many bytes of JSON a result may have to stand in the journal itself."""

PREVIEW = 200
"""How many of its characters stand in the journal."""

INPUT = ".input-"
"""What stands between the run's id and the sha256 in the name of a large input's file."""

_MARK = '{"$blob":'
_CHUNK = 1 << 20


class BlobDamaged(ValueError):
    """The file of a large result is missing, or is not what was written; the message says which."""


class Blobs:
    """The large values of the run whose journal this is."""

    def __init__(self, journal: Path) -> None:
        self.folder = journal.with_suffix(".blobs")
        self._journal = journal

    def put(self, result: Json, temporary_folder: Path) -> Json:
        """Write a result to its file, durably; the reference to it."""
        name = _sha256(result)
        files.make_folder(self.folder)
        _write(result, self.folder / name, temporary_folder)
        reference: dict[str, Any] = {"$blob": f"{self.folder.name}/{name}", "bytes": len(result)}
        if FILE_MARK in result:
            reference["files"] = True
        return Json(to_json({**reference, "preview": preview(result)}))

    def put_input(self, input: Json, temporary_folder: Path) -> Json:
        """Write the input of a run that is to be made, durably; the reference to it."""
        path = self._journal.with_suffix(INPUT + _sha256(input))
        _write(input, path, temporary_folder)
        reference = {"$blob": path.name, "bytes": len(input), "preview": preview(input)}
        return Json(to_json(reference))

    def share(self, reference: Json, origin: Blobs) -> Json:
        """Make a large value of another run one of this run's, too; the reference to it here.

        Its file is linked, which is durable once the folder is synced. BlobDamaged if it is gone.
        """
        origin.look(reference)
        there = origin.path_of(reference)
        files.make_folder(self.folder)
        files.link_or_copy(there, self.folder / there.name[-64:])
        found = _parsed(reference)
        return Json(to_json({**found, "$blob": f"{self.folder.name}/{there.name[-64:]}"}))

    def get(self, result: Json) -> Json:
        """The result behind a reference, checked; any other as it is. BlobDamaged if it is gone."""
        if not is_blob_reference(result):
            return result
        data = b"".join(self._checked(result))
        if not data.isascii() or re.search(rb"[\x00-\x1f]", data):
            raise BlobDamaged(f"{self.path_of(result)} is not JSON as durably writes it")
        return Json(data.decode("ascii"))

    def check(self, reference: Json) -> None:
        """BlobDamaged if what is behind a reference is missing or changed; in little memory."""
        for _ in self._checked(reference):
            pass

    def look(self, reference: Json) -> None:
        """BlobDamaged if what is behind a reference is missing or of another size."""
        path, wanted = self.path_of(reference), size_of(reference)
        try:
            found = os.lstat(path).st_size
        except OSError as error:
            raise BlobDamaged(f"{path}: {error.strerror}") from None
        if found != wanted:
            raise BlobDamaged(f"{path} has {found} bytes of {wanted}")

    def path_of(self, reference: Json) -> Path:
        """The file a reference names. BlobDamaged if it names none of this run's."""
        name = str(_parsed(reference).get("$blob"))
        digest = name[-64:]
        ours = f"{self.folder.name}/{digest}", f"{self._journal.stem}{INPUT}{digest}"
        if name not in ours or not is_file_name(digest):
            raise BlobDamaged(f"{reference[:PREVIEW]} names no file of this run")
        return self._journal.parent / name

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
        if digest.hexdigest() != path.name[-64:]:
            raise BlobDamaged(f"{path} is not what was written: its sha256 is another")


def _sha256(value: Json) -> str:
    from hashlib import sha256  # loads OpenSSL, which sizes do not need

    return sha256(value.encode("ascii")).hexdigest()


def _write(value: Json, path: Path, temporary_folder: Path) -> None:
    """Write a file, and give it its name when it is on disk; durably."""
    temporary = files.written(temporary_folder, path.name, value.encode("ascii"))
    os.rename(temporary, path)  # over the same value, or what became of it
    files.sync_folder(path.parent)


def is_file_name(name: str) -> bool:
    """Can this be the name of a file of a large result?"""
    return len(name) == 64 and not name.strip("0123456789abcdef")


def is_blob_reference(result: Json) -> bool:
    """Does this stand for a result in a file of its own?"""
    return result.startswith(_MARK)


def names_files(result: Json) -> bool:
    """May there be files of the user's named in what is behind a reference?"""
    return is_blob_reference(result) and '"files":true' in result


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
    found = json.loads(reference)
    if not isinstance(found, dict) or not isinstance(found.get("bytes"), int):
        raise BlobDamaged(f"{reference[:PREVIEW]} is no reference")
    return found
