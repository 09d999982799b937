"""Views that are drawn again and again on a screen of their own, as `top` does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TextIO

from rich.console import Console

from durably_cli.engines.local.follow import ticks
from durably_cli.system import terminals

Cut = Callable[[list[str], int], list[str]]
"""Which of these lines are shown where there is room for so many."""

# No line wraps: one that is too long for a window that has just become narrower would push the
# first ones out of it.
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"


def redraw(out: TextIO, draw: Callable[[Console], bool], cut: Cut) -> None:
    """Draw again and again, until `draw` says False or on Ctrl-C.

    What is drawn has the size that the window has then; what is taller than it is `cut`.
    """
    try:
        out.write(_ENTER)
        for _ in ticks():
            width, height = terminals.window_of(out) or shutil.get_terminal_size()
            console = Console(
                file=out, width=width, height=height, highlight=False, emoji=False, markup=False
            )
            with console.capture() as drawn:
                goes_on = draw(console)
            lines = cut(drawn.get().rstrip("\n").split("\n"), height)
            # Before what is drawn: behind a line that fills its row it would take the last cell.
            below = f"\n{_TO_END}" if len(lines) < height else ""
            out.write(_HOME + "\n".join(_TO_LINE_END + line for line in lines) + below)
            out.flush()
            if not goes_on:
                return
    except KeyboardInterrupt:
        return
    finally:
        out.write(_LEAVE)
        out.flush()


def newest_first(lines: list[str], height: int) -> list[str]:
    """The first ones."""
    return lines[:height]


def newest_last(lines: list[str], height: int) -> list[str]:
    """The head, which ends at the first empty line, and the last ones."""
    if len(lines) <= height:
        return lines
    head = lines[: lines.index("")] if "" in lines[: height // 2] else lines[:1]
    room = max(0, height - len(head) - 1)
    left_out = len(lines) - len(head) - room
    return [*head, f"... {left_out:,} lines ...", *lines[len(lines) - room :]][:height]
