"""Options of the command line that stand for the fields of a job's input."""

from __future__ import annotations

from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperOption

from durably_cli.cli.arguments import argument_text
from durably_cli.engines.working_folder import from_project
from durably_cli.values.schema import Field, Kind
from durably_cli.values.visible import visible


def options_of(
    fields: Iterable[Field], project: Path, given: dict[str, Any], as_typed: dict[str, Any]
) -> list[FieldOption]:
    """An option for every field that can have a flag.

    What a flag is given is put into `given`, by the field's name; paths are put into `as_typed`
    too, before they are made to read in the project's folder. A switch that another field's flag
    would turn off has no flag for that: it is `-p NAME:=false`.
    """
    fields = list(fields)
    taken = {field.flag for field in fields}
    return [
        FieldOption(
            number, field, _flags(field.flag, field.off_flag, taken), project, given, as_typed
        )
        for number, field in enumerate(fields)
        if field.flag
    ]


def _flags(flag: str, off: str | None, taken: Container[str | None]) -> str:
    return flag if off is None or off in taken else f"{flag}/{off}"


def help_without_flag(fields: Iterable[Field]) -> list[tuple[str, str]]:
    """How the other fields are given, and what they are."""
    return [
        (visible(f"-p {field.name}=") + _placeholder(field), _help_of(field))
        for field in fields
        if not field.flag
    ]


class FieldOption(TyperOption):
    """The flag of one field."""

    def __init__(
        self,
        number: int,
        field: Field,
        flags: str,
        project: Path,
        given: dict[str, Any],
        as_typed: dict[str, Any],
    ) -> None:
        is_switch = field.kind is Kind.SWITCH
        super().__init__(
            param_decls=[f"field_{number}", flags],
            is_flag=is_switch or None,
            multiple=field.kind is Kind.LIST,
            metavar=None if is_switch else _placeholder(field),
            help=_help_of(field),
            expose_value=False,
            callback=self._keep,
        )
        self._field, self._project = field, project
        self._given, self._as_typed = given, as_typed

    def _keep(self, context: typer.Context, parameter: object, value: Any) -> None:
        if value is None or value == () or value == []:
            return
        field, name = self._field, self._field.name
        texts = value if isinstance(value, (list, tuple)) else [value]
        if Kind.PATH in (field.kind, field.items):
            self._as_typed[name] = value
        elif field.places:  # durably 0.1 knew no types of theirs
            self._as_typed[name] = [field.value_of(each) for each in texts]
        if texts is value:
            whole = field.whole(texts)
            items = [self._value_of(each, field.at(place)) for place, each in enumerate(texts)]
            self._given[name] = items if whole is None else whole
        else:
            self._given[name] = self._value_of(value, field) if isinstance(value, str) else value

    def _value_of(self, text: str, field: Field) -> Any:
        if field.is_path(text):
            return argument_text(from_project(text, self._project))
        return field.value_of(argument_text(text))


def _placeholder(field: Field) -> str:
    """What stands for the value in a usage: INTEGER, or red|green."""
    word = field.type.removeprefix("list of ").removesuffix(" or null")
    return visible(word.replace(" | ", "|") if "|" in word else word.upper())


def _help_of(field: Field) -> str:
    """A field in a line: what it is for, and what it is if it is left out."""
    left_out = "required" if field.required else f"default: {field.default}"
    known = field.required or field.default is not None
    taken = f"({field.taken} is trigger's own)" if field.taken else ""
    text = "  ".join(filter(None, (field.about, f"[{left_out}]" if known else "", taken)))
    return visible(text)
