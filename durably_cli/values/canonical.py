"""One text for all inputs that are equal, however they were written.

Sets have no order, moments no time zone, and a Decimal no zeros at its end. What is no plain JSON
has its type beside it: of a union, the member that was taken. A field that is not given is as its
default, which nobody has read: 0 stays an int in a float's place, and a float that equals it is as
it. What a factory made for such a field is left out: it makes another one each time.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from enum import Enum
from typing import Any

from durably_cli.values.annotations import type_hints_of, written_in
from durably_cli.values.file import File, traits_of
from durably_cli.values.own_output import jsonable, key_of, model_fields
from durably_cli.values.secret_sources import is_secret_reference
from durably_cli.values.strict_json import Json

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def canonical(value: Any, references: Mapping[str, str]) -> Json:
    """The text of a value that a model has read; of its secrets, where `references` say they are.

    ValueError, TypeError or RecursionError if it has none.
    """
    return _sorted(_Canonical(references).of(value))


def _sorted(plain: Any) -> Json:
    return Json(json.dumps(plain, sort_keys=True))


class _Canonical:
    def __init__(self, references: Mapping[str, str]) -> None:
        self._references = references

    def of(self, value: Any) -> Any:
        """The value in dicts and lists, equal for equal values.

        A list begins with the type of what it stands for, which is none for lists and sets.
        """
        if hasattr(value, "get_secret_value"):
            return [type(value).__name__, self._where_it_is_from(value)]
        if isinstance(value, (set, frozenset)):
            return ["", *sorted(map(self.of, value), key=_sorted)]
        if isinstance(value, (list, tuple, deque)):
            return ["", *map(self.of, value)]
        if isinstance(value, dict):
            return {key_of(self.of(key)): self.of(item) for key, item in value.items()}
        kind = type(value)
        if model_fields(value):
            return [kind.__qualname__, dict(self._fields(value))]
        if isinstance(value, Enum) or not isinstance(value, (str, int, float, type(None))):
            return [kind.__name__, _text_of(value)]
        return jsonable(value)

    def _fields(self, value: Any) -> Iterator[tuple[str, Any]]:
        given = getattr(value, "__pydantic_fields_set__", None)
        for name, field in model_fields(value).items():
            item = getattr(value, name)
            is_given = given is None or name in given
            is_made = field.default_factory and not isinstance(field.default_factory, type)
            if is_given or not is_made:
                yield name, self._field(type(value), name, field.default, item)
        for name, item in (getattr(value, "__pydantic_extra__", None) or {}).items():
            yield f"+{name}", self.of(item)

    def _field(self, kind: type, name: str, default: Any, item: Any) -> Any:
        if hasattr(default, "get_secret_value") and item == default:
            secret = _secret(default)
            return [type(default).__name__, secret if is_secret_reference(secret) else None]
        is_as_default = type(item) is not type(default) and (
            _is_of_another_type(kind, name, default)
            and (item == default or _same_text(item, default))
        )
        return self.of(default if is_as_default else item)

    def _where_it_is_from(self, value: Any) -> str:
        """ValueError if nobody knows, such as of one that a validator has changed."""
        secret = _secret(value)
        if secret not in self._references and not is_secret_reference(secret):
            raise ValueError("it is not known where a secret comes from")
        return self._references.get(secret, secret)


def _text_of(value: Any) -> Any:
    """What has no parts, and is no plain JSON."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, File):
        return traits_of(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return jsonable(value - _EPOCH)
    if isinstance(value, Decimal) and value.is_finite():
        return str(value.normalize(_EXACT)) if value else "0"
    return jsonable(value)


def _is_of_another_type(kind: type, name: str, default: Any) -> bool:
    """Is the default of a field of another type than those which the field declares?"""
    if not isinstance(default, (str, int, float)):
        return False
    fields = getattr(kind, "__pydantic_fields__", None)
    declared = fields[name].annotation if fields else type_hints_of(kind).get(name, Any)
    return not {type(default), Any, object}.intersection(
        part for part in written_in(declared) if isinstance(part, type) or part is Any
    )


def _same_text(item: Any, default: Any) -> bool:
    return bool(jsonable(item) == default)


def _secret(value: Any) -> str:
    secret = value.get_secret_value()
    return secret.decode("utf-8", "replace") if isinstance(secret, bytes) else str(secret)
