"""Numbers as people read them."""

from __future__ import annotations


def size(count: int) -> str:
    """How many bytes, for people: 12 B, 3.4 kB, 5.6 MB."""
    if count < 1000:
        return f"{count} B"
    for unit, bytes_ in (("kB", 1e3), ("MB", 1e6)):
        if count < 999.5 * bytes_:
            return f"{count / bytes_:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"


def with_article(noun: str) -> str:
    """`a set`, `an object`."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def plural(count: int, noun: str) -> str:
    """`1 step`, `2 steps`, `10,000 steps`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
