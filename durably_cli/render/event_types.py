"""What `inspect --events` prints: a model of its lines for each class of events, of its fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model

from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.registry import TYPES, Event
from durably_cli.journal.step_names import StepName
from durably_cli.render.run_types import ErrorFields, Time
from durably_cli.values.strict_json import Json


def event_models() -> Iterator[type[BaseModel]]:
    """One a class, and one for events of a newer durably. What has a default may be left out."""
    for name, kind in TYPES.items():
        yield _model(kind.__name__, kind.__doc__, Literal[name], _fields_of(kind))
    others = {"type": "string", "not": {"enum": [*TYPES]}}
    other = Annotated[str, WithJsonSchema(others)]
    doc = "An event that this durably does not know."
    yield _model("OtherEvent", doc, other, {"at": (Time, ...)}, ConfigDict(extra="allow"))


def _fields_of(kind: type[Event]) -> dict[str, Any]:
    defaults = getattr(kind, "_field_defaults", {})
    hints = get_type_hints(kind)
    fields = {name: (_as_written(name, hints[name]), defaults.get(name, ...)) for name in hints}
    if StepName in get_type_hints(kind, include_extras=True).values():
        fields |= {"map": (_Parts, []), "scope": (_Parts, [])}  # of an item; of a step of a scope
    return fields


_Parts = list[str | list[str]]
"""Names from the outermost on, with the keys of items in lists of one."""


def _as_written(field: str, hint: Any) -> Any:
    """What stands in the line: a Json is the value itself, and an error an object."""
    if Json in (hint, *get_args(hint)):
        return Any
    if hint is ErrorInfo:
        return ErrorFields
    return Time if field == "at" else hint


def _model(
    name: str, doc: str | None, type_: Any, fields: dict[str, Any], config: ConfigDict | None = None
) -> type[BaseModel]:
    head: Any = {"seq": (int, ...), "type": (type_, ...)}
    members = head | fields | {"synced_to": (int, 0), "crc": (str, ...)}
    return create_model(name, __doc__=doc, __config__=config, **members)
