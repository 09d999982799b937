"""`durably prune`: remove old runs for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_moment
from durably_cli.cli.asking import confirm, say, show_runs
from durably_cli.cli.parameters import (
    AsJson,
    FreeKeys,
    Statuses,
    Yes,
)
from durably_cli.engines.old import Old
from durably_cli.engines.removal import removed
from durably_cli.errors import UsageError
from durably_cli.project.engine import open_engine
from durably_cli.project.settings import settings_of
from durably_cli.render.rows import write_json
from durably_cli.values.quantities import plural, size


@as_command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How old: 45m, 12h, 30d, 8w, or before a date."),
    ] = None,
    keep_last: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Keep the newest N runs of each job.")
    ] = None,
    status: Statuses = None,
    free_keys: FreeKeys = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs that would go, and leave them.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Remove old runs for good.

    A run is as old as its end, or its last sign of life; one that is a step of another run goes
    with that one. The ids of those that are gone are printed, one a line. With --json and without
    --yes it says which would go, and leaves them.

    Without --older-than, `keep` and `keep_last` of [tool.durably] say what goes, as for `durably
    tick`.

    \b
    Examples:
      durably prune --older-than 30d --dry-run
      durably prune --older-than 30d --keep-last 5 --yes
      durably prune --older-than 8w --status failed --status completed -y
    """
    looks_only = dry_run or (as_json and not yes)
    moment = None if older_than is None else read_moment(older_than, "--older-than")
    project = project_of(context)
    old = _set_for(project) if moment is None else Old(moment)
    if keep_last is not None:
        old = old._replace(keep_last=keep_last)
    old = old._replace(statuses=status or [], free_keys=free_keys)
    run = run_prune_json if as_json else run_prune
    return run(project, PruneOptions(old, looks_only, yes))


_SHOWN = 10


class PruneOptions(NamedTuple):
    """The options of `durably prune`, as they were read."""

    old: Old
    looks_only: bool
    yes: bool


def run_prune(project: Path, options: PruneOptions) -> int:
    """`durably prune`; the exit code."""
    engine = open_engine(project)
    removal = engine.removal
    freed = 0 if options.looks_only else removal.sweep()
    old = removal.old_runs(options.old)
    is_terminal = sys.stdout.isatty()
    if options.looks_only and is_terminal:
        show_runs(engine.runs, old, sys.stdout)
    if options.looks_only or not old:
        for run_id in () if is_terminal else old:
            print(run_id)
        nothing = "no run of that age and status is there, or it is held"
        say(f"{plural(len(old), 'run')} would go" if options.looks_only else nothing)
        return 0
    if not options.yes:
        show_runs(engine.runs, old[:_SHOWN], sys.stderr)
        if len(old) > _SHOWN:
            say(f"... and {len(old) - _SHOWN:,} more; --dry-run shows them all")
    if not confirm(f"Delete {plural(len(old), 'run')} for good?", yes=options.yes):
        say("nothing was deleted")
        return 0
    gone = 0
    for run_id, bytes_ in removed(removal, old, options.old):
        gone, freed = gone + 1, freed + bytes_
        print(run_id)
    say(f"deleted {plural(gone, 'run')}, {size(freed)}")
    return 0


def run_prune_json(project: Path, options: PruneOptions) -> int:
    """The same for programs; the exit code."""
    removal = open_engine(project).removal
    gone, old, freed = list[str](), list[str](), 0
    try:
        freed += 0 if options.looks_only else removal.sweep()
        old += removal.old_runs(options.old)
        for run_id, bytes_ in () if options.looks_only else removed(removal, old, options.old):
            gone.append(run_id)
            freed += bytes_
    finally:
        left = old if options.looks_only else []
        document.suggest(hints.command("list"), hints.command("help", "care"))
        members = {"deleted": gone, "would_delete": left, "freed_bytes": freed}
        write_json(members, document.on(sys.stdout))
    return 0


def _set_for(project: Path) -> Old:
    """What the project's settings say. UsageError if that is nothing."""
    settings = settings_of(project)
    if not settings.retains:
        raise UsageError(
            "--older-than is missing, and [tool.durably] has neither keep nor keep_last",
            hint=f"{hints.command('help', 'notices')}    (says what those are)",
        )
    return Old.staying(settings.keep, settings.keep_last)
