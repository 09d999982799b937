"""Small pieces of text: what came from outside made harmless, and times, spans and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.state import NO_END
from durably_cli.system import clock
from durably_cli.values.visible import visible


def visible_json(text: str) -> str:
    """A JSON text that says the same, without the control characters that JSON lets stand."""
    return text.replace("\x7f", "\\u007f").replace("\r", " ")


def cut_inside(text: str, width: int) -> str:
    """The text in so many cells, with its beginning and its end, by which names differ."""
    if sum(map(_cells, text)) <= width or width < 3:
        return text
    end = (width - 1) // 2
    return f"{_first(text, width - 1 - end)}…{_first(text[::-1], end)[::-1]}"


def _first(text: str, width: int) -> str:
    return text[: sum(cells <= width for cells in accumulate(map(_cells, text)))]


def _cells(letter: str) -> int:
    """A Chinese letter is as wide as two others."""
    if letter.isascii():
        return 1
    from unicodedata import east_asian_width  # no pipe asks

    return 2 if east_asian_width(letter) in "WF" else 1


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def one_line(error: ErrorInfo) -> str:
    """`ValueError: what it says`, the first line of that."""
    message = error.message.split("\n", 1)[0]
    return f"{error.type}: {message}" if message else error.type


def in_steps(causes: Sequence[str]) -> str:
    """` in step one`, ` in steps one, two`; nothing for a failure that came from none."""
    return f" in step{'s' if len(causes) > 1 else ''} {listed(causes)}" if causes else ""


def age(at: str) -> str:
    """How long ago, in one unit: 5s, 12m, 3h, 9d."""
    seconds = int(max(0.0, (clock.utc_now() - clock.parse_time(at)).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def local_time(at: str) -> str:
    """A journal's time as a person reads it, in the zone of this machine, with its offset.

    `--since` reads it back.
    """
    return clock.parse_time(at).astimezone().isoformat(" ", "seconds")


def local_clock(at: str) -> str:
    """The time of day of that."""
    return local_time(at)[11:]


def utc_time(at: str) -> str:
    """A journal's time for whoever reads it elsewhere: what is no screen is in UTC."""
    return f"{at[:10]} {at[11:19]}Z"


class Times:
    """The times in a picture that goes elsewhere: all with one offset, which is said there.

    It is the one of this machine's zone when the run was made.
    """

    def __init__(self, created: str) -> None:
        self._zone = clock.parse_time(created).astimezone().tzinfo
        self.offset = local_time(created)[19:]

    def whole(self, at: str) -> str:
        """Day and time, to the second."""
        return self._local(at).isoformat(" ", "seconds")[:19]

    def of_day(self, at: str) -> str:
        """The time of day, to the millisecond."""
        return self._local(at).isoformat(" ", "milliseconds")[11:23]

    def _local(self, at: str) -> datetime:
        return clock.parse_time(at).astimezone(self._zone)


def outcome_text(outcome: str) -> str:
    """What came of an attempt that no process is at any more."""
    return "killed or crashed" if outcome == NO_END else visible(outcome)
