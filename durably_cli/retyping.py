"""The command line as it was typed, with a word of it put right: what to type after a mistake.

Never one that ends or removes something, for the mistake may be another; nor for a mail, which may
be no place for what was typed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from durably_cli import hints

NOT_AGAIN = frozenset(("cancel", "delete", "import", "prune", "repair"))
"""Commands that are never offered with what was typed."""


def is_for_a_mail(words: Sequence[str]) -> bool:
    """Does what is said of these words go into a mail? A line that is not read says so itself."""
    is_quiet = bool({"-q", "--quiet"} & {*words}) or os.environ.get("DURABLY_QUIET", "0") != "0"
    return hints.is_read_elsewhere() or is_quiet


def behind(typed: str) -> str | None:
    """The word behind this one; None if there is none."""
    words = hints.words_typed()[1:]
    place = words.index(typed) + 1 if typed in words else len(words)
    return words[place] if place < len(words) else None


def with_word(typed: str, *right: str, drops: str | None = None) -> str | None:
    """The command that was typed, with these words for that one, which may be an option's value.

    The word behind it goes if it is the one that `drops` says. None if the command cannot be given
    again, or if nobody can say which word it is.
    """
    command, *words = hints.words_typed() or ("",)
    places = [n for n, word in enumerate(words) if typed in (word, _value_in(word))]
    if len(places) != 1 or command in NOT_AGAIN or is_for_a_mail(words):
        return None
    (place,) = places
    if words[place] != typed:
        right = (words[place].removesuffix(typed) + " ".join(right),)
    rest = words[place + 1 :]
    if drops is not None and rest[:1] == [drops]:
        rest = rest[1:]
    return hints.command(command, *words[:place], *right, *rest)


def _value_in(word: str) -> str | None:
    return word.partition("=")[2] if word.startswith("--") and "=" in word else None
