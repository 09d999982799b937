"""How it is said on stderr what becomes of a run: on a terminal with a live line, or not at all."""

from __future__ import annotations

from typing import TextIO

from durably_cli.render.lines import Silent, Talk
from durably_cli.system import terminals


def talk_on(stream: TextIO, quiet: bool) -> Talk:
    """Who says it there."""
    if quiet:
        return Silent(stream)
    if not terminals.can_be_drawn_on(stream):
        return Talk(stream)
    from durably_cli.render.live import Live  # loads rich: only on a terminal

    return Live(stream)
