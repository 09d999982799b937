"""The commands about a project: jobs, init, info, adopt and help."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import AsJson, command, project_of
from durably_cli.cli.completion import complete_jobs, complete_topics


@command()
def jobs(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(help="A job's name.", metavar="JOB", autocompletion=complete_jobs),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the project's jobs, or one job's input.

    In a pipe a job is a line of tab-separated cells: name, status of its last run, when that was
    made, its id, what the job does. `--json` has the JSON Schemas of input and output.

    \b
    Examples:
      durably jobs
      durably jobs sync-users
      durably jobs sync-users --json | jq .job.input
    """
    from durably_cli.cli.commands.jobs import run_job, run_jobs

    project = project_of(context)
    if job is None:
        return run_jobs(project, as_json=as_json)
    return run_job(project, job, as_json=as_json)


@command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where; here by default.", metavar="DIR", file_okay=False)
    ] = Path("."),
) -> int:
    """Make a project: a folder with a job that works.

    What is there already is left alone.

    \b
    Examples:
      durably init
      durably init nightly
    """
    from durably_cli.cli.commands.init import run_init

    return run_init(folder)


@command()
def info(context: typer.Context, as_json: AsJson = False) -> int:
    """Show every setting and folder, and where each comes from.

    \b
    Examples:
      durably info
      durably info --json | jq -r .info.data.value
    """
    from durably_cli.cli.commands.info import run_info

    return run_info(context.find_root().params.get("project"), as_json=as_json)


@command()
def adopt(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="Where the project was before.", metavar="OLD_DIR")],
) -> int:
    """Bring the runs along of a project that was moved.

    \b
    Examples:
      durably adopt /home/ann/old-place/billing
    """
    from durably_cli.project.stores import adopt

    folder = adopt(Path(old).absolute(), project_of(context))
    from durably_cli.render.words import visible

    print(visible(f"the runs of {old} are now in {folder}"), file=sys.stderr)
    return 0


@command("help")
def help_(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", autocompletion=complete_topics)
    ] = None,
) -> int:
    """Explain a topic.

    Topics: input, exit-codes, journal, durability, performance, care, cron, environment.

    \b
    Examples:
      durably help cron
      durably help exit-codes
    """
    from durably_cli.cli.help import run_help

    return run_help(topic)
