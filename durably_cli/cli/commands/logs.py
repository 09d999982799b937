"""`durably logs`: read a journal's log lines, change nothing, import no job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say
from durably_cli.cli.parameters import (
    OneRun,
)
from durably_cli.engines.run_view import RunView
from durably_cli.errors import NotFound
from durably_cli.journal.events import LogWritten
from durably_cli.journal.registry import Event
from durably_cli.journal.step_names import is_asked_for
from durably_cli.project.finding import find_anywhere
from durably_cli.render import rows
from durably_cli.system import ids


class Level(StrEnum):
    """The levels of a run's log, from the least to the most urgent; one has two names."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    WARNING = "warning"
    ERROR = "error"


@as_command()
def logs(
    context: typer.Context,
    run: OneRun,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Print new lines until the run ends.")
    ] = False,
    step: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only lines of this step, or of all that fit a pattern."),
    ] = None,
    level: Annotated[Level, typer.Option(help="Only lines of this level and above.")] = Level.DEBUG,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON document a line on stdout.")
    ] = False,
) -> int:
    """Print the lines a run has logged.

    In a pipe a line has tab-separated cells: time, level, step, message, data, source. The
    source is empty for step.log; else it is a logger's name, py.warnings, stdout, stderr, or
    output, of a program.

    \b
    Examples:
      durably logs @last
      durably logs @last -f
      durably logs @failed --level warn
      durably logs @last --step 'fetch*'
    """
    return run_logs(
        project_of(context), run, follow=follow, step=step, level=level, as_json=as_json
    )


_LEVELS = ("debug", "info", "warn", "error")


def run_logs(
    project: Path, query: str, *, follow: bool, step: str | None, level: str, as_json: bool
) -> int:
    """`durably logs`; the exit code."""
    runs, run_id = find_anywhere(project, query)
    document.about(run_id)
    write = _writer(sys.stdout, as_json, lambda log: runs.whole_log(run_id, log))
    wrote = False
    if follow:
        for log in _wanted((event for _, event in runs.follow(run_id)), step, level):
            write(log)
            sys.stdout.flush()
            wrote = True
    with runs.view(run_id, despite_damage=True) as view:
        for log in () if follow else _wanted(view.events(), step, level):
            write(log)
            wrote = True
        if view.damage:
            raise view.damage
        if step is not None and not wrote:
            _say_why_none(view, step)
        elif not wrote and sys.stderr.isatty():
            of_level = "" if level == Level.DEBUG else " of that level"
            say(f"run {ids.short(run_id)} has no log lines{of_level}")
    return 0


def _say_why_none(view: RunView, step: str) -> None:
    """Say that the step has logged nothing. NotFound if there is no such step."""
    run = ids.short(view.run_id)
    if not any(is_asked_for(each.name, step) for each in rows.all_steps(view)):
        named = f"that {step!r} fits" if "*" in step else repr(step)
        raise NotFound(
            f"there is no step {named} in run {run}",
            hint=hints.command("inspect", run),
            code="no-such-step",
        )
    say(f"step {step} of run {run} has logged nothing of that level")


def _wanted(events: Iterable[Event], step: str | None, level: str) -> Iterator[LogWritten]:
    levels = _LEVELS[_LEVELS.index(Level.WARN if level == Level.WARNING else level) :]
    for log in rows.log_lines(events):
        if log.level in levels and (step is None or is_asked_for(log.step or "", step)):
            yield log


def _writer(
    out: TextIO, as_json: bool, whole: Callable[[LogWritten], LogWritten]
) -> Callable[[LogWritten], None]:
    """Writes a line: whole for a program, and on a terminal as the journal has it."""
    if as_json:
        return lambda log: rows.write_log_json(whole(log), out)
    if not out.isatty():
        return lambda log: rows.write_log(whole(log), out)
    from rich.console import Console  # only on a terminal

    from durably_cli.render.tables import log_text
    from durably_cli.render.words import local_clock

    console = Console(file=out, highlight=False)
    return lambda log: console.print(log_text(log, local_clock(log.at)), soft_wrap=True)
