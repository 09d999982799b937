"""`durably trigger`: run a job, and print its output."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import (
    laid_over,
    read_input,
    read_labels,
    read_stdin,
)
from durably_cli.cli.completion import complete_jobs
from durably_cli.cli.job_flags import TriggerCommand, given_fields
from durably_cli.cli.parameters import AsJson, InputFields, InputText, Quiet, Suspend, Timeout
from durably_cli.cli.trigger_options import detaches_after, refuse_senseless, timeout_of
from durably_cli.engines.request import OnConflict, Request
from durably_cli.values.strict_json import printable

_KEYS = "Keys and labels"


@as_command(cls=TriggerCommand)
def trigger(
    context: typer.Context,
    job: Annotated[
        str, typer.Argument(help="The job's name.", metavar="JOB", autocompletion=complete_jobs)
    ],
    input: InputText = None,
    field: InputFields = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A label to find the run by. May be repeated.",
            rich_help_panel=_KEYS,
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="One key, one run: a second trigger ends as the first one's run ends.",
            rich_help_panel=_KEYS,
        ),
    ] = None,
    no_wait: Annotated[
        bool,
        typer.Option(
            "--no-wait",
            help="If another process executes the run of the idempotency key, leave it to that.",
            rich_help_panel=_KEYS,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="If the run of the idempotency key has failed, resume it.",
            rich_help_panel=_KEYS,
        ),
    ] = False,
    concurrency_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Runs that share a key never execute at the same time.",
            rich_help_panel=_KEYS,
        ),
    ] = None,
    on_conflict: Annotated[
        OnConflict,
        typer.Option(
            help="If the concurrency key is taken: wait (exit 75 if another run waits already), "
            "skip this trigger (exit 0) or fail (exit 75).",
            rich_help_panel=_KEYS,
        ),
    ] = OnConflict.WAIT,
    detach: Annotated[
        bool,
        typer.Option(
            "--detach",
            help="Print the run's id as soon as there is a run, which goes on in the background.",
        ),
    ] = False,
    detach_after: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="Detach if it has not ended after 5s, 2m or 1h; else as ever."
        ),
    ] = None,
    timeout: Timeout = None,
    suspend: Suspend = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Run a job: its fields are flags, its output is JSON.

    Every field of the job's input is a flag as well: `durably trigger JOB --help` shows them.

    \b
    Examples:
      durably trigger sync-users --org-id org_123 --force
      durably trigger sync-users --input '{"org_id": "org_123"}'
      durably trigger sync-users -p org_id=org_123 -p force:=true
      jq '{org_id: .id}' org.json | durably trigger sync-users --input -
      durably trigger sync-users -i @input.json --idempotency-key "$(date +%F)"
      durably trigger sync-users -i @input.json --concurrency-key org_123 --on-conflict skip
      durably trigger sync-users --org-id org_123 --detach
      durably trigger sync-users --org-id org_123 --timeout 10m
    """
    refuse_senseless(context)
    project = project_of(context)
    limit, seconds = timeout_of(context), detaches_after(context)
    from durably_cli.cli.coming_to_runs import trigger_job  # not for --help, nor for completion
    from durably_cli.cli.presenter import Detached
    from durably_cli.engines import working_folder
    from durably_cli.project.engine import engine_of_workers
    from durably_cli.project.script_files import is_script

    elsewhere = engine_of_workers(project)
    report = None
    if elsewhere is None and (detach or seconds is not None):
        from durably_cli.cli.detaching import reporter, trigger_detached  # rarely asked for

        report = reporter()
        if report is None:
            stdin = read_stdin() if input == "-" else None
            return trigger_detached(project, stdin, seconds, quiet=quiet, as_json=as_json)
    whole = read_input(input, field or [], given_fields(context))
    before = laid_over(whole, given_fields(context, as_typed=True))
    folder = str(project)
    if is_script(project):
        folder = working_folder.current()
    request = Request(
        job=job,
        input=whole,
        project=str(project),
        folder=printable(folder),
        input_of_before=None if before == whole else before,
        idempotency_key=idempotency_key,
        concurrency_key=concurrency_key,
        labels=read_labels(label or []),
        on_conflict=on_conflict,
        wait=not (no_wait or detach),
        retry_failed=retry_failed,
    )
    if elsewhere is not None:
        from durably_cli.cli.elsewhere import Patience, trigger_elsewhere  # not for journals

        patience = Patience(0 if detach else seconds, suspend)
        return trigger_elsewhere(
            elsewhere, project, request, patience, timeout=limit, quiet=quiet, as_json=as_json
        )
    detached = Detached(report, prints_id=detach) if report else None
    return trigger_job(
        project,
        request,
        timeout=limit,
        suspends=suspend,
        quiet=quiet,
        as_json=as_json,
        detached=detached,
    )
