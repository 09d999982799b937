"""Which items the maps of a handler have, by their keys: of a map, each is used once.

A name takes 64 bytes and more, and 48 in a table of them. A number takes half of the first, and a
text is there already, for it is the item itself. What comes in order needs no table: so 100,000
numbers take 4 MiB, and their names would take 10.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, TypeAlias

from durably_cli.journal.step_names import ItemName

_DIGITS = 18

HeldKey: TypeAlias = int | str
"""A key as it is held: a number if its text is that of one."""


class ItemKeys(dict[str, "_Keys"]):
    """The keys of each map's items, by the name of the map."""

    def add(self, name: ItemName, key: object, text: str) -> bool:
        """Add an item that has this key, which reads so; False if that map or another one has it.

        Another one has it where a key, or the name of a map, has brackets in it.
        """
        keys = self.get(name.scope)
        if keys is None:
            keys = self[name.scope] = _Keys()
        if len(self) > 1 and self.map_with(name) is not None:
            return False
        # The item's own number, where it is one: it takes no memory then.
        return keys.add(key if type(key) is int and 0 <= key < 10**_DIGITS else _held(text))

    def map_with(self, name: str) -> str | None:
        """The map that has an item of this name; None if none has."""
        place = name.find("[") if name.endswith("]") else -1
        while place >= 0:
            keys = self.get(name[:place])
            if keys is not None and _held(name[place + 1 : -1]) in keys:
                return name[:place]
            place = name.find("[", place + 1)
        return None


class _Keys:
    """Those of one map."""

    def __init__(self) -> None:
        self._ordered: list[Any] = []
        """Of one type, each greater than the one before."""
        self._others = set[HeldKey]()
        """What came out of order."""

    def __contains__(self, key: HeldKey) -> bool:
        if key in self._others:
            return True
        place = bisect_left(self._ordered, key) if self._is_ordered(key) else len(self._ordered)
        return place < len(self._ordered) and bool(self._ordered[place] == key)

    def add(self, key: HeldKey) -> bool:
        """Add one; False if it is there."""
        if self._is_ordered(key) and (not self._ordered or self._ordered[-1] < key):
            self._ordered.append(key)
            return True
        if key in self:
            return False
        self._others.add(key)
        return True

    def _is_ordered(self, key: HeldKey) -> bool:
        return not self._ordered or type(self._ordered[0]) is type(key)


def _held(text: str) -> HeldKey:
    """A key of this text. No other text gives the same."""
    is_number = text.isdecimal() and text.isascii() and len(text) <= _DIGITS
    return int(text) if is_number and (text[0] != "0" or text == "0") else text
