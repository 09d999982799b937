"""Fields of an input that its type passes over, such as a name that was typed wrong.

The value that was read says which model of a union was taken, so it is looked at side by side with
the JSON. Where code of the user's reads that JSON first, such as a `before` validator or an
`__init__`, nobody knows what it takes: of that part, and of what is in it, nothing is said. Nor is
it of what is in a model with code that changes it afterwards: a list may be in another order then.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from durably_cli.values.annotations import type_hints_of, written_in
from durably_cli.values.secret_sources import path_of

Keys = tuple[str | int, ...]
Config = dict[str, Any]


class Unread(NamedTuple):
    """A field that nobody reads: where it stands, and the name of a field that it comes near."""

    path: str
    nearest: str | None


def unread(declared: Any, value: Any, given: Any) -> list[Unread]:
    """The fields of a JSON value that its declared type, which made `value` of it, passes over."""
    return list(_unread([declared], value, given, (), {}))


def nearest(word: str, names: Iterable[object]) -> str | None:
    """The name that a word comes near, if any does."""
    import difflib  # only after a typing mistake

    plain = {_plain(name): name for name in sorted(map(str, names))}
    (found, *_) = (*difflib.get_close_matches(_plain(word), plain, n=1), None)
    return None if found is None else plain[found]


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _unread(
    declared: list[Any], value: Any, given: Any, keys: Keys, around: Config
) -> Iterator[Unread]:
    """`declared` is what the type of this part is written with, `around` the config around it."""
    parts = [part for each in declared for part in written_in(each)]
    if any(map(_is_code, parts)):
        return
    if isinstance(given, list) and isinstance(value, (list, tuple, deque)):
        if len(given) == len(value):
            for index, (part, inner) in enumerate(zip(value, given, strict=True)):
                yield from _unread(parts, part, inner, (*keys, index), around)
    elif isinstance(given, dict) and isinstance(value, dict):
        yield from _of_dict(parts, value, given, keys, around)
    elif type(value) in parts and (fields := _fields(type(value), around)) is not None:
        config = _config(type(value), around)
        if getattr(type(value), "__pydantic_root_model__", False):
            yield from _unread(fields["root"].declared, value.root, given, keys, config)
        elif isinstance(given, dict):
            yield from _of_object(fields, value, given, keys, config)


def _of_dict(
    parts: list[Any], value: dict[Any, Any], given: dict[str, Any], keys: Keys, around: Config
) -> Iterator[Unread]:
    typed = [type_hints_of(each) for each in parts if _is_typed_dict(each)]
    names = {name for hints in typed for name in hints}
    if typed and value.keys() <= given.keys():  # else some are read by an alias
        yield from _named(given.keys() - value.keys() - names, names, keys)
    for key in given:
        if key in value:
            declared = [hints[key] for hints in typed if key in hints] or parts
            yield from _unread(declared, value[key], given[key], (*keys, key), around)


def _of_object(
    fields: dict[str, _Field], value: Any, given: dict[str, Any], keys: Keys, config: Config
) -> Iterator[Unread]:
    names = {name for field in fields.values() for name in field.names}
    if config.get("extra", "ignore") == "ignore":
        yield from _named(given.keys() - names - _computed(type(value)), names, keys)
    for name, field in fields.items():
        for key in field.whole:
            if key in given:
                part = getattr(value, name, None)
                yield from _unread(field.declared, part, given[key], (*keys, key), config)
                break


def _is_typed_dict(part: Any) -> bool:
    """Is it a TypedDict, of Python's or of `typing_extensions`?"""
    return (
        isinstance(part, type) and hasattr(part, "__total__") and hasattr(part, "__annotations__")
    )


def _named(unknown: Iterable[str], names: Iterable[object], keys: Keys) -> Iterator[Unread]:
    for key in sorted(unknown):
        yield Unread(path_of((*keys, key)), nearest(key, names))


class _Field(NamedTuple):
    """A field of a class: what its type is written with, and the names that it is read by.

    `whole` are those of which it is all, and not a part of what stands there.
    """

    declared: list[Any]
    names: list[str]
    whole: list[str]


