"""Values of declared types to JSON and back. The one module that knows pydantic."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Literal

from durably_cli.errors import ValueRefused
from durably_cli.values.file import refusal_in
from durably_cli.values.json_schemas import OddSchema
from durably_cli.values.marked import has_marks, unmarked
from durably_cli.values.plain import PLAIN, CodeIsEndless, DoesNotFit
from durably_cli.values.quantities import with_article
from durably_cli.values.secret_sources import path_of
from durably_cli.values.set_order import has_sets, with_sorted_sets
from durably_cli.values.strict_json import (
    FILE_MARK,
    Json,
    is_too_deep,
    to_json,
)
from durably_cli.values.untrusted import raised_by_the_user, repr_of, safely

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError
    from pydantic_core import ErrorDetails

    from durably_cli.values.unread import Unread


_IN_A_FUNCTION = "Error calling function"
"""How pydantic's word of an endless serializer begins, which is all that it gives."""


class Typed:
    """The converter of a type that pydantic reads."""

    def __init__(self, annotation: Any) -> None:
        from pydantic import TypeAdapter, ValidationError
        from pydantic.errors import PydanticUserError

        self._annotation = annotation
        self._invalid = ValidationError  # to import it for each result takes 1 us
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except PydanticUserError as error:
            raise TypeError(
                f"{_type_name(annotation)} cannot be made from JSON "
                f"({error.message.splitlines()[0]}): use a pydantic model, a dataclass, a "
                "typing_extensions.TypedDict or plain JSON types"
            ) from None

        self._has_sets = has_sets(self._adapter.core_schema)

    def dump(self, value: Any) -> Json:
        from pydantic_core import PydanticSerializationError

        try:
            plain = self._adapter.dump_python(value, mode="json", by_alias=True, warnings="error")
        except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
            raised = raised_by_the_user(error)
            if raised is None and (refused := self._refused_file(value)):
                raise refused from None
            if raised is None and str(error).startswith(_IN_A_FUNCTION):
                raise CodeIsEndless("$", str(error)) from None
            if raised is None:
                raise ValueRefused("$", self._why_not(value, error)) from None
        else:
            if self._has_sets:
                plain = with_sorted_sets(value, plain)
            return PLAIN.dump(plain)
        raise raised

    def load(self, text: Json) -> Any:
        try:
            return self._adapter.validator.validate_json(text)  # past a call that takes 0.1 us
        except self._invalid as error:
            if raised_by_the_user(error):  # of another model, as a default_factory makes it
                raise
            if has_marks(text):
                return self._load_marked(text, self._problems(error))
            raise DoesNotFit(self._problems(error)) from None

    def _load_marked(self, text: Json, problems: list[tuple[str, str]]) -> Any:
        """What the text gives with its marks read; `problems` are those that it has without."""
        try:
            given = unmarked(text)
        except ValueError as error:  # it may be no mark, but a dict of the user's
            raise DoesNotFit([*problems, ("$", str(error))]) from None
        try:
            return self._adapter.validate_python(given)
        except self._invalid as error:
            if raised_by_the_user(error):
                raise
            raise DoesNotFit(self._problems(error)) from None

    def reveal(self, value: Any) -> Any:
        try:
            return self._adapter.dump_python(value, by_alias=True, warnings=False)
        except Exception:  # the user's serializers may do anything
            return None

    def unread(self, text: Json, value: Any) -> list[Unread]:
        from durably_cli.values.unread import unread  # not for results

        try:
            return unread(self._annotation, value, json.loads(text))
        except Exception:  # of attributes that are code of the user's: nothing is known then
            return []

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            schema = self._adapter.json_schema(mode=mode, schema_generator=_silent_generator())
        except PydanticInvalidForJsonSchema:
            return {}
        return _as_json(schema)

    @functools.cached_property
    def names_files(self) -> bool:
        """Is there a File in it?"""
        schema = safely(lambda typed: to_json(typed.schema("serialization")), self)
        return schema is not None and FILE_MARK in schema

    def _problems(self, error: ValidationError) -> list[tuple[str, str]]:
        return [
            (path_of(each["loc"]), each["msg"] + self._typed_wrong(each))
            for each in error.errors(include_url=False, include_context=False)
        ]

    def _typed_wrong(self, problem: ErrorDetails) -> str:
        """Which name was typed wrong, if this is one of the problems that come of that."""
        kind, name, given = problem["type"], problem["loc"][-1:], problem["input"]
        if not name or kind not in ("missing", "extra_forbidden"):
            return ""
        from durably_cli.values.unread import nearest

        names = safely(lambda typed: _named_in(typed.schema("validation")), self) or set()
        if kind == "missing":
            near = nearest(str(name[0]), given.keys() - names if isinstance(given, dict) else ())
            return f": it has {near!r}, which is no field" if near else ""
        near = nearest(str(name[0]), names)
        return f": did you mean {near!r}?" if near else ""

    def why_not_none(self) -> str:
        """Why None is refused, which is what a function without a `return` gives."""
        declared = _type_name(self._annotation)
        return f"it is None, and its declared type is {declared}; is a `return` missing?"

    def _refused_file(self, value: Any) -> ValueRefused | None:
        return refusal_in(lambda: self._adapter.dump_python(value, mode="json", warnings=False))

    def _why_not(self, value: Any, error: Exception) -> str:
        declared = self._annotation
        if value is None:
            return self.why_not_none()
        if isinstance(declared, type) and not isinstance(value, declared):
            was = _type_name(type(value))
            return f"it is {with_article(was)}, and its declared type is {_type_name(declared)}"
        if isinstance(error, UnicodeDecodeError) or "utf-8" in str(error):
            return (
                "bytes that are not UTF-8 cannot be keys, nor be of a type that would read them "
                "back otherwise: make them a text, such as their base64"
            )
        message = " ".join(str(error).removeprefix("Pydantic serializer warnings:").split())
        return f"it does not fit its declared type: {message}"


@functools.cache
def _silent_generator() -> Any:
    """Of a default that has no JSON a schema says nothing, and pydantic nothing to stderr."""
    from pydantic.json_schema import GenerateJsonSchema

    kinds = {*GenerateJsonSchema.ignored_warning_kinds, "non-serializable-default"}
    return type("Silent", (GenerateJsonSchema,), {"ignored_warning_kinds": kinds})


def _as_json(schema: object) -> dict[str, Any]:
    """The schema as JSON: a default in it may be NaN, or anything. OddSchema if it cannot be."""
    from pydantic_core import to_json as to_any_json

    try:
        try:
            text: str = to_json(schema)
        except (TypeError, ValueError, RecursionError):
            text = to_any_json(schema, inf_nan_mode="strings", fallback=repr_of).decode()
        found = None if is_too_deep(text) else json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        if raised_by_the_user(error):
            raise
        found = None
    if not isinstance(found, dict):
        raise OddSchema(
            "what is given as its JSON Schema is no JSON object, is nested too deeply, or contains "
            "itself"
        )
    return found


def _named_in(schema: object) -> set[str]:
    """The names of all fields in a JSON Schema, at whatever depth."""
    if isinstance(schema, list):
        return {name for each in schema for name in _named_in(each)}
    if not isinstance(schema, dict):
        return set()
    properties = schema.get("properties")
    names = set(properties) if isinstance(properties, dict) else set()
    return names.union(*map(_named_in, schema.values()))


def _type_name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
