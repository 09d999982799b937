"""Values to JSON and back, by the type a function declares. The one module that knows pydantic.

What a step returned is compared with what JSON gives back, before anything relies on it: a value
that would come back different is refused on the first run, not discovered on a replay.
"""

from __future__ import annotations

import functools
import json
import marshal
import typing
from typing import TYPE_CHECKING, Any, Literal, Protocol

from durably_cli.declared import UNDECLARED
from durably_cli.differences import difference
from durably_cli.errors import ValueRefused
from durably_cli.events import Json
from durably_cli.failures import raised_by_the_user, repr_of
from durably_cli.refusals import ENDLESS, explained, refusal
from durably_cli.schemas import OddSchema
from durably_cli.strict import (
    DEEPEST,
    SCAN,
    has_lone_surrogate,
    is_too_deep,
    to_json,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError


class DoesNotFit(ValueError):
    """A JSON text that the declared type rejects: a (path, problem) for every field."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems))
        self.problems = problems


class CodeIsEndless(ValueRefused):
    """A serializer that calls itself for ever: pydantic says which, and drops its frames."""


class Converter(Protocol):
    """How values of one declared type go to JSON and back."""

    def dump(self, value: Any) -> Json:
        """The value as JSON. ValueRefused if it has none."""

    def load(self, text: Json) -> Any:
        """The value of a JSON text. DoesNotFit if the type rejects it."""

    def reveal(self, value: Any) -> Any:
        """The value's parts as they are, secrets among them, in dicts and lists; None if none."""

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        """The JSON Schema of what is read or written; empty if any JSON will do, or none fits."""


def round_trip(converter: Converter, value: Any) -> tuple[Json, Any]:
    """The value's JSON, and the equal value that it gives back.

    ValueRefused, with the path in the value, if that would be a different one.
    """
    try:
        text = converter.dump(value)
        if "\\ud" in text and has_lone_surrogate(text):
            raise explained(value) or ValueRefused("$", "a lone surrogate is not text")
        if is_too_deep(text):
            raise ValueRefused("$", f"it is nested too deeply: more than {DEEPEST} levels")
        back = converter.load(text)
        is_same = converter is _PLAIN and _are_identical(value, back)
        found = None if is_same else difference(value, back)
    except DoesNotFit as error:
        path, problem = error.problems[0]
        if path != "$":
            path = f"${path}" if path.startswith("[") else f"$.{path}"
        raise ValueRefused(path, f"it would not come back from JSON: {problem}") from None
    except RecursionError as error:
        if raised_by_the_user(error):
            raise
        raise ValueRefused("$", ENDLESS) from None
    if found:
        raise ValueRefused(*found)
    return text, back


def settled(converter: Converter, text: Json) -> Json:
    """The input a run is made with: as given, with the defaults of this moment filled in.

    So a `default_factory` gives a resumed run what it gave the first attempt. DoesNotFit if the
    type rejects the input. It stays as given where the type would not read its own output back.
    """
    value = converter.load(text)
    try:
        return round_trip(converter, value)[0]
    except CodeIsEndless:
        raise
    except ValueRefused:
        return text


def converter(annotation: Any) -> Converter:
    """The converter of a declared type; UNDECLARED, Any, object and type variables mean plain JSON.

    TypeError if values of the type cannot be made from JSON.
    """
    if annotation in (UNDECLARED, Any, object) or isinstance(annotation, typing.TypeVar):
        return _PLAIN
    try:
        return _typed(annotation, "" if isinstance(annotation, type) else repr(annotation))
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _Typed(annotation)


class _Plain:
    def dump(self, value: Any) -> Json:
        try:
            return Json(to_json(value))
        except (TypeError, ValueError, RecursionError) as error:
            raise refusal(value, error) from None

    def load(self, text: Json) -> Any:
        try:
            value, end = SCAN(text, 0)
        except (StopIteration, ValueError):  # white space in front, for one
            end = -1
        return value if end == len(text) else json.loads(text)

    def reveal(self, value: Any) -> Any:
        return value

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        return {}


_PLAIN = _Plain()


def _are_identical(value: Any, back: Any) -> bool:
    """Are these two JSON values equal in all their parts, types and orders included?"""
    try:
        return marshal.dumps(value, _EXACT) == marshal.dumps(back, _EXACT)
    except ValueError:  # a part of no plain type, or nested too deeply
        return False


_EXACT = 2
"""The version of marshal's format in which equal values of equal types are equal bytes."""


class _Typed:
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
            return _PLAIN.dump(plain)
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
def _typed(annotation: Any, written: str) -> Converter:
    """`written` tells `A | B` from `B | A`, which are equal, but are not read alike."""
    return _Typed(annotation)


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
            text = to_json(schema)
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


_IN_A_FUNCTION = "Error calling function"
