"""What is said of a command that does not exist: the one that does what was wanted.

Nothing that destroys, or that takes what is not its own, is ever offered for a word that is near.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from durably_cli import hints, retyping
from durably_cli.cli.app import project_of
from durably_cli.cli.commands import COMMANDS
from durably_cli.errors import DurablyError

NEVER = frozenset(("delete", "prune", "repair", "import"))
"""Commands that no other word stands for."""

NEVER_OPTIONS = frozenset(("--yes", "--free-keys", "--adopt"))

CARE = "help care"
"""The page about what removes and mends."""

COMMAND_FOR = {
    word: command
    for command, words in {
        "trigger": "run start exec execute call invoke launch submit go dispatch enqueue fire",
        "inspect": "status show get describe view story trace timeline result output cat",
        "list": "runs ps ls history queue list-runs",
        "resume": "retry rerun continue restart redo recover replay",
        "logs": "log tail",
        "wait": "await join watch-run wait-for",
        "jobs": "job task tasks workflows list-jobs",
        "init": "new create setup scaffold bootstrap",
        "verify": "check fsck doctor validate audit",
        "info": "config settings env where which",
        "export": "dump backup save pack",
        "help": "docs doc man topics explain usage",
        "--version": "version",
        CARE: "rm remove del clean gc purge fix drop erase wipe forget clear",
    }.items()
    for word in words.split()
}
"""What people type, and what does it here."""


RENAMED = {"adopt": "import"}
"""What commands were called before, and still are in somebody's mail or notes."""

_IF_BARE = {
    "trigger": ("jobs",),
    "inspect": ("inspect", "@last"),
    "resume": ("resume", "@last"),
    "logs": ("logs", "@last"),
    "wait": ("wait", "@last"),
    "cancel": ("cancel", "--help"),
    "export": ("export", "--help"),
}
"""What is typed of a command that takes something, if nothing was named."""

_NEAR = 0.7
"""How like another command must be."""


def command_for(context: Any, word: str, *others: str) -> str | None:
    """The command to type in place of one that does not exist; None if nobody can say.

    The words behind it are said again, but in a mail, which may be no place for them.
    """
    if word.startswith("-"):
        return None
    if word in known_jobs(context):
        return _with(("trigger", word), others)
    wanted = RENAMED.get(word) or COMMAND_FOR.get(word.lower()) or _nearest(word, COMMANDS)
    if wanted is None:
        return None
    if wanted in (CARE, "--version"):
        return hints.command(*wanted.split())
    if not others or wanted == "cancel":
        return hints.command(*_IF_BARE.get(wanted, (wanted,)))
    return _with((wanted,), others)


def _with(command: Sequence[str], others: Sequence[str]) -> str:
    if others and retyping.is_for_a_mail(others):
        return f"{hints.command(*command)} ..."
    return hints.command(*command, *others)


def _nearest(word: str, names: Iterable[str]) -> str | None:
    """The nearest name, unless that is one that is never offered."""
    import difflib  # only after a typing mistake

    (nearest, *_) = (*difflib.get_close_matches(word, names, n=1, cutoff=_NEAR), None)
    return None if nearest in NEVER else nearest


def known_jobs(context: Any) -> Iterable[str]:
    """The names of the project's jobs, as far as they are known without importing one."""
    from durably_cli.project.known_jobs import known

    try:
        return known(project_of(context))
    except (DurablyError, OSError):
        return ()
