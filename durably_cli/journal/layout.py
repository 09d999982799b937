"""How the events of each class stand in lines, made of what the classes declare."""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple, get_type_hints

from durably_cli.journal import step_names
from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.registry import TYPES, Event
from durably_cli.journal.step_names import StepName
from durably_cli.values.strict_json import Json, to_json


class FieldKind(NamedTuple):
    """What a field may be in the line, and how it is written; TypeError for what it may not be."""

    types: tuple[type, ...]
    write: Callable[[Any], str]


_KINDS = {
    bool: FieldKind((bool,), to_json),
    int: FieldKind((int,), int.__repr__),
    str: FieldKind((str,), encode_basestring_ascii),
    StepName: FieldKind((str,), step_names.line_of_name),
    str | None: FieldKind((str, type(None)), encode_basestring_ascii),
    float: FieldKind((int, float), to_json),
    float | None: FieldKind((int, float, type(None)), to_json),
    list[str]: FieldKind((list,), to_json),
    dict[str, str]: FieldKind((dict,), to_json),
    dict[str, Any]: FieldKind((dict,), to_json),
    ErrorInfo: FieldKind((dict,), lambda error: to_json(error._asdict())),
    Json: FieldKind((object,), lambda text: text),
}
"""How a field of a declared type is written and read."""

MISSING = object()
"""The default of a field that has none."""


class EventField(NamedTuple):
    """A field of an event: its name, its declared type, and what follows from that."""

    name: str
    declared: Any
    kind: FieldKind
    default: Any


class Layout(NamedTuple):
    """How the events of a class stand in lines.

    `type` is the name, `head` the text up to its first field; `fields` are all in the order of the
    line, `writers` each one's place in the event, head, writer and default, but for `at`.
    """

    type: str
    head: str
    fields: list[EventField]
    writers: list[tuple[int, str, Callable[[Any], str], Any]]
    at: int


class _Layouts(dict[type[Event], Layout]):
    """The layouts of the classes that have come up, made of what they declare."""

    def __missing__(self, cls: type[Any]) -> Layout:
        hints = get_type_hints(cls, include_extras=True)
        fields = [
            EventField(
                name, hints[name], _KINDS[hints[name]], cls._field_defaults.get(name, MISSING)
            )
            for name in cls._fields
        ]
        writers = [
            (place, f',"{field.name}":', field.kind.write, field.default)
            for place, field in enumerate(fields)
            if field.name != "at"
        ]
        name = next(name for name, known in TYPES.items() if known is cls)
        layout = Layout(name, f',"type":"{name}"', fields, writers, cls._fields.index("at"))
        self[cls] = layout
        return layout


LAYOUTS = _Layouts()
