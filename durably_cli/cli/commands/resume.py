"""`durably resume`: go on with a run where it was."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_limit
from durably_cli.cli.parameters import AsJson, OneRun, Quiet, Timeout


@as_command()
def resume(
    context: typer.Context,
    run: OneRun,
    redo: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP",
            help="Execute a failed step again whose failure would be replayed. May be repeated.",
        ),
    ] = None,
    kill_leftovers: Annotated[
        bool,
        typer.Option(
            "--kill-leftovers",
            help="End programs of the run that still live, where it would be refused for them.",
        ),
    ] = False,
    timeout: Timeout = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run where it was, after a failure or a crash.

    Finished steps are replayed, the rest is executed. The output of a run that has completed is
    printed again. `durably help steps` says which failures are replayed.

    \b
    Examples:
      durably resume 3f2a9c1d
      durably resume @failed
      durably resume key:sync-users/2026-11-24
      durably resume @failed --redo card
    """
    from durably_cli.cli.execution import resume_run  # not for --help, nor for completion

    seconds = None if timeout is None else read_limit(timeout, "--timeout")
    return resume_run(
        project_of(context),
        run,
        redo or [],
        kill_leftovers=kill_leftovers,
        timeout=seconds,
        quiet=quiet,
        as_json=as_json,
    )
