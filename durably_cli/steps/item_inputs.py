"""Whether an item that is known by a key is still what it was when it was executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from durably_cli.journal.masking import Secrets
from durably_cli.values.quantities import plural
from durably_cli.values.untrusted import safely

_SHOWN = 3


def digest_of(item: Any, secrets: Secrets | None) -> str:
    """A digest that equal items have; none of what has no text, and of what holds a secret."""
    from durably_cli.values.canonical import canonical  # only maps with `key=` pay for it

    text = safely(lambda given: canonical(given, {}), item)
    if text is None or (secrets is not None and secrets.held_by(text) is not None):
        return ""
    return f"{crc32(text.encode()):08x}"


def said_of_changed(map_name: str, names: Sequence[str]) -> str:
    """The line of the log about items that are replayed though they have changed."""
    some = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return (
        f"{plural(len(names), 'item')} of {map_name!r} replayed as executed before, with another "
        f"input under the same key: {some}; --redo {names[0]!r} executes such an item again"
    )
