"""The fields of an input, as its JSON Schema tells them: what flags, tables and completion need.

Nothing is checked here. A flag's text becomes the JSON that it most likely stands for. The model
has the last word, so that all errors come in one list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from durably_cli.values import strict_json
from durably_cli.values.json_schemas import REFERENCE, readable
from durably_cli.values.strict_json import to_json

Definitions = Mapping[str, Any]

_FLAG = r"[A-Za-z][A-Za-z0-9_-]*"
_PATH_FORMAT = r"path|[a-z]+-path"
_ADDRESS = r"[A-Za-z][A-Za-z0-9+.-]*://.*"
_NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"


TAKEN = frozenset(
    (
        *("input", "param", "label", "idempotency-key", "no-wait", "concurrency-key"),
        *("on-conflict", "retry-failed", "detach", "detach-after", "timeout", "quiet"),
        *("suspend", "json", "help"),
    )
)
"""The words of trigger's own options. Fields of these names are given with -p."""


class Kind(StrEnum):
    """How a field is typed on a command line."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    LIST = "list"
    JSON = "json"
    PATH = "path"


class TypedAs(NamedTuple):
    """How a field is typed; what its items are, if it is a list; and see `Field`."""

    kind: Kind
    items: Kind = Kind.TEXT
    or_kinds: Sequence[str] = ()
    or_words: Sequence[str] = ()
    places: Sequence[TypedAs] = ()


class Field(NamedTuple):
    """One field: its name in the input, and what people see of it.

    `type` is a JSON Schema type in words, `default` and `example` are JSON; `items` is the kind of
    a list's items. Of a path, or of items that are, `or_kinds` and `or_words` are what it may be
    in its place. A tuple is a list whose `places` are each typed in a way of their own.
    """

    name: str
    kind: Kind
    type: str
    required: bool
    default: str | None = None
    description: str = ""
    example: str | None = None
    items: Kind = Kind.TEXT
    or_kinds: Sequence[str] = ()
    or_words: Sequence[str] = ()
    places: Sequence[TypedAs] = ()

    @property
    def about(self) -> str:
        """What it is for, and an example."""
        such = "" if self.example is None else f"such as {self.example}"
        return ", ".join(filter(None, (self.description, such)))

    def at(self, place: int) -> Field:
        """The field as its item in this place is typed, if it is a list."""
        if place >= len(self.places):
            return self
        typed = self.places[place]
        return self._replace(
            items=typed.kind, or_kinds=typed.or_kinds, or_words=typed.or_words, places=()
        )

    def whole(self, texts: Sequence[str]) -> Any:
        """The tuple that one text on the command line gives as JSON; None if it does not."""
        if len(self.places) < 2 or len(texts) != 1:
            return None
        value = _value_as(Kind.JSON, texts[0])
        return value if isinstance(value, list) else None

    @property
    def flag(self) -> str | None:
        """`--org-id` for org_id; None for a name that no flag can have, or trigger's own have."""
        word = self.name.replace("_", "-")
        if not re.fullmatch(_FLAG, word) or self.taken:
            return None
        return f"--{word}"

    @property
    def taken(self) -> str | None:
        """The option of trigger that has the field's name: it has no flag for that."""
        word = self.name.replace("_", "-")
        return next((f"--{each}" for each in (word, f"no-{word}") if each in TAKEN), None)

    @property
    def off_flag(self) -> str | None:
        """`--no-force`, for a switch."""
        return f"--no-{self.name.replace('_', '-')}" if self.kind is Kind.SWITCH else None

    def value_of(self, text: str) -> Any:
        """What a text on the command line most likely means; the text itself if nothing else."""
        kind = self.items if self.kind is Kind.LIST else self.kind
        for each in (kind, *self.or_kinds):
            value = _value_as(each, text)
            if value is not text:
                return value
        return text

    def is_path(self, text: str) -> bool:
        """Does a text on the command line name a file or a folder?"""
        if Kind.PATH not in (self.kind, self.items) or self.value_of(text) is not text:
            return False
        is_address = Kind.TEXT in self.or_kinds and re.fullmatch(_ADDRESS, text, re.DOTALL)
        return text not in self.or_words and not is_address


def _value_as(kind: str, text: str) -> Any:
    if kind == Kind.SWITCH and text in ("true", "false"):
        return text == "true"
    is_other = kind == Kind.LIST and text.startswith("[")
    if is_other or kind == Kind.JSON or (kind == Kind.NUMBER and re.fullmatch(_NUMBER, text)):
        try:
            return strict_json.parse(text)
        except (ValueError, RecursionError):
            return text
    return text


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """The fields of an object's JSON Schema; none of a schema of anything else."""
    schema = readable(schema)
    top, definitions = _resolved(schema, schema.get("$defs", {}))
    properties = top.get("properties", {})
    required = top.get("required", [])
    return [_field(name, one, name in required, definitions) for name, one in properties.items()]


