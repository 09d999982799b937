"""`durably delete`: remove runs for good."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import asks_here, confirm, say, show_runs
from durably_cli.cli.parameters import (
    AsJson,
    FreeKeys,
    SomeRuns,
    Statuses,
    Yes,
)
from durably_cli.engines.engine import Engine
from durably_cli.engines.lookup import job_and_key
from durably_cli.engines.old import FINAL
from durably_cli.engines.run_view import RunView
from durably_cli.engines.runs import Runs
from durably_cli.errors import JournalError, NotFound
from durably_cli.journal.state import Status
from durably_cli.project.engine import open_engine
from durably_cli.project.finding import find_here
from durably_cli.render.rows import write_json
from durably_cli.render.words import age
from durably_cli.values.quantities import plural, size


@as_command()
def delete(
    context: typer.Context,
    runs: SomeRuns,
    status: Statuses = None,
    free_keys: FreeKeys = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Remove the runs that are named for good.

    On a terminal it shows them and asks; in a pipe it does neither.

    Never one that a process executes, and one that could be resumed only if its status is named.

    \b
    Examples:
      durably delete @last
      durably delete @failed --status failed
      durably delete @last --yes
    """
    options = DeleteOptions(status or [], free_keys, yes, as_json)
    return run_delete(project_of(context), runs, options)


class DeleteOptions(NamedTuple):
    """The options of `durably delete`, as they were read."""

    statuses: Collection[Status]
    free_keys: bool
    yes: bool
    as_json: bool


def run_delete(project: Path, query: list[str], options: DeleteOptions) -> int:
    """`durably delete`; the exit code. All runs are looked up before one is removed."""
    engine = open_engine(project)
    removal = engine.removal
    gone, freed_keys, freed_bytes = list[str](), list[str](), 0
    try:
        if asks_here() and not options.yes and not _is_wanted(project, engine.runs, query):
            say("nothing was deleted")
            return 0
        freed_bytes += removal.sweep()
        runs = list[str]()
        for one in query:
            run = _run_or_freed(project, engine, one, options.free_keys)
            (freed_keys if run is None else runs).append(run or one)
        for run_id in runs:
            document.about(run_id)
            freed_bytes += removal.remove(
                run_id, options.statuses or FINAL, free_key=options.free_keys
            )
            gone.append(run_id)
            if not options.as_json:
                print(run_id)
    finally:
        if options.as_json:
            members = {"deleted": gone, "freed_keys": freed_keys, "freed_bytes": freed_bytes}
            document.suggest(hints.command("list"))
            write_json(members, document.on(sys.stdout))
    if gone:
        say(f"deleted {plural(len(gone), 'run')}, {size(freed_bytes)}")
    return 0


def _is_wanted(project: Path, runs: Runs, query: list[str]) -> bool:
    """Does the person who is shown the runs want them gone? Keys of no run are not asked for."""
    found = dict.fromkeys(filter(None, (_run_of(project, runs, one) for one in query)))
    if not found:
        return True
    show_runs(runs, found, sys.stderr)
    return confirm(f"Delete {plural(len(found), 'run')} for good?", yes=False)


def _run_of(project: Path, runs: Runs, query: str) -> str | None:
    try:
        return find_here(project, query, runs)
    except (NotFound, JournalError):
        if query.startswith("key:"):  # whose claim may be to be freed
            return None
        raise


def _run_or_freed(project: Path, engine: Engine, query: str, free_keys: bool) -> str | None:
    """The run that the query names; None if it was the key of a deleted run, which is now free."""
    runs = engine.runs
    if not query.startswith("key:"):
        return find_here(project, query, runs)
    job, key = job_and_key(query)
    try:
        found = runs.claimed(job, key)
    except JournalError:
        if not free_keys:
            raise
        engine.removal.free_key(job, key)
        say(f"the claim of {query} was damaged; it is free")
        return None
    if found.run is not None and not (found.deleted and _is_imported(runs, found.run)):
        return found.run
    if free_keys:
        if engine.removal.free_key(job, key):
            say(f"{query} is free")
            return None
    elif found.deleted:
        raise NotFound(
            f"the run of {query} was deleted {age(found.deleted)} ago",
            hint=f"{hints.command('help', 'care')}    (says how to free its key)",
        )
    return find_here(project, query, runs)


def _is_imported(runs: Runs, run_id: str) -> bool:
    """Is it a copy, which is another matter than the run that was deleted?"""
    found = runs.look(run_id)
    if not isinstance(found, RunView):
        return False
    with found:
        return found.imported
