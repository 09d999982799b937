"""Files as results of steps: `{"$file": "out.csv", "size": 123, "mtime": 17…, "sha256": "9f…"}`.

Which file it is stands in the JSON, so that whoever reads a journal knows it without the job's
types. `mtime` only saves the reading: a file of another time is the same if the same is in it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, final, get_args

from durably_cli.errors import ValueRefused
from durably_cli.values.looking import Seen, change_since, is_as_seen, look

Changed = Literal["again", "fail"]

_SHA256 = "[0-9a-f]{64}"


@final
class File:
    """A file that the result of a step vouches for: `return File("out.csv")`.

    It is looked at when the result is journalled, not when it is made. If it is gone or changed
    when the result is replayed, the step is executed again; with `changed="fail"` the run fails.
    """

    __slots__ = ("_changed", "_path", "_seen")

    def __init__(self, path: str | os.PathLike[str], *, changed: Changed = "again") -> None:
        if changed not in get_args(Changed):
            raise ValueError(f"changed is 'again' or 'fail', not {changed!r}")
        self._path, self._changed = Path(path), changed
        self._seen: Seen | None = None

    @property
    def path(self) -> Path:
        """Where it is, as it was given."""
        return self._path

    @property
    def changed(self) -> Changed:
        """What to do if it is gone or changed when the step is replayed."""
        return self._changed

    @property
    def size(self) -> int:
        """How many bytes it had when it was looked at, which is now if it never was."""
        return self._looked_at().size

    @property
    def mtime(self) -> int | None:
        """When it had last been written then, in nanoseconds; None if its JSON does not say."""
        return self._looked_at().mtime

    @property
    def sha256(self) -> str:
        """What was in it then."""
        return self._looked_at().sha256

    def is_unchanged(self) -> bool:
        """Is the same in it as when it was looked at? It is read only if its time is another."""
        return change_of(self) is None

    def _looked_at(self) -> Seen:
        if self._seen is None:
            self._seen = look(self._path)
        return self._seen

    def __fspath__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        changed = "" if self._changed == "again" else f", changed={self._changed!r}"
        return f"File({str(self._path)!r}{changed})"

    def __eq__(self, other: object) -> bool:
        """Is it the same path with the same in it? Of one that was looked at, the other is."""
        if not isinstance(other, File):
            return NotImplemented
        if (self._path, self._changed) != (other._path, other._changed):
            return False
        if self._seen is None and other._seen is None:
            return True
        try:
            return (self.size, self.sha256) == (other.size, other.sha256)
        except ValueRefused:  # one is not there, or is no file
            return False

    def __hash__(self) -> int:
        return hash((self._path, self._changed))  # reads nothing, and stays when it is looked at

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        written = core_schema.plain_serializer_function_ser_schema(_written, when_used="json")
        path = core_schema.no_info_after_validator_function(File, core_schema.str_schema())
        return core_schema.union_schema(  # where `str | File` is declared, a text is a str
            [core_schema.no_info_plain_validator_function(_read), path],
            custom_error_type="file",
            custom_error_message=_NO_FILE,
            serialization=written,
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        if handler.mode == "serialization":
            return _schema(("size", "mtime", "sha256"))
        path = {"type": "string", "format": "path"}
        return {"title": "File", "anyOf": [path, _schema(())]}


def change_of(file: File, folder: str = "") -> str | None:
    """What became of a file since it was looked at, in words; None if the same is in it.

    One that was never looked at is looked at. Its path leads on from the folder.
    """
    if file._seen is not None:
        return change_since(Path(folder) / file._path, file._seen)
    try:
        file._looked_at()
    except ValueRefused as refused:
        return refused.reason
    return None


def form_of(file: File) -> dict[str, Any]:
    """What stands for it in JSON, as it is now. ValueRefused if it is no file that can be read."""
    if file._seen is None or not is_as_seen(file._path, file._seen):
        file._seen = look(file._path)
    form = {"$file": str(file._path), **file._seen._asdict()}
    return form if file._changed == "again" else {**form, "changed": file._changed}


def traits_of(file: File) -> list[str | None]:
    """What tells it from others: where it is, and what was in it if it was looked at."""
    seen = file._seen
    return [str(file._path), file._changed, None if seen is None else seen.sha256]


def is_form(given: dict[str, Any]) -> bool:
    """Is this what stands in JSON for a file that was looked at?"""
    path, size, sha256 = map(given.get, ("$file", "size", "sha256"))
    if not isinstance(path, str) or type(size) is not int or not isinstance(sha256, str):
        return False
    is_known = given.get("changed", "again") in get_args(Changed)
    is_time = given.get("mtime") is None or type(given["mtime"]) is int
    return size >= 0 and re.fullmatch(_SHA256, sha256) is not None and is_known and is_time


def of_form(given: dict[str, Any]) -> File:
    """The file that such an object stands for."""
    file = File(given["$file"], changed=given.get("changed", "again"))
    file._seen = Seen(given["size"], given.get("mtime"), given["sha256"])
    return file


_refusals: ContextVar[list[ValueRefused] | None] = ContextVar("refusals", default=None)


def refusal_in(dump: Callable[[], object]) -> ValueRefused | None:
    """Why a File is refused in what `dump` writes; pydantic does not say it of one in a union."""
    found = list[ValueRefused]()
    token = _refusals.set(found)
    try:
        with suppress(Exception):
            dump()
    finally:
        _refusals.reset(token)
    return found[0] if found else None


def _written(value: object) -> dict[str, Any]:
    if not isinstance(value, File):
        from pydantic_core import PydanticSerializationUnexpectedValue

        raise PydanticSerializationUnexpectedValue(f"Expected `File`, got {type(value).__name__}")
    try:
        return form_of(value)
    except ValueRefused as refused:
        if (found := _refusals.get()) is not None:
            found.append(refused)
        raise


_NO_FILE = 'Input should be the path of a file, or an object such as {"$file": "out.csv"}'


def _read(given: Any) -> File:
    """A File of its JSON, or of a path, which is not looked at. ValueError of anything else."""
    if isinstance(given, File):
        return given
    if isinstance(given, os.PathLike):
        return File(given)
    if isinstance(given, dict):
        if is_form(given):
            return of_form(given)
        if given.keys() == {"$file"} and isinstance(given["$file"], str):
            return File(given["$file"])
    raise ValueError(_NO_FILE)


def _schema(required: tuple[str, ...]) -> dict[str, Any]:
    return {
        "title": "File",
        "type": "object",
        "properties": {
            "$file": {"type": "string", "format": "path"},
            "size": {"type": "integer", "minimum": 0},
            "mtime": {"type": "integer"},
            "sha256": {"type": "string", "pattern": f"^{_SHA256}$"},
            "changed": {"enum": list(get_args(Changed)), "default": "again"},
        },
        "required": ["$file", *required],
    }
