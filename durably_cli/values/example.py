"""A value of a JSON Schema as it can be typed: what is required, with samples in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durably_cli.values.schema import Field, Kind, fields_of, sample, type_name

_SAMPLES = {Kind.NUMBER: "1", Kind.SWITCH: "true", Kind.JSON: "{}"}


def sample_of(field: Field) -> str:
    """What stands for the value of a field where a person is to put one."""
    if field.example is not None:
        return field.example.strip('"')
    kind = field.items if field.kind is Kind.LIST else field.kind
    return _SAMPLES.get(kind, field.name.upper())


def words_of(schema: Mapping[str, Any]) -> list[str]:
    """The options of a command that takes such a value: `-p region=REGION`, or `-i 1`."""
    text = sample(schema)
    if text is not None:
        return ["-i", text]
    required = [field for field in fields_of(schema) if field.required]
    words = [word for field in required for word in ("-p", _given(field))]
    return words or ["-i", "{}"]


def type_said(schema: Mapping[str, Any]) -> str:
    """The type of it for a person: `integer`, or `Region, of region: string, size: integer = 3`."""
    fields = fields_of(schema)
    if not fields:
        return type_name(schema)
    said = [
        f"{field.name}: {field.type}{'' if field.required else f' = {field.default}'}"
        for field in fields
    ]
    return f"{type_name(schema)}, of {', '.join(said)}"


def _given(field: Field) -> str:
    if field.kind in (Kind.TEXT, Kind.PATH):
        word = field.or_words[0] if field.or_words else sample_of(field)
        return f"{field.name}={word}"
    value = "[]" if field.kind is Kind.LIST else _SAMPLES[field.kind]
    return f"{field.name}:={field.example or value}"
