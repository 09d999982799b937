"""Values of declared types to JSON and back. The one module that knows pydantic."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any, Literal

from durably_cli.errors import ValueRefused
from durably_cli.values.json_schemas import OddSchema
from durably_cli.values.plain import PLAIN, CodeIsEndless, DoesNotFit
from durably_cli.values.strict_json import (
    Json,
    is_too_deep,
    to_json,
)
from durably_cli.values.untrusted import raised_by_the_user, repr_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError


_IN_A_FUNCTION = "Error calling function"
"""How pydantic's word of an endless serializer begins, which is all that it gives."""


class Typed:
    """The converter of a type that pydantic reads."""

    def __init__(self, annotation: Any) -> None:
        from pydantic import TypeAdapter
        from pydantic.errors import PydanticUserError

        self._annotation = annotation
        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        except PydanticUserError as error:
            raise TypeError(
                f"{_type_name(annotation)} cannot be made from JSON "
                f"({error.message.splitlines()[0]}): use a pydantic model, a dataclass, a "
                "typing_extensions.TypedDict or plain JSON types"
            ) from None

    def dump(self, value: Any) -> Json:
        from pydantic_core import PydanticSerializationError

        try:
            plain = self._adapter.dump_python(value, mode="json", by_alias=True, warnings="error")
        except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
            raised = raised_by_the_user(error)
            if raised is None and str(error).startswith(_IN_A_FUNCTION):
                raise CodeIsEndless("$", str(error)) from None
            if raised is None:
                raise ValueRefused("$", self._why_not(value, error)) from None
        else:
            return PLAIN.dump(plain)
        raise raised

    def load(self, text: Json) -> Any:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            if raised_by_the_user(error):  # of another model, as a default_factory makes it
                raise
            raise DoesNotFit(_problems(error)) from None

    def reveal(self, value: Any) -> Any:
        try:
            return self._adapter.dump_python(value, by_alias=True, warnings=False)
        except Exception:  # the user's serializers may do anything
            return None

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        from pydantic.errors import PydanticInvalidForJsonSchema

        try:
            schema = self._adapter.json_schema(mode=mode, schema_generator=_silent_generator())
        except PydanticInvalidForJsonSchema:
            return {}
        return _as_json(schema)

    def _why_not(self, value: Any, error: Exception) -> str:
        declared = self._annotation
        if isinstance(declared, type) and not isinstance(value, declared):
            was = _type_name(type(value))
            return f"it is a {was}, and its declared type is {_type_name(declared)}"
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


def _problems(error: ValidationError) -> list[tuple[str, str]]:
    return [
        (
            "".join(
                f"[{part}]" if isinstance(part, int) else f".{part}" for part in each["loc"]
            ).removeprefix(".")
            or "$",
            each["msg"],
        )
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _type_name(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)
