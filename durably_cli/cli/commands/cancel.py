"""`durably cancel`: end a run for good; no job is imported."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import argument_text, read_span
from durably_cli.cli.asking import say
from durably_cli.cli.parameters import AsJson, OneRun
from durably_cli.project.engine import open_engine
from durably_cli.project.finding import find_here
from durably_cli.render import rows
from durably_cli.render.next_steps import next_commands
from durably_cli.system.ids import short


@as_command()
def cancel(
    context: typer.Context,
    run: OneRun,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it is journalled with your name.")
    ] = None,
    timeout: Annotated[
        str, typer.Option(metavar="SPAN", help="How long to wait for its end: 30s, 5m or 2h.")
    ] = "10s",
    as_json: AsJson = False,
) -> int:
    """End a run for good, and what it started.

    The process that executes it is asked to, and stops within a second, unless the step it is in
    has something to put in order. A run that nobody executes ends at once. It cannot be resumed.
    One that has completed or failed stays as it is, which is exit code 5.

    \b
    Examples:
      durably cancel @last
      durably cancel 3f2a9c1d --reason "wrong month"
    """
    seconds = read_span(timeout, "--timeout")
    project = project_of(context)
    engine = open_engine(project)
    run_id = find_here(project, run, engine.runs)
    document.about(run_id)
    why = None if reason is None else argument_text(reason)
    is_new = engine.cancel(run_id, why, seconds)
    with engine.runs.view(run_id) as view:
        if as_json:
            document.suggest(*next_commands(view))
            rows.write_summary_json(view, document.on(sys.stdout), {})
        said = "is cancelled" if is_new else "was cancelled before"
        say(f"run {short(run_id)} {said}")
    return 0
