"""`durably resume`: go on with a run where it was."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_decisions, read_limit
from durably_cli.cli.parameters import AsJson, DryRun, OneRun, Only, Quiet, Redo, Suspend, Timeout
from durably_cli.errors import UsageError


@as_command()
def resume(
    context: typer.Context,
    run: OneRun,
    redo: Redo = None,
    only: Only = False,
    done: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP", help="A step was done, whatever the journal says. May be repeated."
        ),
    ] = None,
    result: Annotated[
        list[str] | None,
        typer.Option(metavar="JSON", help="What that step gave; null by default."),
    ] = None,
    dry_run: DryRun = False,
    kill_leftovers: Annotated[
        bool,
        typer.Option(
            "--kill-leftovers",
            help="End programs of the run that still live, where it would be refused for them.",
        ),
    ] = False,
    timeout: Timeout = None,
    suspend: Suspend = False,
    only_as: Annotated[int | None, typer.Option("--only-as-attempt", hidden=True)] = None,
    tick_place: Annotated[int | None, typer.Option(hidden=True)] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run where it was, after a failure or a crash.

    Finished steps are replayed, the rest is executed. The output of a run that has completed is
    printed again. `durably help again` says how to have finished steps executed again, and what to
    do about a step that may have happened.

    \b
    Examples:
      durably resume 3f2a9c1d
      durably resume @failed
      durably resume key:sync-users/2026-11-24
      durably resume @failed --dry-run
      durably resume @failed --redo fetch
      durably resume @failed --redo 'fit*' --only
      durably resume @failed --done card --result '{"id": "ch_123"}'
    """
    decisions = read_decisions(redo or [], done or [], result or [], only=only)
    from durably_cli.project.engine import engine_of_workers

    seconds = None if timeout is None else read_limit(timeout, "--timeout")
    project = project_of(context)
    if dry_run:
        from durably_cli.cli.planning import show_plan  # rarely asked for

        return show_plan(project, run, decisions, as_json=as_json)
    elsewhere = engine_of_workers(project)
    if elsewhere is not None:
        from durably_cli.cli.elsewhere import resume_elsewhere  # not for the local engine

        if kill_leftovers:
            raise UsageError("--kill-leftovers is of the engine local: a worker executes the run")
        return resume_elsewhere(
            elsewhere,
            project,
            run,
            decisions,
            timeout=seconds,
            suspends=suspend,
            quiet=quiet,
            as_json=as_json,
        )
    from durably_cli.cli.coming_to_runs import resume_run  # not for --help, nor for completion

    if tick_place is not None:
        from durably_cli.engines.local.tick_room import hold_place  # only behind a tick

        context.obj = hold_place(tick_place)
    return resume_run(
        project,
        run,
        decisions,
        kill_leftovers=kill_leftovers,
        timeout=seconds,
        suspends=suspend,
        only_as=only_as,
        quiet=quiet,
        as_json=as_json,
    )
