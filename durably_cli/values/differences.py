"""Where two values differ: what a value was, and what JSON made of it."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from datetime import datetime, time, timezone
from enum import Enum
from typing import Any

from durably_cli.values.quantities import with_article
from durably_cli.values.untrusted import raised_by_the_user, repr_of


def difference(
    value: Any, back: Any, path: str = "$", *, declared: bool = False
) -> tuple[str, str] | None:
    """The path of the first place where `back` is not an equal value of an equal type, and why.

    An int that comes back as an equal float is no difference: `-> float` may return 3. Nor is, of a
    `declared` type, a text or a number of a class of its own that comes back as a plain one: it is
    taken as the type. What a comparison of the user's own raises is raised.
    """
    kind = type(value)
    if isinstance(value, (datetime, time)):
        if lost := _lost_of(value, back):
            return path, lost
        if back is _WRITTEN:
            return None
    if declared and _is_taken_as(value, back):
        return None
    if kind is not type(back):
        if kind is int and type(back) is float and value == back:
            return None
        return path, _other_type(value, back)
    if kind in (str, int, bool, float, type(None)):
        if value == back:
            return None
        return path, f"{_short(value)} would come back as {_short(back)}"
    if kind is dict and (found := _other_keys(value, back, path)):
        return found
    for where, part, part_back in _parts(value, back):
        if found := difference(part, part_back, path + where, declared=declared):
            return found
    if not _equal(value, back):
        return path, f"{_short(value)} would come back as a different {kind.__qualname__}"
    return None


_WRITTEN = object()
"""Stands for what came back of a key, or of one of a set: nobody can say which that is."""


def _is_taken_as(value: Any, back: Any) -> bool:
    plain = type(back)
    if type(value) is plain or not isinstance(value, plain) or isinstance(value, (bool, Enum)):
        return False
    return plain in _SUBCLASSED and bool(plain.__dict__["__eq__"](back, value))


_SUBCLASSED = (str, int, float, bytes)
"""Types of which other libraries have classes of their own, such as numpy's `float64`."""


def _lost_of(value: datetime | time, back: object) -> str | None:
    """What of a moment would be lost: the same at every hour of the year."""
    if isinstance(back, (datetime, time)) and value.fold == back.fold and _same_zone(value, back):
        return None
    if value.tzinfo is not None and not _is_fixed(value.tzinfo):
        fix = "return its `.astimezone(timezone.utc)`, and the zone's name beside it if needed"
        return f"its time zone {_short(value.tzinfo)} would come back as a fixed offset: {fix}"
    if value.fold:
        return "its fold=1 would be lost: return a time in UTC, or one with a fixed offset"
    return None


def _same_zone(value: datetime | time, back: datetime | time) -> bool:
    zone, zone_back = value.tzinfo, back.tzinfo
    if type(zone) is not type(zone_back):  # pydantic's own equals all that have its offset
        return False
    key = getattr(zone, "key", None)
    return zone == zone_back or (key is not None and key == getattr(zone_back, "key", None))


def _is_fixed(zone: Any) -> bool:
    """Has the zone one offset for ever? (pydantic's own class of them is no `timezone`.)"""
    if isinstance(zone, timezone) or type(zone).__module__.startswith("pydantic_core"):
        return True
    return getattr(zone, "key", None) in _ALWAYS_UTC


_ALWAYS_UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")


def _parts(value: Any, back: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, (datetime, time)):
                yield " (a key)", key, _WRITTEN
            yield f"[{key!r}]", value[key], back[key]
    elif isinstance(value, (set, frozenset)):
        for part in value:  # which of them came back as which, nobody can say
            if isinstance(part, (datetime, time)):
                yield "[...]", part, _WRITTEN
    elif isinstance(value, (list, tuple, deque)):
        for index, (part, part_back) in enumerate(zip(value, back, strict=False)):
            yield f"[{index}]", part, part_back
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield f".{each.name}", getattr(value, each.name, None), getattr(back, each.name, None)
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield f".{name}", getattr(value, name, None), getattr(back, name, None)


def _other_keys(value: dict[Any, Any], back: dict[Any, Any], path: str) -> tuple[str, str] | None:
    for key in value:
        if type(key) is not str and str(key) in back and key not in back:
            return path, f"the key {key!r} would come back as {str(key)!r}; use text for keys"
    lost = [key for key in value if key not in back]
    if lost and back.keys() <= value.keys():
        return path, f"the declared type has no key {lost[0]!r}, which would be lost"
    kinds = {type(key) for key in value} ^ {type(key) for key in back}
    if kinds or value.keys() != back.keys():
        return path, "its keys would come back different; use text for keys"
    return None


def _other_type(value: Any, back: Any) -> str:
    was, becomes = type(value).__qualname__, type(back).__qualname__
    one, other = with_article(was), with_article(becomes)
    if isinstance(value, (tuple, set, frozenset)) and isinstance(back, list):
        fix = f"return a list, or declare the {was} as the return type"
    elif isinstance(value, type(back)):
        fix = f"what only {was} has would be lost; return {other}, or declare {was}"
    else:
        fix = f"return {other}, or declare the type"
    return f"{one} would come back as {other}: {fix}"


def _equal(value: Any, back: Any) -> bool:
    try:
        return bool(value == back)
    except Exception as error:
        if raised_by_the_user(error):
            raise
        return False  # as an array of numpy has no one answer


def _short(value: Any) -> str:
    return repr_of(value)[:80]
