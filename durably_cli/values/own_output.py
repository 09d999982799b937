"""Models that do not read their own output: computed fields, two aliases, `exclude`, a serializer.

Their fields are written one by one, by the names and in the form that their validators read.
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from durably_cli.errors import ValueRefused
from durably_cli.values.differences import difference
from durably_cli.values.file import File, form_of
from durably_cli.values.marked import marked
from durably_cli.values.plain import PLAIN, Converter
from durably_cli.values.strict_json import Json

Path = tuple[str | int, ...]


def as_validated(value: Any, *, secret: str | None = None) -> Json:
    """The value's JSON, as the validators of its models read it, with `secret` for each secret.

    ValueError or ValueRefused if it has none.
    """
    return PLAIN.dump(_parts(value, secret))


def with_defaults(converter: Converter, text: Json, value: Any) -> Json:
    """The input as given, with each default that the type reads back filled in.

    `value` is what the type made of it. What has no JSON is left to the type, attempt by attempt.
    """
    for left_out in _left_out(value, json.loads(text), (), _itself):
        try:
            default = left_out.of(value)
            candidate = json.loads(text)
            _lay(candidate, left_out.path, _parts(default))
            filled = PLAIN.dump(candidate)
            back = left_out.of(converter.load(filled))
        except (ValueRefused, ValueError, TypeError, AttributeError, LookupError, RecursionError):
            continue
        if difference(default, back) is None or _same_text(default, back):
            text = filled
    return text


class _LeftOut(NamedTuple):
    """A field that was not given: its place in the JSON, and how it is got of the value."""

    path: Path
    of: Callable[[Any], Any]


def _itself(value: Any) -> Any:
    return value


def _left_out(value: Any, given: Any, path: Path, of: Callable[[Any], Any]) -> Iterator[_LeftOut]:
    if isinstance(value, (list, tuple)) and isinstance(given, list):
        for index, (part, inner) in enumerate(zip(value, given, strict=False)):
            yield from _left_out(part, inner, (*path, index), _item(of, index))
    elif isinstance(given, dict) and isinstance(value, dict):
        for key in value.keys() & given.keys():
            yield from _left_out(value[key], given[key], (*path, key), _item(of, key))
    elif isinstance(given, dict):
        for name, ways in _fields(value):
            got = _attribute(of, name)
            way = next((way for way in ways if _is_in(given, way)), None)
            if way is None:
                yield _LeftOut((*path, *ways[0]), got)
            else:
                yield from _left_out(
                    getattr(value, name, None), _get(given, way), (*path, *way), got
                )


def _item(of: Callable[[Any], Any], key: Any) -> Callable[[Any], Any]:
    return lambda root: of(root)[key]


def _attribute(of: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
    return lambda root: getattr(of(root), name)


def model_fields(value: Any) -> dict[str, Any]:
    """The fields of a model or a dataclass by name, each with its default; none of another."""
    fields = getattr(type(value), "__pydantic_fields__", None)
    if fields is None and dataclasses.is_dataclass(value):
        fields = {each.name: each for each in dataclasses.fields(value) if each.init}
    return fields or {}


def _fields(value: Any) -> Iterator[tuple[str, list[Path]]]:
    """The fields of a model or a dataclass, and the places that each is read from, best first."""
    for name, field in model_fields(value).items():
        yield name, [*_aliases(getattr(field, "validation_alias", None)), (name,)]


def _aliases(alias: Any) -> Iterator[Path]:
    if isinstance(alias, str):
        yield (alias,)
    elif hasattr(alias, "choices"):
        for each in alias.choices:
            yield from _aliases(each)
    elif hasattr(alias, "path") and all(isinstance(key, str) for key in alias.path):
        yield tuple(alias.path)


def _parts(value: Any, secret: str | None = None) -> Any:
    """The value in dicts and lists, its models' fields by the names that they are read by."""
    if hasattr(value, "get_secret_value"):
        if secret is None:
            raise ValueError("a secret has no JSON")
        return secret
    if isinstance(value, (list, tuple, deque)):
        return [_parts(each, secret) for each in value]
    if isinstance(value, (set, frozenset)):
        return in_order([_parts(each, secret) for each in value])
    if isinstance(value, dict):
        return {key_of(key): _parts(each, secret) for key, each in value.items()}
    if isinstance(value, File):
        return form_of(value)
    fields = list(_fields(value))
    if not fields:
        return marked(value) or jsonable(value)
    if getattr(type(value), "__pydantic_root_model__", False):
        return _parts(value.root, secret)
    found: dict[str, Any] = {}
    for name, ways in fields:
        _lay(found, ways[0], _parts(getattr(value, name), secret))
    return found | _parts(getattr(value, "__pydantic_extra__", None) or {}, secret)


def in_order(items: list[Any]) -> list[Any]:
    """The JSON of a set's items, sorted."""
    try:
        return sorted(items)
    except TypeError:  # of several types, or objects
        return sorted(items, key=repr)


def key_of(key: Any) -> str:
    """The name that a key of a dict has in JSON."""
    plain = jsonable(key)
    return plain if isinstance(plain, str) else PLAIN.dump(plain)


def jsonable(value: Any) -> Any:
    """A value that has no parts, as it is in JSON. ValueError if it is of no type that has one."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, inf_nan_mode="strings")


def _same_text(value: Any, back: Any) -> bool:
    return type(value) is type(back) and as_validated(value) == as_validated(back)


def _is_in(given: Any, path: Path) -> bool:
    try:
        _get(given, path)
    except (LookupError, TypeError):
        return False
    return True


def _get(given: Any, path: Path) -> Any:
    for key in path:
        given = given[key]
    return given


def _lay(root: Any, path: Path, item: Any) -> None:
    *outer, last = path
    for key in outer:
        root = root.setdefault(key, {}) if isinstance(root, dict) else root[key]
    root[last] = item
