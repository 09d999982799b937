"""The commands that look at runs and change nothing: list, inspect and logs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import AsJson, command, project_of
from durably_cli.cli.completion import complete_jobs, complete_runs
from durably_cli.cli.running import RUN
from durably_cli.journal.state import Status

_Run = Annotated[str, typer.Argument(help=RUN, metavar="RUN", autocompletion=complete_runs)]


class Level(StrEnum):
    """The levels of step.log, from the least to the most urgent."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@command("list")
def list_(
    context: typer.Context,
    job: Annotated[
        list[str] | None,
        typer.Option(help="Only runs of this job. May be repeated.", autocompletion=complete_jobs),
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
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep the list up to date until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List runs, newest first.

    In a pipe a run is a line of tab-separated cells: id, job, status, created, ended, seconds,
    steps, reason, labels.

    \b
    Examples:
      durably list
      durably list --job sync-users --status failed --since 2d
      durably list --label team=billing -n 0 --json
      durably list --status interrupted -n 0 | cut -f1 | xargs -r -n1 durably resume
      durably list --watch
    """
    from durably_cli.cli.commands.list_ import Filters, run_list
    from durably_cli.cli.options import read_labels, read_moment

    filters = Filters(
        job or [],
        status or [],
        read_labels(label or []),
        None if since is None else read_moment(since, "--since"),
    )
    return run_list(project_of(context), filters, count, watch=watch, as_json=as_json)


@command()
def inspect(
    context: typer.Context,
    run: _Run,
    step: Annotated[
        str | None, typer.Option(metavar="NAME", help="Print the result of this step alone.")
    ] = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print the journal's lines as they are.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Keep it up to date until the run ends.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the run as a page for a browser.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the run's timeline as a picture.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show a run's whole story.

    Its input, output, attempts, a timeline of its steps, what was in doubt at a crash, its logs and
    its error.

    \b
    Examples:
      durably inspect @last
      durably inspect 3f2a9c1d --step fetch-users | jq length
      durably inspect 3f2a9c1d --events | jq -r .type
      durably inspect @last --follow
      durably inspect @failed --html run.html
    """
    from durably_cli.cli.commands.inspect import InspectOptions, run_inspect

    options = InspectOptions(step, events, follow, html, svg, as_json)
    return run_inspect(project_of(context), run, options)


@command()
def logs(
    context: typer.Context,
    run: _Run,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Print new lines until the run ends.")
    ] = False,
    step: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only lines written in this step.")
    ] = None,
    level: Annotated[Level, typer.Option(help="Only lines of this level and above.")] = Level.INFO,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON document a line on stdout.")
    ] = False,
) -> int:
    """Print the lines a run has logged.

    In a pipe a line has tab-separated cells: time, level, step, message, data.

    \b
    Examples:
      durably logs @last
      durably logs @last -f
      durably logs @failed --level warn
    """
    from durably_cli.cli.commands.logs import run_logs

    return run_logs(
        project_of(context), run, follow=follow, step=step, level=level, as_json=as_json
    )
