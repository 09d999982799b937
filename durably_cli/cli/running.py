"""The commands that run a project's code: trigger and resume."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import AsJson, command, project_of
from durably_cli.cli.completion import complete_jobs, complete_runs
from durably_cli.cli.flags import TriggerCommand, given_fields, note_quiet
from durably_cli.request import OnConflict

RUN = (
    "The run: 4 or more characters of the head or the tail of its id, @last, @last/JOB, @failed, "
    "or key:JOB/VALUE."
)
_Quiet = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        envvar="DURABLY_QUIET",
        callback=note_quiet,
        is_eager=True,
        help="Print nothing unless it fails, and then one report: for cron.",
    ),
]


@command(cls=TriggerCommand)
def trigger(
    context: typer.Context,
    job: Annotated[
        str, typer.Argument(help="The job's name.", metavar="JOB", autocompletion=complete_jobs)
    ],
    input: Annotated[
        str | None,
        typer.Option(
            "-i",
            "--input",
            metavar="JSON|@FILE|-",
            help="The job's input: JSON, a file of it, or - for stdin. By default {}.",
        ),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="KEY=TEXT|KEY:=JSON",
            help="One field of the input, laid over --input. May be repeated.",
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A label to find the run by. May be repeated."),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="One key, one run: a second trigger ends as the first one's run ends.",
        ),
    ] = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait",
            help="If another process executes the run of the idempotency key, leave it to that.",
        ),
    ] = False,
    concurrency_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Runs that share a key never execute at the same time."),
    ] = None,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            help="If the concurrency key is taken: wait (exit 75 if another run waits already), "
            "skip this trigger (exit 0) or fail (exit 75)."
        ),
    ] = OnConflict.WAIT,
    quiet: _Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a job, and print its output as JSON.

    Every field of the job's input is a flag as well: `durably trigger JOB --help` shows them.

    \b
    Examples:
      durably trigger sync-users --org-id org_123 --force
      durably trigger sync-users --input '{"org_id": "org_123"}'
      durably trigger sync-users -p org_id=org_123 -p force:=true
      jq '{org_id: .id}' org.json | durably trigger sync-users --input -
      durably trigger sync-users -i @input.json --idempotency-key "$(date +%F)"
      durably trigger sync-users -i @input.json --concurrency-key org_123 --on-conflict skip
    """
    from durably_cli.executing import TriggerOptions, run_trigger

    options = TriggerOptions(
        input,
        field or [],
        given_fields(context),
        given_fields(context, as_typed=True),
        label or [],
        idempotency_key,
        concurrency_key,
        on_conflict,
        wait=not no_wait,
    )
    return run_trigger(project_of(context), job, options, quiet=quiet, as_json=as_json)


@command()
def resume(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=RUN, metavar="RUN", autocompletion=complete_runs)],
    quiet: _Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with a run where it was.

    Finished steps are replayed, the rest is executed. The output of a run that has completed is
    printed again.

    \b
    Examples:
      durably resume 3f2a9c1d
      durably resume @failed
      durably resume key:sync-users/2026-11-24
    """
    from durably_cli.executing import run_resume

    return run_resume(project_of(context), run, quiet=quiet, as_json=as_json)
