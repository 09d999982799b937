"""The line at the bottom of a terminal that says what a run is at: how it is laid out and drawn.

What is printed meanwhile stands above it. So does the cursor, where that ended: the programs that a
job starts write to the terminal past durably, and what is typed is shown there. It is drawn only
while the process is in the foreground, and no mode of the terminal is changed: a process that is
killed gives it back as it was.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.control import Control
from rich.file_proxy import FileProxy
from rich.segment import ControlType, Segment
from rich.text import Text

from durably_cli.system import terminals

_FRAME_SECONDS = 0.1
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_BAR, _SHORTEST_BAR, _SHORTEST_TEXT = 24, 8, 10


class Facts(NamedTuple):
    """What a run is at; `share` is how much of `of` is done, None if nobody knows.

    Of `more` each is there in full or not at all, what matters most first.
    """

    job: str = ""
    run: str = ""
    step: str = ""
    share: float | None = None
    of: str = ""
    counts: str = ""
    more: tuple[str, ...] = ()


class _Part(NamedTuple):
    """A part of the line: the fewest and the most cells that it takes, and how it is drawn."""

    least: int
    most: int
    draw: Callable[[int], Text]


def laid_out(facts: Facts, seconds: float, width: int) -> Text:
    """The line, in so many cells at the most.

    What matters most is there however narrow it is: that it goes on, and for how long; the step;
    how far it is. The rest comes as there is room.
    """
    spinner = _SPINNER[int(seconds / _FRAME_SECONDS) % len(_SPINNER)]
    ends = _text(spinner, "green"), _text(_clock(seconds), "cyan")
    urgent, others = facts.more[:2], facts.more[2:]
    rest = {text: _text(f"· {text}", "red" if "✗" in text else "dim") for text in facts.more}
    parts: dict[str, _Part | None] = {
        "job": _text(facts.job, "bold"),
        "run": _text(facts.run, "dim"),
        "step": _shortened(facts.step),
        "bar": None if facts.share is None else _bar(facts.share),
        "of": _shortened(facts.of),
        **rest,
        "counts": _text(facts.counts, "dim"),
    }
    there = {name: part for name, part in parts.items() if part and part.most}
    room = width - sum(end.most for end in ends) - 1
    shown: dict[str, int] = {}
    for name in ("step", "of", *urgent, "bar", *others, "job", "counts", "run"):
        if name in there and there[name].least < room:
            shown[name] = there[name].least
            room -= there[name].least + 1
    for name in shown:
        more = min(room, there[name].most - shown[name])
        shown[name] += more
        room -= more
    drawn = [part.draw(shown[name]) for name, part in there.items() if name in shown]
    return Text(" ").join([ends[0].draw(1), *drawn, ends[1].draw(ends[1].most)])


def _text(text: str, style: str) -> _Part:
    """A text that is there in full or not at all."""
    whole = Text(text, style)
    return _Part(whole.cell_len, whole.cell_len, lambda cells: whole)


def _shortened(text: str) -> _Part:
    whole = Text(text)

    def draw(cells: int) -> Text:
        whole.truncate(cells, overflow="ellipsis")
        return whole

    return _Part(min(whole.cell_len, _SHORTEST_TEXT), whole.cell_len, draw)


def _bar(share: float) -> _Part:
    def draw(cells: int) -> Text:
        done = round(share * cells)
        return Text.assemble(("━" * done, "green"), ("─" * (cells - done), "dim"))

    return _Part(_SHORTEST_BAR, _BAR, draw)


def _clock(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


_ERASE_BELOW = "\x1b[J"
"""What takes back all behind the cursor, and so the line that is drawn below it."""

ERASE = f"\r{_ERASE_BELOW}"
"""What takes back the line that the cursor is in as well, where a terminal shows ^C."""

_ROOM_BELOW = "\x1bD\x1b[A"
_SAVE, _BELOW, _BACK = "\x1b7", "\x1b[B\r", "\x1b8"

_STREAMS = ("stdout", "stderr")


class LiveLine(RenderHook):
    """The line of this console, drawn ten times a second from what `facts` says then.

    Python's sys.stdout and sys.stderr lead above it from `start` to `stop`.
    """

    def __init__(self, console: Console, stream: TextIO, facts: Callable[[], Facts]) -> None:
        self._console, self._stream, self._facts = console, stream, facts
        self._pid = os.getpid()
        self._begun = 0.0
        self._width_before = 0
        self._line = _Drawn([])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_drawing, daemon=True)

    def start(self) -> None:
        """Draw it from now on. Nothing happens if it is there."""
        if self._begun:
            return
        self._begun = time.monotonic()
        self._streams = [getattr(sys, name) for name in _STREAMS]
        self._proxies = [FileProxy(self._console, each) for each in self._streams]
        for name, proxy in zip(_STREAMS, self._proxies, strict=True):
            setattr(sys, name, proxy)
        self._console.push_render_hook(self)
        self._thread.start()

    def stop(self) -> None:
        """Take it away for good."""
        if not self._begun or self._ended.is_set():
            return
        self._ended.set()
        self._thread.join()
        for proxy in self._proxies:
            proxy.flush()
        self._console.print(Control())
        self._console.pop_render_hook()
        for name, proxy, stream in zip(_STREAMS, self._proxies, self._streams, strict=True):
            if getattr(sys, name) is proxy:  # else the job has put its own there
                setattr(sys, name, stream)

    @property
    def width(self) -> int:
        """How many cells a row has now."""
        window = terminals.window_of(self._stream)
        return window[0] if window else self._console.width

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What is printed, with the line taken away before it and drawn again behind it."""
        if os.getpid() != self._pid:  # a child, which has no line
            return renderables
        if not terminals.is_ours(self._stream):
            return renderables  # the last line is the shell's now
        width = self.width
        is_drawn_again = threading.current_thread() is self._thread
        is_window = terminals.window_of(self._stream) is not None
        to_new_line = _to_new_line(width) if is_window and not is_drawn_again else ""
        before = _Drawn([_codes(_ERASE_BELOW + to_new_line)])
        if self._ended.is_set():
            return [before, *renderables]
        if is_drawn_again or width != self._width_before:
            self._line = self._drawn(width)
            self._width_before = width
        return [before, *renderables, self._line]

    def _drawn(self, width: int) -> _Drawn:
        """The line as it is now, below the cursor: rendered once, for it is drawn often."""
        line = laid_out(self._facts(), time.monotonic() - self._begun, width - 1)
        line.no_wrap, line.end = True, ""
        below, back = _codes(_ROOM_BELOW + _SAVE + _BELOW), _codes(_BACK)
        return _Drawn([below, *self._console.render(line), back])

    def _keep_drawing(self) -> None:
        while not self._ended.wait(_FRAME_SECONDS):
            self._console.print(Control())


def _to_new_line(width: int) -> str:
    """What goes to the next line, unless the cursor is at the beginning of one.

    A program of the job may have left it anywhere: so many spaces end in the next line then.
    """
    return " " * (width - 1) + f"\r{_ERASE_BELOW}"


class _Drawn:
    """What was rendered before."""

    def __init__(self, segments: list[Segment]) -> None:
        self._segments = segments

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> list[Segment]:
        return self._segments


def _codes(codes: str) -> Segment:
    """What moves the cursor or takes something back."""
    return Segment(codes, None, [(ControlType.CARRIAGE_RETURN,)])
