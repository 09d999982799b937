"""Values that JSON has no text for, each written as an object of one name that says what it is.

Bytes that are no UTF-8 are `{"$base64": "/w=="}`. A moment with a zone of `zoneinfo`, or with
`fold=1`, is `{"$datetime": "2026-10-25T02:30:00+01:00[Europe/Berlin][_fold=1]"}`, as RFC 9557 has
it; a `time` is `{"$time": ...}`. They are written only where the plain form would not come back,
and read only where the type does not read the JSON as it is, so every journal of before means what
it did. An older durably refuses to replay such a result, which does not fit the type.

A `File` (`values/file.py`) is read by its type. Its object counts as a mark, so that it is written
where an old pydantic does not, as in a NamedTuple.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, time, timezone
from typing import TYPE_CHECKING, Any

from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_MARKED = r"([^\[\]]+)(?:\[([^\[\]_][^\[\]]*)\])?(?:\[_fold=(1)\])?"
_MARK = r'\{"\$(base64|datetime|time|file)":'


def marked(value: Any) -> Any:
    """What stands in JSON for a value that has no text of its own; None if it is no such value."""
    kind = type(value)
    if kind is bytes:
        return None if _is_utf8(value) else {"$base64": _base64(value)}
    if kind not in (datetime, time) or not (value.fold or has_zone(value)):
        return None
    if value.tzinfo is not None and not (has_zone(value) or type(value.tzinfo) is timezone):
        return None
    zone = f"[{value.tzinfo.key}]" if has_zone(value) else ""
    fold = "[_fold=1]" if value.fold else ""
    return {f"${kind.__name__}": f"{value.isoformat()}{zone}{fold}"}


def has_zone(value: datetime | time) -> bool:
    """Has it a zone that its name gives again?"""
    if value.tzinfo is None:
        return False
    from zoneinfo import ZoneInfo  # few values have one

    return type(value.tzinfo) is ZoneInfo and isinstance(value.tzinfo.key, str)


def has_marks(text: Json) -> bool:
    """May there be such objects in a JSON text?"""
    return '{"$' in text and re.search(_MARK, text) is not None


def unmarked(text: Json) -> Any:
    """The JSON text with the values that such objects stand for in their places.

    ValueError if one stands for none, such as a zone that this machine does not know.
    """
    return json.loads(text, object_hook=_value_of)


def _value_of(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((name, text),) = found.items()
        if name in _READ and isinstance(text, str):
            return _READ[name](text)
    return found


def _moment(text: str) -> datetime:
    plain, zone, fold = _parts(text)
    moment = datetime.fromisoformat(plain).replace(fold=fold)
    if zone is None:
        return moment
    there = moment.replace(tzinfo=zone)
    if moment.utcoffset() == there.utcoffset():
        return there
    try:
        return moment.astimezone(zone)  # whose rules have changed since
    except OverflowError as error:
        raise ValueError(f"there is no year for {text!r} in its time zone") from error


def _time(text: str) -> time:
    plain, zone, fold = _parts(text)
    at = time.fromisoformat(plain).replace(fold=fold)
    return at if zone is None else at.replace(tzinfo=zone)


def _parts(text: str) -> tuple[str, ZoneInfo | None, int]:
    found = re.fullmatch(_MARKED, text)
    if found is None:
        raise ValueError(f"{text!r} is no time")
    from zoneinfo import ZoneInfo  # few values have one

    try:
        return found[1], found[2] and ZoneInfo(found[2]), int(found[3] or 0)  # type: ignore[return-value]
    except LookupError as error:
        raise ValueError(f"the time zone {found[2]!r} is not known here") from error


def _base64(value: bytes) -> str:
    from base64 import b64encode  # few values need it

    return b64encode(value).decode("ascii")


def _of_base64(text: str) -> bytes:
    from base64 import b64decode

    return b64decode(text, validate=True)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


_READ: dict[str, Callable[[str], Any]] = {
    "$base64": _of_base64,
    "$datetime": _moment,
    "$time": _time,
}