def type_name(schema: Mapping[str, Any]) -> str:
    """A schema's type in words: `string`, `integer or null`, `list of string`, `red | green`."""
    schema = readable(schema)
    return _words_of(schema, schema.get("$defs", {}))


def sample(schema: Mapping[str, Any]) -> str | None:
    """A JSON text of what has no fields to name: `"text"`, `1`; None of an object with fields."""
    schema = readable(schema)
    top, definitions = _resolved(schema, schema.get("$defs", {}))
    if "properties" in top:
        return None
    words, options = _words(top), _options(top)
    if words:
        return to_json(words[0])
    if options:
        return sample({**options[0], "$defs": definitions})
    if top.get("format") == "password":
        return '"env:NAME"'
    kind = top.get("type")  # of an odd schema it is anything
    return _SAMPLES.get(kind if isinstance(kind, str) else "object", "{}")


_SAMPLES = {
    "string": '"text"',
    "integer": "1",
    "number": "1",
    "boolean": "true",
    "array": "[]",
    "null": "null",
}


def _words_of(schema: Mapping[str, Any], definitions: Definitions) -> str:
    schema, definitions = _resolved(schema, definitions)
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    options = _options(schema)
    if options:
        return " or ".join(dict.fromkeys(_words_of(one, definitions) for one in options))
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {', '.join(_words_of(each, definitions) for each in items)}"
    if kind == "object":
        return str(schema.get("title", kind)) if "properties" in schema else kind
    if schema.get("format") == "password":
        return "env:NAME|file:PATH"
    if kind == "string" and schema.get("format"):
        return str(schema["format"])
    return kind if isinstance(kind, str) else "any JSON"


def _field(name: str, schema: dict[str, Any], required: bool, definitions: Definitions) -> Field:
    typed = _typed(schema, definitions)
    examples = schema.get("examples")
    return Field(
        name=name,
        kind=typed.kind,
        type=_words_of(schema, definitions),
        required=required,
        default=to_json(schema["default"]) if "default" in schema else None,
        description=" ".join(schema.get("description", "").split()),
        example=to_json(examples[0]) if examples else None,
        items=typed.items,
        or_kinds=typed.or_kinds,
        or_words=typed.or_words,
        places=typed.places,
    )


def _typed(schema: Mapping[str, Any], definitions: Definitions) -> TypedAs:
    schema, definitions = _resolved(schema, definitions)
    options = _options(schema)
    if options:
        return _one_of([(one, _typed(one, definitions)) for one in map(dict, options)])
    kind = schema.get("type")
    if kind == "array":
        inner = _typed(schema.get("items", {}), definitions)
        places = tuple(_typed(each, definitions) for each in schema.get("prefixItems", ()))
        return TypedAs(Kind.LIST, inner.kind, inner.or_kinds, inner.or_words, places)
    if kind == "boolean":
        return TypedAs(Kind.SWITCH)
    if kind in ("integer", "number"):
        return TypedAs(Kind.NUMBER)
    if kind == "string" and re.fullmatch(_PATH_FORMAT, schema.get("format", "")):
        return TypedAs(Kind.PATH)
    words = _words(schema)
    if kind == "string" or (words and all(isinstance(one, str) for one in words)):
        return TypedAs(Kind.TEXT, or_words=tuple(one for one in words if isinstance(one, str)))
    return TypedAs(Kind.JSON)


def _one_of(options: list[tuple[dict[str, Any], TypedAs]]) -> TypedAs:
    """A union: a path if it may be one, for a text is that then, else a text if it may be one."""
    typed = [each for one, each in options if one.get("type") != "null"] or [TypedAs(Kind.JSON)]
    kinds = tuple(dict.fromkeys(each.kind for each in typed))
    if Kind.PATH in kinds and typed[0].kind is not Kind.LIST:
        others = tuple(one for one in kinds if one is not Kind.PATH)
        words = tuple(word for each in typed for word in each.or_words)
        return TypedAs(Kind.PATH, or_kinds=others, or_words=words)
    return next((each for each in typed if each.kind is Kind.TEXT), typed[0])


def _words(schema: Mapping[str, Any]) -> list[Any]:
    return schema.get("enum") or ([schema["const"]] if "const" in schema else [])


def _options(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _resolved(
    schema: Mapping[str, Any], definitions: Definitions
) -> tuple[Mapping[str, Any], Definitions]:
    """The schema behind a reference, and the definitions that may still be met inside of it.

    A type that holds itself is met once: inside of it, it is any JSON.
    """
    while schema.get("$ref", "").startswith(REFERENCE):
        name = schema["$ref"].removeprefix(REFERENCE)
        schema = definitions.get(name, {})
        definitions = {key: value for key, value in definitions.items() if key != name}
    return schema, definitions
