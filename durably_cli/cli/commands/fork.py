"""`durably fork`: a new run that starts with what another one has."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import laid_over_by, read_decisions, read_limit
from durably_cli.cli.asking import say
from durably_cli.cli.parameters import AsJson, DryRun, OneRun, Only, Quiet, Redo, Suspend, Timeout
from durably_cli.project.engine import engine_of_workers
from durably_cli.values.strict_json import Json


@as_command()
def fork(
    context: typer.Context,
    run: OneRun,
    redo: Redo = None,
    only: Only = False,
    redo_failed: Annotated[
        bool, typer.Option("--redo-failed", help="Execute all failed steps again.")
    ] = False,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="KEY=TEXT|KEY:=JSON",
            help="One field of the input, laid over that of the run. May be repeated.",
        ),
    ] = None,
    dry_run: DryRun = False,
    timeout: Timeout = None,
    suspend: Suspend = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Make a new run that starts with the results of one that has ended.

    That one stays as it is. Its finished steps are replayed, and so are failures which the job
    lived on after; the rest is executed. The new run has no idempotency key.

    With another input, steps that have used the old one are replayed as well: name them with
    --redo.

    \b
    Examples:
      durably fork @last --redo fetch-users
      durably fork @last --redo fetch-users --dry-run
      durably fork 3f2a9c1d --redo-failed
      durably fork 3f2a9c1d -p org_id=org_123 --redo 'fetch*'
    """
    decisions = read_decisions(redo or [], [], [], only=only)
    seconds = None if timeout is None else read_limit(timeout, "--timeout")
    project, fields = project_of(context), field or []
    elsewhere = engine_of_workers(project)

    def laid_over(input: Json) -> Json:
        laid = laid_over_by(input, fields)
        if fields and not (redo or quiet):
            say("steps that used the old input keep their results; --redo STEP executes one again")
        return laid

    if dry_run:
        from durably_cli.cli.planning import show_plan  # rarely asked for

        laid_over(Json("{}"))  # which refuses what is no field
        return show_plan(
            project, run, decisions, redo_failed=redo_failed, as_json=as_json, is_fork=True
        )
    from durably_cli.engines.forking import ForkRequest

    if elsewhere is not None:
        from durably_cli.cli.elsewhere import fork_elsewhere  # not for the local engine

        return fork_elsewhere(
            elsewhere,
            project,
            run,
            ForkRequest(str(project), laid_over, decisions, redo_failed),
            timeout=seconds,
            suspends=suspend,
            quiet=quiet,
            as_json=as_json,
        )
    from durably_cli.cli.coming_to_runs import fork_run  # not for --help, nor for completion

    asked = ForkRequest(str(project), laid_over, decisions, redo_failed)
    return fork_run(
        project,
        run,
        asked,
        timeout=seconds,
        suspends=suspend,
        quiet=quiet,
        as_json=as_json,
    )
