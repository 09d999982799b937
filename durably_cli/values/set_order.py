"""The items of a set, sorted where they stand in JSON: so that equal sets have equal texts.

Python gives those of texts in another order in each process.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from durably_cli.values.own_output import in_order, model_fields

_OF_THE_USER = frozenset(("metadata", "default"))
"""The keys of a core schema under which anything may stand, also what holds itself."""


def has_sets(schema: Any) -> bool:
    """Does a type of this core schema, which pydantic has made of it, hold sets?"""
    if isinstance(schema, dict):
        is_set = schema.get("type") in ("set", "frozenset")
        return is_set or any(has_sets(schema[key]) for key in schema if key not in _OF_THE_USER)
    return isinstance(schema, (list, tuple)) and any(map(has_sets, schema))


def with_sorted_sets(value: Any, plain: Any) -> Any:
    """What pydantic has made of the value, with the items of its sets sorted.

    What a serializer of the user's has made of a part, in another shape, is left as it is.
    """
    if isinstance(plain, list) and isinstance(value, (list, tuple, deque, set, frozenset)):
        if len(plain) == len(value):
            items = [with_sorted_sets(*each) for each in zip(value, plain, strict=True)]
            return in_order(items) if isinstance(value, (set, frozenset)) else items
    elif isinstance(plain, dict) and isinstance(value, dict):
        if len(plain) == len(value):
            parts = zip(value.values(), plain.items(), strict=True)
            return {name: with_sorted_sets(part, item) for part, (name, item) in parts}
    elif getattr(type(value), "__pydantic_root_model__", False):
        return with_sorted_sets(value.root, plain)
    elif isinstance(plain, dict):
        for field, info in model_fields(value).items():
            name = getattr(info, "serialization_alias", None) or field
            if name in plain:
                plain[name] = with_sorted_sets(getattr(value, field), plain[name])
    return plain
