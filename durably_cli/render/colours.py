"""The colour and the sign of every status, the same wherever one is drawn."""

from __future__ import annotations

from rich.text import Text

LOOKS = {
    "completed": ("green", "✓"),
    "ok": ("green", "✓"),
    "unfinished": ("yellow", "◐"),
    "warning": ("yellow", "!"),
    "failed": ("red", "✗"),
    "damaged": ("red", "✗"),
    "unreadable": ("red", "✗"),
    "broken": ("red", "✗"),
    "running": ("cyan", "●"),
    "pending": ("cyan", "○"),
    "waiting": ("magenta", "⏲"),
    "interrupted": ("yellow", "◐"),
    "in doubt": ("yellow", "?"),
    "cut short": ("yellow", "◐"),
    "cancelled": ("dim", "-"),
}


def status_text(status: str) -> Text:
    """A status with its sign and colour."""
    colour, sign = LOOKS.get(status, ("", "·"))
    return Text(f"{sign} {status}", style=colour)
