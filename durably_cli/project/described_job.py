"""What a job is: its name, where it is written, and the types of its input and output."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

from durably_cli.engines import payload
from durably_cli.errors import ValueRefused
from durably_cli.project import handlers
from durably_cli.project.invalid import reading
from durably_cli.values import convert, plain
from durably_cli.values.no_input import NoInput
from durably_cli.values.schema import Field, fields_of, type_name


class DescribedJob:
    """A handler with the name and the types that were given, or that it declares."""

    def __init__(self, handler: Callable[..., Any], name: str, input: Any, output: Any) -> None:
        self.name = name
        self.handler: Callable[..., Any] = handler
        self._input_type, self._output_type = input, output
        self._text: bytes | None = None
        self.fields_type: type | None = None
        """The class of its input, if that is made of keyword-only parameters."""

    @cached_property
    def is_async(self) -> bool:
        """Is its handler an async one?"""
        return handlers.is_async_handler(self.handler)

    @property
    def source(self) -> Path:
        """The file that the handler is written in."""
        return Path(self._code.co_filename).resolve()

    @property
    def place(self) -> str:
        """Where the handler is written, as file:line."""
        return f"{self.source}:{self._code.co_firstlineno}"

    @property
    def _code(self) -> CodeType:
        handler = inspect.unwrap(self.handler)
        function = handler if hasattr(handler, "__code__") else type(handler).__call__
        code: CodeType = inspect.unwrap(function).__code__
        return code

    @property
    def doc(self) -> str:
        """The first line of the handler's docstring."""
        return (inspect.getdoc(self.handler) or "").split("\n", 1)[0]

    @cached_property
    def fields(self) -> list[Field]:
        """The fields of the input; none if it is no object."""
        return fields_of(self.input_schema)

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of the input. InvalidInput if the model's own code raises."""
        with self._reads("input"):
            schema = payload.schema_of(self.input, "validation")
            if self.fields_type is None:
                return schema
            from durably_cli.project.fields_of_handler import showing_defaults  # few have any

            return showing_defaults(schema, self.fields_type)

    @property
    def output_schema(self) -> dict[str, Any]:
        """The JSON Schema of the output. InvalidInput if the model's own code raises."""
        with self._reads("output"):
            return payload.schema_of(self.output, "serialization")

    @property
    def input_type(self) -> str:
        """The type of the input in words."""
        return type_name(self.input_schema)

    @property
    def output_type(self) -> str:
        """The type of the output in words."""
        return type_name(self.output_schema)

    @cached_property
    def input(self) -> plain.Converter:
        """How the input goes to JSON and back."""
        given = self._input_type
        return given if isinstance(given, NoInput) else self._converter("input", given)

    @cached_property
    def output(self) -> plain.Converter:
        """How the output goes to JSON and back."""
        return self._converter("output", self._output_type)

    def _read_types(self) -> None:
        """Find out how they go to JSON. TypeError if one does not."""
        _ = self.input, self.output

    def _converter(self, role: str, given: Any) -> plain.Converter:
        try:
            return convert.converter(given)
        except TypeError as error:
            raise TypeError(f"the {role} of {self.name}: {error}") from None

    def _value_of(self, given: Any) -> Any:
        """The input as it is written: fields that a mapping has are one of their class."""
        if self.fields_type is None or not isinstance(given, Mapping):
            return given
        try:
            return self.fields_type(**given)
        except TypeError as error:
            raise ValueRefused("$", str(error).partition("() ")[2]) from None

    def _reads(self, what: str) -> AbstractContextManager[None]:
        """Inside, it is InvalidInput that a model rejects an input, and that its code raises."""
        return reading(what, self.name, lambda: self.input_schema)