def _fields(kind: type, around: Config) -> dict[str, _Field] | None:
    """The fields of a model or a dataclass; None if code of the user's reads it, or it is none."""
    fields = getattr(kind, "__pydantic_fields__", None)
    if fields is None:
        return _of_plain_dataclass(kind, around) if dataclasses.is_dataclass(kind) else None
    decorators = getattr(kind, "__pydantic_decorators__", None)
    if decorators is None or getattr(kind, "__pydantic_custom_init__", False):
        return None
    modes = [each.info.mode for each in decorators.model_validators.values()]
    if any(mode != "after" for mode in modes) or decorators.root_validators or _has_schema(kind):
        return None
    code = set(fields if modes or _is_changed(kind) else ())
    for each in (*decorators.field_validators.values(), *decorators.validators.values()):
        code.update(fields if "*" in each.info.fields else each.info.fields)
    return {name: _field(kind, name, field, name in code) for name, field in fields.items()}


def _field(kind: type, name: str, field: Any, has_validator: bool) -> _Field:
    """A field with a validator is not looked into: what it was given may have been another thing.

    One whose alias is the only way in is not read by its name.
    """
    config = _config(kind, {})
    paths = list(_paths(field.validation_alias)) if config.get("validate_by_alias", True) else []
    if not paths or config.get("populate_by_name") or config.get("validate_by_name"):
        paths.append([name])
    by_code = has_validator or not isinstance(field.discriminator, str | None)
    declared = [object()] if by_code else [field.annotation, *field.metadata]
    return _Field(
        declared, [path[0] for path in paths], [path[0] for path in paths if len(path) == 1]
    )


def _paths(alias: Any) -> Iterator[list[Any]]:
    if isinstance(alias, str):
        yield [alias]
    elif hasattr(alias, "choices"):
        for each in alias.choices:
            yield from _paths(each)
    elif hasattr(alias, "path"):
        yield list(alias.path)


def _is_changed(kind: type) -> bool:
    """Does code of the user's get what was read of a model or dataclass, and may change it?"""
    after = getattr(kind, getattr(kind, "__pydantic_post_init__", None) or "__post_init__", None)
    return after is not None and after.__name__ != "init_private_attributes"  # which is pydantic's


def _of_plain_dataclass(kind: type, around: Config) -> dict[str, _Field] | None:
    from pydantic.fields import FieldInfo

    if not _config(kind, around).keys().isdisjoint(("alias_generator", "extra")):
        return None

    fields: dict[str, Any] = kind.__dict__.get("__dataclass_fields__", {})
    written = [type(each).__name__ for base in kind.__mro__ for each in vars(base).values()]
    hints = type_hints_of(kind)
    if not hints or _has_schema(kind) or "PydanticDescriptorProxy" in written:
        return None
    parts = [part for hint in hints.values() for part in written_in(hint)]
    if any(isinstance(each, FieldInfo) for each in (*parts, *(f.default for f in fields.values()))):
        return None  # by aliases
    declared = [object()] if _is_changed(kind) else None
    return {name: _Field(declared or [hints.get(name)], [name], [name]) for name in fields}


def _has_schema(kind: type) -> bool:
    """Does the class say itself how it is read?"""
    from pydantic import BaseModel

    own = getattr(kind, "__get_pydantic_core_schema__", None)
    usual = BaseModel.__get_pydantic_core_schema__
    return own is not None and getattr(own, "__func__", None) is not usual.__func__  # type: ignore[attr-defined]


def _config(kind: type, around: Config) -> Config:
    """A dataclass that pydantic did not make has the config of what is around it."""
    found = getattr(kind, "model_config", None) or getattr(kind, "__pydantic_config__", None)
    return dict(found or ({} if hasattr(kind, "__pydantic_fields__") else around))


def _computed(kind: type) -> set[str]:
    """What a model writes besides its fields: no mistake in what was copied from its output."""
    decorators = getattr(kind, "__pydantic_decorators__", None)
    computed = {} if decorators is None else decorators.computed_fields
    return {*computed, *(str(each.info.alias) for each in computed.values())}


def _is_code(part: Any) -> bool:
    """Does this part of an annotation read the JSON in a way of its own?"""
    if isinstance(part, type) or part is typing.Any:
        return False
    return type(part) is object or hasattr(part, "__get_pydantic_core_schema__")
