"""What is said of a command that does not exist: the one that does what was wanted.

Nothing that destroys, or that takes what is not its own, is ever offered for a word that is near.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from durably_cli import hints
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

_TAKES = {"trigger": "JOB", "inspect": "RUN", "resume": "RUN", "logs": "RUN", "wait": "RUN"}


def command_for(context: Any, word: str, *others: str) -> str | None:
    """The command to type in place of one that does not exist; None if nobody can say.

    The words behind it are not said again, for a mail may be no place for them.
    """
    if word.startswith("-"):
        return None
    more = "..." if others else ""
    if word in known_jobs(context):
        return f"{hints.command('trigger', word)} {more}".rstrip()
    wanted = RENAMED.get(word) or COMMAND_FOR.get(word.lower()) or _nearest(word, COMMANDS)
    if wanted is None:
        return None
    if wanted in (CARE, "--version"):
        return hints.command(*wanted.split())
    return f"{hints.command(wanted)} {more or _TAKES.get(wanted, '')}".rstrip()


def _nearest(word: str, names: Iterable[str]) -> str | None:
    """The nearest name, unless that is one that is never offered."""
    import difflib  # only after a typing mistake

    (nearest, *_) = (*difflib.get_close_matches(word, names, n=1), None)
    return None if nearest in NEVER else nearest


def known_jobs(context: Any) -> Iterable[str]:
    """The names of the project's jobs, as far as they are known without importing one."""
    from durably_cli.project.known_jobs import known

    try:
        return known(project_of(context))
    except (DurablyError, OSError):
        return ()
