"""What is said of a command or an option that does not exist: the word that does what was wanted.

Nothing that destroys, or that takes what is not its own, is ever offered for a word that is near.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from durably_cli import hints
from durably_cli.cli.app import project_of
from durably_cli.cli.commands import COMMANDS
from durably_cli.errors import DurablyError

NEVER = frozenset(("delete", "prune", "repair", "adopt", "import"))
"""Commands that no other word stands for."""

NEVER_OPTIONS = frozenset(("--yes", "--free-keys", "--adopt"))

CARE = "help care"
"""The page about what removes and mends."""

OFTEN_TYPED = {
    word: command
    for command, words in {
        "trigger": "run start exec execute call invoke launch submit",
        "inspect": "status show get describe view",
        "list": "runs ps ls history",
        "resume": "retry rerun continue restart redo recover",
        "logs": "log tail",
        "jobs": "job",
        "init": "new create",
        "verify": "check fsck",
        "info": "config settings env where",
        CARE: "rm remove del clean gc purge fix",
    }.items()
    for word in words.split()
}
"""What people type, and the command that does it here."""


_TAKES = {"trigger": "JOB", "inspect": "RUN", "resume": "RUN", "logs": "RUN"}


def command_for(context: Any, word: str, *others: str) -> str | None:
    """The command to type in place of one that does not exist; None if nobody can say.

    The words behind it are not said again, for a mail may be no place for them.
    """
    if word.startswith("-"):
        return None
    more = "..." if others else ""
    if word in _jobs(context):
        return f"{hints.command('trigger', word)} {more}".rstrip()
    wanted = OFTEN_TYPED.get(word.lower()) or _nearest(word, COMMANDS)
    if wanted is None:
        return None
    if wanted == CARE:
        return hints.command(*wanted.split())
    return f"{hints.command(wanted)} {more or _TAKES.get(wanted, '')}".rstrip()


def usage_error(error: Any) -> str:
    """What to print for a usage error of click's."""
    near = getattr(error, "possibilities", None)
    if near:
        error.possibilities = [option for option in near if option not in NEVER_OPTIONS]
    text = io.StringIO()
    error.show(file=text)
    context = error.ctx
    if context is None:
        return text.getvalue()
    words = [context.info_name] if context.parent else []
    option = context.help_option_names[0]
    theirs = f"Try '{context.command_path} {option}' for help."
    return text.getvalue().replace(theirs, f"Try {hints.command(*words, option)} for help.", 1)


def _nearest(word: str, names: Iterable[str]) -> str | None:
    """The nearest name, unless that is one that is never offered."""
    import difflib  # only after a typing mistake

    (nearest, *_) = (*difflib.get_close_matches(word, names, n=1), None)
    return None if nearest in NEVER else nearest


def _jobs(context: Any) -> Iterable[str]:
    """The names of the project's jobs, as far as they are known without importing one."""
    from durably_cli.project import known_jobs

    try:
        return known_jobs.known(project_of(context))
    except (DurablyError, OSError):
        return ()
