"""`durably signal`: send a run what it waits for; no job is imported."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_input
from durably_cli.cli.parameters import AsJson, OneRun
from durably_cli.errors import UsageError


@as_command()
def signal(
    context: typer.Context,
    run: OneRun,
    name: Annotated[str, typer.Argument(help="The signal: the name of the step that waits.")],
    input: Annotated[
        str | None,
        typer.Option("-i", "--input", metavar="JSON|@FILE|-", help="Its value, as JSON."),
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--param", metavar="KEY=TEXT|KEY:=JSON", help="One field of it. May be repeated."
        ),
    ] = None,
    early: Annotated[
        bool,
        typer.Option("--early", help="Send it to this run, whatever it or a child waits for."),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Send a run the signal that a step of it waits for.

    The value must be of the type that the step says. The first one counts: the same again changes
    nothing, and another one is exit code 5, as one behind the deadline is. What a child run waits
    for is sent to that. One that no step waits for yet is there when one does.

    \b
    Examples:
      durably signal @last count -i 3
      durably signal 3f2a9c1d chosen -p region=eu -p size:=3
      jq .answer reply.json | durably signal @last answer -i -
    """
    if input is None and not field:
        raise UsageError("a signal has a value: give it by -i JSON, or fields by -p NAME=VALUE")
    from durably_cli.cli.answering import signal_run  # not for --help

    value = read_input(input, field or [])
    return signal_run(project_of(context), run, name, value, early=early, as_json=as_json)
