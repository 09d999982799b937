"""The names of steps, and where they stand: in the handler, in a scope, or as an item of a map.

A name reads `fetch[a.html]` or `users[ann].upload` wherever it is shown or typed, and is equal to
that text. What it is made of stands in its line as fields: `name` has its own part, and `map` the
map that it is an item of, or `scope` the scope that it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator
from json.encoder import encode_basestring_ascii
from typing import Annotated, Any, TypeAlias

from durably_cli.values.strict_json import to_json
from durably_cli.values.visible import visible

StepName: TypeAlias = Annotated[str, "with its scope"]
"""In an event: the name of the step that it is of."""


class NameInScope(str):
    """A step's name, with its scope in front."""

    __slots__ = ("scope",)
    scope: str
    """The name of the scope, or the map."""

    @property
    def own(self) -> str:
        """The part of it that stands behind its scope."""
        return self[len(self.scope) + 1 :]


class ItemName(NameInScope):
    """The name of one item of a map: a step, or the scope of several."""

    __slots__ = ()

    @property
    def own(self) -> str:
        """The item's key."""
        return self[len(self.scope) + 1 : -1]


def in_scope(scope: str, name: str) -> NameInScope:
    """The name of a step in this scope."""
    found = NameInScope(f"{scope}.{name}")
    found.scope = scope
    return found


def item_of(map_name: str, key: str) -> ItemName:
    """The name of the item of a map that has this key."""
    found = ItemName(f"{map_name}[{key}]")
    found.scope = map_name
    return found


def scope_of(name: str) -> str | None:
    """The scope, or the map, that a name stands in; None if it is the handler's own."""
    return name.scope if isinstance(name, NameInScope) else None


def scopes_of(name: str) -> Iterator[str]:
    """All that it stands in, the nearest first."""
    while isinstance(name, NameInScope):
        name = name.scope
        yield name


def map_of(name: str) -> str | None:
    """The map that this is an item of; None if it is none."""
    return name.scope if isinstance(name, ItemName) else None


def item_around(name: str) -> ItemName | None:
    """The item that a name is, or stands in; of several the one that stands in no other."""
    found = None
    for each in (name, *scopes_of(name)):
        if isinstance(each, ItemName):
            found = each
    return found


def is_named(name: str, typed: str) -> bool:
    """Is this the step that somebody names, by its name or by what is shown of it?

    What a terminal does not show, as a line break in a key, is spelled out where a name is shown.
    """
    return name == typed or (not name.isprintable() and visible(name) == typed)


def fits(pattern: str, name: str) -> bool:
    """Does this name, or what is shown of it, fit the pattern? Each `*` stands for any text."""
    return _fits(pattern, name) or (not name.isprintable() and _fits(pattern, visible(name)))


def is_asked_for(name: str, typed: str) -> bool:
    """Is this the step that somebody names, or one that fits the pattern that was typed?"""
    return is_named(name, typed) or ("*" in typed and fits(typed, name))


def _fits(pattern: str, name: str) -> bool:
    first, *between, last = pattern.split("*")
    end = len(name) - len(last)
    if not name.startswith(first) or not name.endswith(last) or end < len(first):
        return False
    place = len(first)
    for text in between:  # the first place that fits leaves the most to the others
        found = name.find(text, place, end)
        if found < 0:
            return False
        place = found + len(text)
    return True


def line_of_name(name: str) -> str:
    """A name, and where it stands, as a line has it behind `"name":`."""
    if not isinstance(name, NameInScope):
        return encode_basestring_ascii(name)
    where = "map" if isinstance(name, ItemName) else "scope"
    return f'{encode_basestring_ascii(name.own)},"{where}":{to_json(_parts(name.scope))}'


def name_in_line(name: str, fields: dict[str, Any]) -> str:
    """The name in a line of these fields. ValueError if nothing of the kind was ever written."""
    if "map" in fields:
        return item_of(_joined(fields["map"]), name)
    return in_scope(_joined(fields["scope"]), name) if "scope" in fields else name


def _parts(name: str) -> list[Any]:
    """`users[ann].files` is ["users", ["ann"], "files"]."""
    parts = list[Any]()
    while isinstance(name, NameInScope):
        parts.append([name.own] if isinstance(name, ItemName) else name.own)
        name = name.scope
    return [name, *reversed(parts)]


def _joined(parts: object) -> str:
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], str):
        raise ValueError
    name: str = parts[0]
    for part in parts[1:]:
        if isinstance(part, str):
            name = in_scope(name, part)
        elif isinstance(part, list) and len(part) == 1 and isinstance(part[0], str):
            name = item_of(name, part[0])
        else:
            raise ValueError
    return name
