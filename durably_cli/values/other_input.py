"""In which fields two inputs differ, in words."""

from __future__ import annotations

import json
from typing import Any

from durably_cli.values.strict_json import Json, to_json

_FIELDS, _CHARACTERS = 5, 60
"""How many fields are named, and up to how many characters a value is shown."""


def differing_fields(before: Json, now: Json, form_before: Json, form_now: Json) -> str:
    """`n was 3 and is 4 now`, field by field; nothing of inputs that have no fields.

    The canonical forms say which they are, and the inputs what there was. A field of one form only
    is one that a factory may have made: it is named if there is no other.
    """
    was, given = _fields(form_before), _fields(form_now)
    names = [name for name in was if name in given and was[name] != given[name]]
    names = names or sorted(was.keys() ^ given.keys())
    values = _fields(before), _fields(now)
    more = len(names) - _FIELDS
    said = [_difference(name, *values) for name in names[:_FIELDS]]
    return ", ".join(said) + (f", and {more} more" if more > 0 else "")


def _fields(text: Json) -> dict[str, Any]:
    found = json.loads(text or "null")
    if isinstance(found, list) and len(found) == 2:  # a model, which has its name beside it
        found = found[1]
    return found if isinstance(found, dict) else {}


def _difference(name: str, *values: dict[str, Any]) -> str:
    shown = [to_json(each[name]) if name in each else "" for each in values]
    if shown[0] == shown[1] or max(map(len, shown)) > _CHARACTERS:
        return f"{name} is another"
    was, now = (each or "not given" for each in shown)
    return f"{name} was {was} and is {now} now"
