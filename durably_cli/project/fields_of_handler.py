"""Handlers whose input is their keyword-only parameters: `def thumbs(step, *, folder: Path)`."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import Any

from durably_cli.errors import ValueRefused
from durably_cli.values import convert, declared


def model_of(handler: Callable[..., Any], job: str, names: Sequence[str]) -> type:
    """A class with these parameters as its fields, their types and defaults.

    TypeError if one has no type.
    """
    from dataclasses import make_dataclass  # only for handlers of this kind

    fields = list[tuple[str, Any, Any]]()
    found = inspect.signature(handler).parameters
    for name in names:
        kind = declared.annotation(handler, name)
        if kind is declared.UNDECLARED:
            raise TypeError(f"the handler of {job} does not say what {name} is: write {name}: str")
        fields.append((name, kind, _field(found[name].default)))
    made = make_dataclass(f"{handler.__name__}_input", fields, kw_only=True)
    made.__module__ = getattr(handler, "__module__", made.__module__)
    return made


def _field(default: Any) -> Any:
    from dataclasses import field

    if default is inspect.Parameter.empty:
        return field()
    try:
        hash(default)
    except TypeError:  # it may change: each input gets one of its own
        return field(default_factory=lambda: copy.deepcopy(default))
    return field(default=default)


def showing_defaults(schema: dict[str, Any], made: type) -> dict[str, Any]:
    """The JSON Schema of a class of `model_of`, with the defaults of which each input has a copy.

    pydantic leaves them out, for it does not know what a factory makes.
    """
    from dataclasses import MISSING, fields

    properties = dict(schema.get("properties", {}))
    for each in fields(made):
        if each.default_factory is MISSING or each.name not in properties:
            continue
        with suppress(ValueRefused):  # said when a run has it
            default = json.loads(convert.converter(each.type).dump(each.default_factory()))
            properties[each.name] = {**properties[each.name], "default": default}
    return {**schema, "properties": properties}


def with_fields(handler: Callable[..., Any], names: Sequence[str]) -> Callable[..., Any]:
    """The handler, called as all others are; by hand also as it is written."""

    @wraps(handler)
    def call(step: Any, payload: Any = None, **fields: Any) -> Any:
        if payload is not None:
            fields = {name: getattr(payload, name) for name in names}
        return handler(step, **fields)

    return call
