"""The command line: parse, act, render, and end with an exit code of the table.

What a command needs is imported when the command runs: `list` in a shell prompt or a cron line
pays neither for pydantic nor for rich.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.ending import end_as
from durably_cli.request import OnConflict
from durably_cli.state import Status
from durably_cli.streams import prepare
from durably_cli.version import __version__

app = typer.Typer(
    name="durably",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_RUN = (
    "The run: 4 or more characters of the head or the tail of its id, @last, @last/JOB, @failed, "
    "or key:JOB/VALUE."
)
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def main() -> None:
    """Run the command line."""
    prepare()
    end_as(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"durably {__version__}", flush=True)
        raise typer.Exit


@app.callback()
def durably(
    context: typer.Context,
    project: Annotated[
        str | None,
        typer.Option(
            "-C",
            "--project",
            metavar="DIR",
            help="The project: the folder that has jobs/. By default the nearest one upwards, else "
            "the one whose virtual environment durably runs from.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run Python functions that survive a crash: every step's result is on disk before the next.

    Kill a run anywhere, and `durably resume` goes on where it was. No server, no database.

    \b
    Examples:
      durably trigger sync-users --input '{"org_id": "org_123"}'
      durably list --status failed --since 2d
      durably inspect @last
      durably resume @failed
    """
    context.obj = project


@app.command()
def trigger(
    context: typer.Context,
    job: Annotated[str, typer.Argument(help="The job's name.", metavar="JOB")],
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
    as_json: _Json = False,
) -> None:
    """Make a run of a job and execute it here; its output is printed as JSON.

    \b
    Examples:
      durably trigger sync-users --input '{"org_id": "org_123"}'
      durably trigger sync-users -p org_id=org_123 -p force:=true
      jq '{org_id: .id}' org.json | durably trigger sync-users --input -
      durably trigger sync-users -i @input.json --idempotency-key "$(date +%F)"
      durably trigger sync-users -i @input.json --concurrency-key org_123 --on-conflict skip
    """

    def act() -> int:
        from durably_cli.executing import TriggerOptions, run_trigger

        options = TriggerOptions(
            input,
            field or [],
            label or [],
            idempotency_key,
            concurrency_key,
            on_conflict,
            wait=not no_wait,
        )
        return run_trigger(_project(context), job, options, as_json=as_json)

    end_as(act)


@app.command()
def resume(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=_RUN, metavar="RUN")],
    as_json: _Json = False,
) -> None:
    """Go on with a run where it was: finished steps are replayed, the rest is executed.

    The output of a run that has completed is printed again.

    \b
    Examples:
      durably resume 3f2a9c1d
      durably resume @failed
      durably resume key:sync-users/2026-11-24
    """

    def act() -> int:
        from durably_cli.executing import run_resume

        return run_resume(_project(context), run, as_json=as_json)

    end_as(act)


@app.command("list")
def list_(
    context: typer.Context,
    job: Annotated[
        list[str] | None, typer.Option(help="Only runs of this job. May be repeated.")
    ] = None,
    status: Annotated[
        list[Status] | None, typer.Option(help="Only runs of this status. May be repeated.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only runs with this label. May be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only runs made since: 45m, 12h, 2d, 1w, or a date."),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", min=0, help="How many at the most; 0 for all; 20 by default."
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """List runs, newest first.

    In a pipe a run is a line of tab-separated cells: id, job, status, created, ended, seconds,
    steps, reason, labels.

    \b
    Examples:
      durably list
      durably list --job sync-users --status failed --since 2d
      durably list --label team=billing -n 0 --json
      durably list --status interrupted -n 0 | cut -f1 | xargs -n1 durably resume
    """

    def act() -> int:
        from durably_cli.listing import Filters, run_list
        from durably_cli.options import read_labels, read_since

        filters = Filters(
            job or [],
            status or [],
            read_labels(label or []),
            None if since is None else read_since(since),
        )
        return run_list(_project(context), filters, count, as_json=as_json)

    end_as(act)


@app.command()
def inspect(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=_RUN, metavar="RUN")],
    step: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print the result of this step alone.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print the journal's lines as they are.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Show a run: input, output, attempts, steps, what was in doubt at a crash, logs, error.

    \b
    Examples:
      durably inspect @last
      durably inspect 3f2a9c1d --step fetch-users | jq length
      durably inspect 3f2a9c1d --events | jq -r .type
    """

    def act() -> int:
        from durably_cli.inspecting import run_inspect

        return run_inspect(_project(context), run, step=step, events=events, as_json=as_json)

    end_as(act)


@app.command()
def adopt(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="Where the project was before.", metavar="OLD_DIR")],
) -> None:
    """Bring the runs along of a project that was moved.

    \b
    Examples:
      durably adopt /home/ann/old-place/billing
    """

    def act() -> int:
        from durably_cli.paths import adopt

        folder = adopt(Path(old).absolute(), _project(context))
        print(f"the runs of {old} are now in {folder}", file=sys.stderr)
        return 0

    end_as(act)


def _project(context: typer.Context) -> Path:
    from durably_cli.paths import VIRTUAL_ENVIRONMENT, locate_project

    project = locate_project(context.obj)
    if project.source == VIRTUAL_ENVIRONMENT and sys.stderr.isatty():
        print(f"in {project.folder}, by {project.source}", file=sys.stderr)
    return project.folder
