"""What came from outside, made harmless for a terminal: what it does not show is spelled out."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text on one line, with control and invisible characters spelled out."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def visible_lines(text: str) -> str:
    """The same, but the lines stay lines."""
    return "\n".join(visible(line) for line in text.split("\n"))


def last_written(line: str) -> str:
    """Of a line that was written over, as a progress bar does, what stands there in the end."""
    return line.rstrip("\r").rpartition("\r")[2]


def _spelled(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
