"""Values of declared types to JSON and back. The one module that knows pydantic."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal

from durably_cli.errors import ValueRefused
from durably_cli.values.plain import PLAIN, DoesNotFit
from durably_cli.values.strict_json import (
    Json,
    to_json,
)
from durably_cli.values.untrusted import OURS, files_of, repr_of

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError


class SerializerFailed(ValueRefused):
    """Code of the user's raised, of which pydantic gives nothing but a line: a RecursionError."""


_CALLING = "Error calling function"
"""How that line begins."""


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
        except (PydanticSerializationError, ValueError, TypeError) as error:
            raised = raised_by_the_user(error)
            if raised is None and str(error).startswith(_CALLING):
                raise SerializerFailed("$", str(error)) from None
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
            raise DoesNotFit(_problems(error)) from None

    def reveal(self, value: Any) -> Any:
        try:
            return self._adapter.dump_python(value, by_alias=True, warnings=False)
        except Exception:  # the user's serializers may do anything
            return None

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        from pydantic.errors import PydanticInvalidForJsonSchema

        from durably_cli.values.schema import well_formed  # only when asked for

        try:
            schema = self._adapter.json_schema(mode=mode)
        except PydanticInvalidForJsonSchema:
            return {}
        return well_formed(schema if _is_json(schema) else _as_json(schema))

    def _why_not(self, value: Any, error: Exception) -> str:
        declared = self._annotation
        if isinstance(declared, type) and not isinstance(value, declared):
            was = _type_name(type(value))
            return f"it is a {was}, and its declared type is {_type_name(declared)}"
        message = " ".join(str(error).removeprefix("Pydantic serializer warnings:").split())
        return f"it does not fit its declared type: {message}"


def raised_by_the_user(error: Exception) -> BaseException | None:
    """What a serializer or a property of the user's raised, as it was; None if none did."""
    import pydantic

    raised = error.__cause__ or error
    theirs = (OURS, os.path.dirname(pydantic.__file__) + os.sep)
    is_users = any(not file.startswith(theirs) for file in files_of(raised))
    return raised if is_users else None


def _is_json(value: object) -> bool:
    try:
        to_json(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _as_json(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as JSON: a default in it may be NaN, or anything."""
    from pydantic_core import to_json as to_any_json

    found: dict[str, Any] = json.loads(
        to_any_json(schema, inf_nan_mode="strings", fallback=repr_of)
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
