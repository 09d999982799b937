"""Talking with a person: to say what was done, and to ask before what cannot be undone."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from durably_cli import hints
from durably_cli.engines.runs import Runs
from durably_cli.errors import JournalDamaged, UsageError
from durably_cli.render import rows
from durably_cli.values.visible import visible, visible_lines


def say(text: str) -> None:
    """A line of talk, whatever names of the user's are in it."""
    print(visible(text), file=sys.stderr)


def say_hint(hint: str) -> None:
    """What to type, a command a line."""
    print(f"try: {visible_lines(hints.shown(hint))}", file=sys.stderr)


def confirm(question: str, *, yes: bool, hint: str | None = None) -> bool:
    """Whether to go on: as was said beforehand, else as the person at the terminal says.

    UsageError where nobody can be asked, with that hint if what is asked for destroys nothing.
    """
    if yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "nobody can be asked here",
            hint=hint
            or f"call it on a terminal\n{hints.command('help', 'care')}    "
            "(says how to answer beforehand)",
        )
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def asks_here() -> bool:
    """Does a person sit at all three streams? In a pipe nobody is ever asked."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def show_runs(runs: Runs, run_ids: Iterable[str], out: TextIO) -> None:
    """The runs as `durably list` shows them."""
    if not out.isatty():
        rows.write_list(runs.look_at(run_ids), out)
        return
    from durably_cli.render.tables import console_on, show_list  # only on a terminal

    show_list(runs.look_at(run_ids), console_on(out))


def say_damage(damage: JournalDamaged | None) -> None:
    """Say where a run is damaged, if it is."""
    if damage is not None:
        say(f"it is damaged at line {damage.line}, byte {damage.byte:,}")
