"""What a shell offers when Tab is pressed: jobs and runs, from what is cached or stands in line 0.

No job is imported and no journal read through. What goes wrong offers nothing: a shell prompt is
no place for an error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import typer
from typer._click.shell_completion import split_arg_string

from durably_cli import hints
from durably_cli.cli.app import offered, project_of
from durably_cli.cli.commands import COMMANDS
from durably_cli.errors import DurablyError, UsageError

VARIABLE = "_DURABLY_COMPLETE"
"""By which a shell asks: it has `source_` or `complete_`, and the shell's name."""

_RUNS = 30
"""How many runs are offered, the newest ones."""


def complete_jobs(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The project's jobs, with what they do."""
    from durably_cli.project import known_jobs

    project = _project(context)
    if project is None:
        return []
    known = known_jobs.known(project)
    return [(name, offered(known[name])) for name in sorted(known) if name.startswith(incomplete)]


def complete_runs(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The newest runs, with job and age; and the words that mean a run."""
    project = _project(context)
    found = [] if project is None else [*_runs(project), *_WORDS]
    return [(run, help) for run, help in found if run.startswith(incomplete)]


def complete_topics(incomplete: str) -> list[tuple[str, str]]:
    """The topics of `durably help`."""
    from durably_cli.cli.help import TOPICS, title

    return [(name, title(name)) for name in TOPICS if name.startswith(incomplete)]


_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")

_WORDS = (("@last", "the newest run"), ("@failed", "the newest run that failed"))


def _runs(project: Path) -> Iterator[tuple[str, str]]:
    from durably_cli.project import stores
    from durably_cli.render.words import age
    from durably_cli.system.ids import short

    try:
        store = stores.open_store(project)
        for run_id in islice(store.run_ids(), _RUNS):
            created = store.created(run_id)
            if created is not None:
                yield short(run_id), f"{created.job}, {age(created.at)} ago"
    except (DurablyError, OSError):
        return


def ask_for_script(script: str, job: str) -> None:
    """What a shell asks of a script's command line, in the words of durably's."""
    line = "COMP_WORDS" if "COMP_WORDS" in os.environ else "_TYPER_COMPLETE_ARGS"
    name, *words = split_arg_string(os.environ.get(line, ""))
    at = int(os.environ.get("COMP_CWORD") or len(words))
    first = words[0] if words else ""
    is_command = not first.startswith("-") if at <= 1 else first in COMMANDS
    before = ["-C", script] if is_command else ["-C", script, "trigger", job]
    asked = " ".join(map(hints.quoted, (name, *before, *words)))
    os.environ |= {line: asked, "COMP_CWORD": str(at + len(before))}


def refuse_odd_question() -> None:
    """UsageError if the variable is set, but not as a shell's completion script sets it."""
    question = os.environ.get(VARIABLE, "")
    what, _, shell = question.partition("_")
    hint = f"{hints.command('--help')}    (says how completion is installed)"
    if what not in ("source", "complete") or shell not in _SHELLS:
        raise UsageError(f"{VARIABLE}={question} is nothing that a shell asks", hint=hint)
    words, place = os.environ.get("COMP_WORDS"), os.environ.get("COMP_CWORD", "")
    if question == "complete_bash" and (words is None or not place.isdecimal()):
        raise UsageError(
            f"{VARIABLE}={question} takes the line in COMP_WORDS and its word's number in "
            "COMP_CWORD, as bash sets them",
            hint=hint,
        )


def show_script(shell: str) -> int:
    """Print what teaches this shell to complete, whichever called: a Dockerfile has another one."""
    from typer._completion_shared import get_completion_script

    if shell not in _SHELLS:
        raise UsageError(
            f"there is no completion for {shell!r:.80}: it is for {', '.join(_SHELLS)}",
            hint=hints.command("--show-completion", "bash"),
        )
    name = os.path.basename(sys.argv[0])
    asks = f"_{name}_COMPLETE".replace("-", "_").upper()
    print(get_completion_script(prog_name=name, complete_var=asks, shell=shell))
    return 0


def _project(context: typer.Context) -> Path | None:
    try:
        return project_of(context)
    except DurablyError:
        return None
