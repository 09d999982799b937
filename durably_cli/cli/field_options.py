"""Options of the command line that stand for the fields of a job's input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperOption

from durably_cli.fields import Field, Kind
from durably_cli.render.text import visible


def options_of(fields: Iterable[Field], given: dict[str, Any]) -> list[FieldOption]:
    """An option for every field that can have a flag."""
    return [
        FieldOption(number, field, field.flag, given)
        for number, field in enumerate(fields)
        if field.flag
    ]


def help_without_flag(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """How the other fields are given, and what they are."""
    return [
        (visible(f"-p {field.name}=") + _placeholder(field), _told(field))
        for field in fields
        if not field.flag
    ]


class FieldOption(TyperOption):
    """The flag of one field; what it is given is put into `given`, by the field's name."""

    def __init__(self, number: int, field: Field, flag: str, given: dict[str, Any]) -> None:
        is_switch = field.kind is Kind.SWITCH
        super().__init__(
            param_decls=[f"field_{number}", f"{flag}/{field.off_flag}" if is_switch else flag],
            is_flag=is_switch or None,
            multiple=field.kind is Kind.LIST,
            metavar=None if is_switch else _placeholder(field),
            help=_told(field),
            expose_value=False,
            callback=self._keep,
        )
        self.field, self.given = field, given

    def _keep(self, context: typer.Context, parameter: object, value: Any) -> None:
        if value is None or value == () or value == []:
            return
        kept = [self.field.value_of(each) for each in value] if self.multiple else value
        if isinstance(kept, str):
            kept = self.field.value_of(kept)
        self.given[self.field.name] = kept


def _placeholder(field: Field) -> str:
    """What stands for the value in a usage: INTEGER, or red|green."""
    word = field.type.removeprefix("list of ").removesuffix(" or null")
    return visible(word.replace(" | ", "|") if "|" in word else word.upper())


def _told(field: Field) -> str:
    """A field in a line: what it is for, and what it is if it is left out."""
    left_out = "required" if field.required else f"default: {field.default}"
    known = field.required or field.default is not None
    told = "  ".join(filter(None, (field.description, f"[{left_out}]" if known else "")))
    return visible(told)
