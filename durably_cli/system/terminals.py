"""Terminals: whether a stream is one that can be drawn on, whose turn it is to draw, its size."""

from __future__ import annotations

import os
from typing import TextIO


def can_be_drawn_on(stream: TextIO) -> bool:
    """Is it a terminal whose lines can be written over? That of TERM=dumb can not."""
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("", "dumb", "unknown")


def is_ours(stream: TextIO) -> bool:
    """Is this process in the foreground of its terminal?

    A job of the shell's background is not: there the shell's prompt has the last line.
    """
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # not the terminal of this session: it has no background
        return True


def window_of(stream: TextIO) -> tuple[int, int] | None:
    """Its columns and lines as they are now; None if it does not know."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (columns, lines) if columns and lines else None
