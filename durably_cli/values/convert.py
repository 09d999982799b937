"""Values to JSON and back, by the type a function declares.

What a step returned is compared with what JSON gives back, before anything relies on it: a value
that would come back different is refused on the first run, not discovered on a replay.
"""

from __future__ import annotations

import functools
import json
import marshal
import typing
from contextlib import suppress
from typing import Any

from durably_cli.errors import ValueRefused
from durably_cli.values import own_output
from durably_cli.values.declared import UNDECLARED
from durably_cli.values.differences import difference
from durably_cli.values.marked import has_marks
from durably_cli.values.plain import (
    ENDLESS,
    PLAIN,
    CodeIsEndless,
    Converter,
    DoesNotFit,
    why_not_plain,
)
from durably_cli.values.strict_json import (
    DEEPEST,
    Json,
    has_lone_surrogate,
    is_too_deep,
)
from durably_cli.values.typed import Typed
from durably_cli.values.untrusted import raised_by_the_user


def round_trip(converter: Converter, value: Any) -> tuple[Json, Any]:
    """The value's JSON, and the equal value that it gives back.

    ValueRefused, with the path in the value, if that would be a different one.
    """
    try:
        text = converter.dump(value)
        if converter is PLAIN and type(value) in _ATOMS:  # skips 2 us: it can only come back equal
            return text, value
        if "\\ud" in text and has_lone_surrogate(text):
            raise why_not_plain(json.loads(text)) or ValueRefused(
                "$", "a lone surrogate is not text"
            )
        if is_too_deep(text):
            raise ValueRefused("$", f"it is nested too deeply: more than {DEEPEST} levels")
        back = converter.load(text)
        is_same = converter is PLAIN and _are_identical(value, back)
        found = None if is_same else difference(value, back, declared=converter is not PLAIN)
    except CodeIsEndless:
        raise
    except ValueRefused:
        if in_marks := _round_trip_in_marks(converter, value):
            return in_marks
        raise
    except DoesNotFit as error:
        if value is None and isinstance(converter, Typed):
            raise ValueRefused("$", converter.why_not_none()) from None
        path, problem = error.problems[0]
        if path != "$":
            path = f"${path}" if path.startswith("[") else f"$.{path}"
        raise ValueRefused(path, f"it would not come back from JSON: {problem}") from None
    except RecursionError as error:
        if raised_by_the_user(error):
            raise
        raise ValueRefused("$", ENDLESS) from None
    if found:
        if in_marks := _round_trip_in_marks(converter, value):
            return in_marks
        raise ValueRefused(*found)
    return text, back


def _round_trip_in_marks(converter: Converter, value: Any) -> tuple[Json, Any] | None:
    """The same for a value that holds what has no text of its own, such as bytes or a zone."""
    if converter is PLAIN:
        return None
    with suppress(ValueError, TypeError, AttributeError, ValueRefused, DoesNotFit, RecursionError):
        text = own_output.as_validated(value)
        if has_marks(text) and not is_too_deep(text) and not has_lone_surrogate(text):
            back = converter.load(text)
            return None if difference(value, back, declared=True) else (text, back)
    return None


def settled(converter: Converter, text: Json) -> Json:
    """The input a run is made with: as given, with the defaults of this moment filled in.

    So a `default_factory` gives a resumed run what it gave the first attempt, but for a default
    that has no JSON. DoesNotFit if the type rejects the input.
    """
    value = converter.load(text)
    try:
        return round_trip(converter, value)[0]
    except CodeIsEndless:
        raise
    except ValueRefused:
        return own_output.with_defaults(converter, text, value)


def as_given(converter: Converter, value: Any) -> Json:
    """The JSON that gives this input. ValueRefused if none does, as after a validator that changes
    what it reads.
    """
    try:
        return round_trip(converter, value)[0]
    except CodeIsEndless:
        raise
    except ValueRefused:
        with suppress(ValueError, TypeError, ValueRefused, DoesNotFit, RecursionError):
            text = own_output.as_validated(value)
            if not has_lone_surrogate(text) and difference(value, converter.load(text)) is None:
                return text
        raise


def converter(annotation: Any) -> Converter:
    """The converter of a declared type; UNDECLARED, Any, object and type variables mean plain JSON.

    TypeError if values of the type cannot be made from JSON.
    """
    if annotation in (UNDECLARED, Any, object) or isinstance(annotation, typing.TypeVar):
        return PLAIN
    try:
        return _typed(annotation, "" if isinstance(annotation, type) else repr(annotation))
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return Typed(annotation)


def vouches(converter: Converter) -> bool:
    """Does the type name files? Else what looks like one in a result is data."""
    return isinstance(converter, Typed) and converter.names_files


_ATOMS = frozenset((int, bool, type(None)))
"""Types of which JSON gives back every value that it takes."""


def _are_identical(value: Any, back: Any) -> bool:
    """Are these two JSON values equal in all their parts, types and orders included?"""
    try:
        return marshal.dumps(value, _EXACT) == marshal.dumps(back, _EXACT)
    except ValueError:  # a part of no plain type, or nested too deeply
        return False


_EXACT = 2
"""The version of marshal's format in which equal values of equal types are equal bytes."""


@functools.cache
def _typed(annotation: Any, written: str) -> Converter:
    """`written` tells `A | B` from `B | A`, which are equal, but are not read alike."""
    return Typed(annotation)
