"""The fields of an input, as its JSON Schema tells them: what flags, tables and completion need.

Nothing is checked here. A flag's text becomes the JSON that it most likely stands for. The model
has the last word, so that all errors come in one list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from durably_cli.values import strict_json
from durably_cli.values.strict_json import to_json

Definitions = Mapping[str, Any]

_REFERENCE = "#/$defs/"
_FLAG = r"[A-Za-z][A-Za-z0-9_-]*"
_PATH_FORMAT = r"path|[a-z]+-path"
_NUMBER = r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?"


TAKEN = frozenset(
    (
        *("input", "param", "label", "idempotency-key", "no-wait", "concurrency-key"),
        *("on-conflict", "quiet", "json", "help"),
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


class Field(NamedTuple):
    """One field: its name in the input, and what people see of it.

    `type` is a JSON Schema type in words, `default` and `example` are JSON; `items` is the kind of
    a list's items.
    """

    name: str
    kind: Kind
    type: str
    required: bool
    default: str | None = None
    description: str = ""
    example: str | None = None
    items: Kind = Kind.TEXT

    @property
    def flag(self) -> str | None:
        """`--org-id` for org_id; None for a name that no flag can have, or trigger's own have."""
        word = self.name.replace("_", "-")
        if not re.fullmatch(_FLAG, word) or TAKEN & {word, f"no-{word}"}:
            return None
        return f"--{word}"

    @property
    def off_flag(self) -> str | None:
        """`--no-force`, for a switch."""
        return f"--no-{self.name.replace('_', '-')}" if self.kind is Kind.SWITCH else None

    def value_of(self, text: str) -> Any:
        """What a text on the command line most likely means; the text itself if nothing else."""
        kind = self.items if self.kind is Kind.LIST else self.kind
        if kind is Kind.SWITCH and text in ("true", "false"):
            return text == "true"
        if kind is Kind.JSON or (kind is Kind.NUMBER and re.fullmatch(_NUMBER, text)):
            try:
                return strict_json.parse(text)
            except (ValueError, RecursionError):
                return text
        return text


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    """The fields of an object's JSON Schema; none of a schema of anything else."""
    top, definitions = _resolved(schema, schema.get("$defs", {}))
    properties = top.get("properties")
    if not isinstance(properties, dict):
        return []
    required = top.get("required", [])
    return [_field(name, one, name in required, definitions) for name, one in properties.items()]


def type_name(schema: Mapping[str, Any], definitions: Definitions | None = None) -> str:
    """A schema's type in words: `string`, `integer or null`, `list of string`, `red | green`."""
    if definitions is None:
        definitions = schema.get("$defs", {})
    schema, definitions = _resolved(schema, definitions)
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    options = _options(schema)
    if options:
        return " or ".join(dict.fromkeys(type_name(one, definitions) for one in options))
    kind = schema.get("type")
    if kind == "array":
        return f"list of {type_name(_items(schema), definitions)}"
    if kind == "object":
        return str(schema.get("title", kind)) if "properties" in schema else kind
    if schema.get("format") == "password":
        return "env:NAME|file:PATH"
    if kind == "string" and "format" in schema:
        return str(schema["format"])
    return kind if isinstance(kind, str) else "any JSON"


def well_formed(schema: object) -> dict[str, Any]:
    """The schema without what no schema can have: hooks of a model may give any JSON."""
    found: dict[str, Any] = {}
    for word, value in schema.items() if isinstance(schema, dict) else ():
        if word in ("properties", "$defs"):
            if isinstance(value, dict):
                found[word] = {name: well_formed(one) for name, one in value.items()}
        elif word in ("anyOf", "oneOf", "allOf", "prefixItems"):
            if isinstance(value, list):
                found[word] = [well_formed(one) for one in value]
        elif word in ("items", "additionalProperties") and not isinstance(value, bool):
            found[word] = well_formed(value)
        elif isinstance(value, _SHAPES.get(word, object)):
            found[word] = value
    return found


_SHAPES: dict[str, type] = {"required": list, "enum": list, "examples": list, "$ref": str}


def _field(name: str, schema: dict[str, Any], required: bool, definitions: Definitions) -> Field:
    kind, items = _kinds(schema, definitions)
    examples = schema.get("examples")
    return Field(
        name=name,
        kind=kind,
        type=type_name(schema, definitions),
        required=required,
        default=to_json(schema["default"]) if "default" in schema else None,
        description=" ".join(str(schema.get("description", "")).split()),
        example=to_json(examples[0]) if isinstance(examples, list) and examples else None,
        items=items,
    )


def _kinds(schema: Mapping[str, Any], definitions: Definitions) -> tuple[Kind, Kind]:
    """How a field is typed; and its items, if it is a list."""
    schema, definitions = _resolved(schema, definitions)
    options = [_kinds(one, definitions) for one in _options(schema) if one.get("type") != "null"]
    if options:
        if all(each[0] is Kind.PATH for each in options):
            return Kind.PATH, Kind.TEXT
        return next((each for each in options if each[0] is Kind.TEXT), options[0])
    kind = schema.get("type")
    if kind == "array":
        return Kind.LIST, _kinds(_items(schema), definitions)[0]
    if kind == "boolean":
        return Kind.SWITCH, Kind.TEXT
    if kind in ("integer", "number"):
        return Kind.NUMBER, Kind.TEXT
    if kind == "string" and re.fullmatch(_PATH_FORMAT, str(schema.get("format"))):
        return Kind.PATH, Kind.TEXT
    if kind == "string" or all(isinstance(one, str) for one in schema.get("enum", [None])):
        return Kind.TEXT, Kind.TEXT
    return Kind.JSON, Kind.TEXT


def _items(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = schema.get("items")
    return found if isinstance(found, dict) else {}


def _options(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    return schema.get("anyOf") or schema.get("oneOf") or []


def _resolved(
    schema: Mapping[str, Any], definitions: Definitions
) -> tuple[Mapping[str, Any], Definitions]:
    """The schema behind a reference, and the definitions that may still be met inside of it.

    A type that holds itself is met once: inside of it, it is any JSON.
    """
    while str(schema.get("$ref", "")).startswith(_REFERENCE):
        name = schema["$ref"].removeprefix(_REFERENCE)
        schema = definitions.get(name, {})
        definitions = {key: value for key, value in definitions.items() if key != name}
    return schema, definitions
