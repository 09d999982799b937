"""One text for all inputs that are equal, however they were written.

Sets have no order, moments no time zone, and a Decimal no zeros at its end. A field that is as its
default is left out, for defaults are not read as what is given is: 0 stays an int in a float's
place. So is what a factory made for a field that was not given: it makes another one each time.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

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
        """The value in dicts and lists, equal for equal values."""
        if hasattr(value, "get_secret_value"):
            return self._where_it_is_from(value.get_secret_value())
        if isinstance(value, (set, frozenset)):
            return sorted(map(self.of, value), key=_sorted)
        if isinstance(value, (list, tuple, deque)):
            return [self.of(each) for each in value]
        if isinstance(value, dict):
            return {key_of(self.of(key)): self.of(item) for key, item in value.items()}
        if model_fields(value):
            return dict(self._fields(value))
        if isinstance(value, datetime) and value.tzinfo is not None:
            return jsonable(value - _EPOCH)
        if isinstance(value, Decimal) and value.is_finite():
            return str(value.normalize(_EXACT)) if value else "0"
        return jsonable(value)

    def _fields(self, value: Any) -> Iterator[tuple[str, Any]]:
        given = getattr(value, "__pydantic_fields_set__", None)
        for name, field in model_fields(value).items():
            item = getattr(value, name)
            is_given = given is None or name in given
            is_made = field.default_factory and not isinstance(field.default_factory, type)
            if (is_given or not is_made) and item != field.default:
                yield name, self.of(item)
        for name, item in (getattr(value, "__pydantic_extra__", None) or {}).items():
            yield f"+{name}", self.of(item)

    def _where_it_is_from(self, secret: object) -> str:
        text = secret.decode("utf-8", "replace") if isinstance(secret, bytes) else str(secret)
        return self._references.get(text, text if is_secret_reference(text) else "")
