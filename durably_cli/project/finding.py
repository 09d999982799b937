"""Which engine has a run: the project's, or the one that it had before, or has for other calls."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli import hints
from durably_cli.errors import DurablyError, NotFound, UsageError
from durably_cli.project.engine import engine_name, engine_of, open_engine
from durably_cli.project.settings import DBOS, LOCAL, engine_settings

if TYPE_CHECKING:
    from durably_cli.engines.runs import Runs


def runs_of_engine(project: Path, name: str) -> Runs:
    """The runs of the engine of this name, for which hints are from now on."""
    if name != engine_name(engine_settings(project)):
        hints.are_of_engine(name)
    return engine_of(project, name).runs


def find_anywhere(project: Path, query: str, runs: Runs | None = None) -> tuple[Runs, str]:
    """The runs of the engine that has the run which a person means, and its id.

    The project's engine is asked first, whose `runs` may be given. If the other one has it, hints
    are for that from now on. NotFound and UsageError as from `Runs.find`.
    """
    runs = runs or open_engine(project).runs
    try:
        return runs, runs.find(query)
    except NotFound as missing:
        found = _in_other(project, query)
        if found is None:
            raise missing
        name, others, run_id = found
        hints.are_of_engine(name)
        return others, run_id


def find_here(project: Path, query: str, runs: Runs) -> str:
    """The id of the run that a person means, of these runs, which are of the project's engine.

    NotFound says what to type if the other engine has it.
    """
    try:
        return runs.find(query)
    except NotFound as missing:
        found = _in_other(project, query)
        if found is None:
            raise missing
        name, others, run_id = found
        what = f"run {query} is not in {runs.place}, but one of the engine {name}: {others.place}"
        with hints.of_engine(name):
            hint = _typed_again() or hints.command("inspect", run_id)
        raise NotFound(what, hint=hint, run=run_id) from None


def _typed_again() -> str | None:
    """The command as it was typed, unless that is not to be said."""
    from durably_cli.retyping import NOT_AGAIN, is_for_a_mail  # only after a mistake

    command, *words = hints.words_typed() or ("",)
    is_unsaid = not command or command in NOT_AGAIN or is_for_a_mail(words)
    return None if is_unsaid else hints.command(command, *words)


def _in_other(project: Path, query: str) -> tuple[str, Runs, str] | None:
    """The other engine's name and runs, and the id of the run, if it has that.

    Not by a word: `@last` is the newest run of one engine.
    """
    if query.startswith("@"):
        return None
    with suppress(NotFound, UsageError):
        for name, runs in _others(project):
            return name, runs, runs.find(query)
    return None


def _others(project: Path) -> list[tuple[str, Runs]]:
    """The engine that is not the project's, if it is to be had."""
    settings = engine_settings(project)
    other = LOCAL if engine_name(settings) == DBOS else DBOS
    if other == DBOS and not settings.name:  # as in nearly all projects
        return []
    try:
        runs = engine_of(project, other).runs
        next(runs.run_ids(), None)  # is it there?
    except DurablyError:
        return []
    return [(other, runs)]
