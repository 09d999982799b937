"""`durably list`: read journals, change nothing, import no job."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TextIO

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_labels, read_moment
from durably_cli.cli.completion import complete_jobs
from durably_cli.cli.parameters import (
    AsJson,
)
from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.errors import UsageError
from durably_cli.journal.state import Status
from durably_cli.project.engine import open_runs
from durably_cli.project.settings import EngineName
from durably_cli.render import rows
from durably_cli.system import ids
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from durably_cli.engines.runs import Runs
    from durably_cli.render.next_steps import NextStep


@as_command("list")
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
    engine: Annotated[
        EngineName | None,
        typer.Option(help="The runs of this engine, whichever the project has: see help engines."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep the list up to date until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """List runs, newest first.

    In a pipe a run is a line of tab-separated cells: id, job, status, created, ended, seconds,
    steps, reason, labels, steps_failed, origin.

    \b
    Examples:
      durably list
      durably list --job sync-users --status failed --since 2d
      durably list --label team=billing -n 0 --json
      durably list --status interrupted -n 0 | cut -f1 | xargs -r -n1 durably resume
      durably list --engine local
      durably list --watch
    """
    filters = Filters(
        job or [],
        status or [],
        read_labels(label or []),
        None if since is None else read_moment(since, "--since"),
    )
    project = project_of(context)
    if engine is None:
        found = open_runs(project)
    else:
        from durably_cli.project.finding import runs_of_engine  # rarely asked for

        found = runs_of_engine(project, engine)
    return run_list(project, found, filters, count, watch=watch, as_json=as_json)


_FEW = 3
"""For how many runs that nobody has decided it is said what to type."""


class Undecided(NamedTuple):
    """A run that stops at a step until somebody decides, and what to type."""

    run: str
    step: str
    ways: list[NextStep]


SCREENFUL = 20
"""How many runs are listed unless a number is given."""


class Filters(NamedTuple):
    """Which runs `durably list` shows; an empty one matches every run."""

    jobs: list[str]
    statuses: list[Status]
    labels: dict[str, str]
    since: datetime | None

    def matches(self, run: RunView | Unreadable) -> bool:
        """Does the run fit every filter that was given?"""
        if self.statuses and run.status not in self.statuses:
            return False
        if isinstance(run, Unreadable):
            return not (self.jobs or self.labels)
        created = run.state.created
        return (not self.jobs or created.job in self.jobs) and (
            self.labels.items() <= created.labels.items()
        )


def run_list(
    project: Path,
    found: Runs,
    filters: Filters,
    count: int | None,
    *,
    watch: bool,
    as_json: bool,
) -> int:
    """`durably list`; the exit code.

    A `count` of 0 lists all; without one it is a screenful, and said if there are more.
    """
    if watch and as_json:
        from durably_cli.retyping import with_word  # only after a mistake

        hint = with_word("--watch") or hints.command("list")
        raise UsageError("--watch and --json exclude each other", hint=hint)
    if watch:
        return _watch(found, filters, count)
    fitting = _fitting(found, filters)
    limit = SCREENFUL if count is None else min(count, sys.maxsize)
    unmet = set(filters.jobs)
    undecided = list[Undecided]()
    runs = _meeting(islice(fitting, limit or None), unmet, undecided)
    out = sys.stdout
    if as_json:
        rows.write_list_json(_leading_to_the_newest(runs), document.on(out))
    elif not out.isatty():
        rows.write_list(runs, out)
    elif not _show_list(runs, out):
        from durably_cli.cli.no_runs import no_runs  # rarely needed

        _say(no_runs(found, project, filtered=any(filters)))
    for job in sorted(unmet):
        _say_if_unknown(job, found, project)
    for run, step, ways in undecided:
        _say(visible(f"run {run} stops at step {step} until somebody decides:"))
        for each in ways:
            _say(visible(f"{each.purpose}: {hints.command(*each.words)}"))
    if count is None and next(fitting, None):
        out.flush()
        _say(f"these are the newest {SCREENFUL}; for all of them add -n 0")
    return 0


def _fitting(runs: Runs, filters: Filters) -> Iterator[RunView | Unreadable]:
    run_ids = _candidates(runs, filters)
    if filters.since is not None:
        since = filters.since
        run_ids = takewhile(lambda run_id: ids.made_at(run_id) >= since, run_ids)
    return filter(filters.matches, runs.look_at(run_ids))


def _candidates(runs: Runs, filters: Filters) -> Iterator[str]:
    """The runs to look at, newest first."""
    if not (filters.statuses or filters.jobs or filters.labels):
        return runs.run_ids()
    return runs.candidates(
        statuses=filters.statuses,
        jobs=filters.jobs,
        labels=filters.labels,
        looking_at_many=_say_that_it_takes_a_while,
    )


def _meeting(
    runs: Iterator[RunView | Unreadable], jobs: set[str], undecided: list[Undecided]
) -> Iterator[RunView | Unreadable]:
    """The same runs; a job that one of them is of is taken out of the jobs.

    The first few that stop at a step are noted, with that.
    """
    for run in runs:
        if isinstance(run, RunView):
            jobs.discard(run.state.created.job)
            if not run.goes_on and len(undecided) < _FEW and (steps := run.state.undecided):
                from durably_cli.render.next_steps import how_to_decide  # seldom needed

                ways = how_to_decide(run)
                undecided.append(Undecided(ids.short(run.run_id), steps[0].name, ways))
        yield run


def _leading_to_the_newest(
    runs: Iterator[RunView | Unreadable],
) -> Iterator[RunView | Unreadable]:
    """The same runs; what makes sense next for a program is about the first that can be read."""
    document.suggest(hints.command("jobs"))
    is_first = True
    for run in runs:
        if is_first and isinstance(run, RunView):
            look = hints.command("inspect", ids.short(run.run_id))
            document.suggest(look, hints.command("jobs"))
            is_first = False
        yield run


def _say_if_unknown(job: str, runs: Runs, project: Path) -> None:
    """Say that there is no such job, if neither a run nor the project's cache knows it."""
    from durably_cli import retyping
    from durably_cli.project import known_jobs

    known = known_jobs.known(project)
    if job in known:
        return
    of_it = runs.look_at(runs.candidates(jobs=[job]))
    if any(isinstance(run, RunView) and run.state.created.job == job for run in of_it):
        return
    near = known_jobs.near(job, known)
    maybe = f"; did you mean {near[0]}?" if near else ""
    _say(visible(f"there is no job {job!r}, as far as is known, and no run of one{maybe}"))
    whole = retyping.with_word(job, near[0]) if near else None
    _say(visible(f"try: {whole or hints.command('jobs')}"))


def _show_list(runs: Iterator[RunView | Unreadable], out: TextIO) -> int:
    from durably_cli.render.tables import console_on, show_list

    return show_list(runs, console_on(out))


def _watch(runs: Runs, filters: Filters, count: int | None) -> int:
    from durably_cli.system import terminals

    if not terminals.can_be_drawn_on(sys.stdout):
        raise UsageError(
            "--watch draws on a terminal, and stdout is none", hint=hints.command("list")
        )
    from durably_cli.render.redraw import newest_first, redraw
    from durably_cli.render.tables import show_list

    def draw(console: Console) -> bool:
        most = min(count or console.height - 2, sys.maxsize)
        if not show_list(islice(_fitting(runs, filters), most), console):
            console.print(f"no runs in {visible(runs.place)}")
        return True

    redraw(sys.stdout, draw, newest_first)
    return 0


def _say_that_it_takes_a_while() -> None:
    if sys.stderr.isatty():
        _say("looking at the journals of many runs; the next time there is an index of them")


def _say(text: str) -> None:
    print(text, file=sys.stderr)
