"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from durably_cli import hints
from durably_cli.cli.completion import complete_runs
from durably_cli.journal.state import Status

_RUN = (
    "The run: 4 or more characters at an end of its id, @last (the newest), @last/JOB, @failed "
    "(the newest that failed), or key:JOB/VALUE."
)


def note_quiet(quiet: bool) -> bool:
    """What is quiet goes into a mail: its hints can be pasted anywhere."""
    if quiet:
        hints.are_read_elsewhere()
    return quiet


OneRun = Annotated[str, typer.Argument(help=_RUN, metavar="RUN", autocompletion=complete_runs)]
SomeRuns = Annotated[
    list[str], typer.Argument(help=_RUN, metavar="RUN...", autocompletion=complete_runs)
]
AnyRuns = Annotated[
    list[str] | None,
    typer.Argument(help=_RUN, metavar="[RUN]...", autocompletion=complete_runs),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q",
        "--quiet",
        envvar="DURABLY_QUIET",
        callback=note_quiet,
        is_eager=True,
        help="Print nothing unless it fails, and then one report: for cron. Exit code 75 is no "
        "failure.",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        metavar="SPAN",
        help="End the attempt after 30s, 5m or 2h, and exit with 124; the run can be resumed.",
    ),
]
Suspend = Annotated[
    bool,
    typer.Option(
        "--suspend",
        help="Where all that is left of the run waits, end the process, and exit with 75; the run "
        "is resumed when its time has come.",
    ),
]
Question = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME]",
        help="The question: the name of the step that waits, if there are several.",
    ),
]
Reason = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why; the job is given it, with your name.")
]
Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
Statuses = Annotated[
    list[Status] | None,
    typer.Option(
        "--status",
        help="Only runs of this status; completed and cancelled by default, for the others could "
        "still be resumed. May be repeated.",
    ),
]
FreeKeys = Annotated[
    bool,
    typer.Option(
        "--free-keys",
        help="Let the idempotency keys be used anew; by default the work of a deleted run is never "
        "done again.",
    ),
]

Redo = Annotated[
    list[str] | None,
    typer.Option(
        metavar="STEP",
        help="Execute a step again, and what came after it if that gives something else; 'fit*' is "
        "a pattern. May be repeated.",
    ),
]
Only = Annotated[
    bool, typer.Option("--only", help="With --redo: leave what came after those steps.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would be replayed and what executed, no more."),
]

_INPUT = "Input"

InputText = Annotated[
    str | None,
    typer.Option(
        "-i",
        "--input",
        metavar="JSON|@FILE|-",
        help="The job's input: JSON, a file of it, or - for stdin. By default {}.",
        rich_help_panel=_INPUT,
    ),
]

InputFields = Annotated[
    list[str] | None,
    typer.Option(
        "-p",
        "--param",
        metavar="KEY=TEXT|KEY:=JSON",
        help="One field of the input, laid over --input. May be repeated.",
        rich_help_panel=_INPUT,
    ),
]
