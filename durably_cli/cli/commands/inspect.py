"""`durably inspect`: read a journal, change nothing, import no job."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TextIO

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.parameters import (
    AsJson,
    OneRun,
)
from durably_cli.engines.run_view import RunView
from durably_cli.errors import JournalError, NotFound, UsageError
from durably_cli.journal.blobs import BlobDamaged
from durably_cli.journal.step_names import is_asked_for, is_named
from durably_cli.journal.step_state import StepState
from durably_cli.project.finding import find_anywhere
from durably_cli.render import rows
from durably_cli.render.next_steps import next_commands
from durably_cli.render.words import visible_json
from durably_cli.system import ids, terminals
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from rich.console import Console

    from durably_cli.engines.runs import Runs


@as_command()
def inspect(
    context: typer.Context,
    run: OneRun,
    step: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Print the result of this step, or of all that fit a pattern."
        ),
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
    all: Annotated[
        bool, typer.Option("--all", help="Every step on a terminal too, however many there are.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Show a run's whole story.

    Its input, output, attempts, a timeline of its steps, what was in doubt at a crash, its logs and
    its error. `--events --json` ends with a line that has `error` if the journal cannot be read.

    In a pipe a fact is a line of cells, its name first; behind `step` come name, status, start,
    seconds, bytes, attempt, tries and error; behind `file` step, path, bytes, sha256 and what
    became of it. `--step` with a pattern prints a name and a result a line.

    \b
    Examples:
      durably inspect @last
      durably inspect 3f2a9c1d --step fetch-users | jq length
      durably inspect @last --step 'fetch*'
      durably inspect 3f2a9c1d --events | jq -r .type
      durably inspect @last --follow
      durably inspect @failed --html run.html
    """
    options = InspectOptions(step, events, follow, html, svg, all, as_json)
    return run_inspect(project_of(context), run, options)


class InspectOptions(NamedTuple):
    """The options of `durably inspect`, as they were typed."""

    step: str | None
    events: bool
    follow: bool
    html: Path | None
    svg: Path | None
    all: bool
    as_json: bool


def run_inspect(project: Path, query: str, options: InspectOptions) -> int:
    """`durably inspect`; the exit code."""
    write = _writer(options, project, sys.stdout)
    runs, run_id = find_anywhere(project, query)
    document.about(run_id)
    if options.follow:
        _follow(runs, run_id, options)
        if options.events:
            return 0
    with runs.view(run_id, despite_damage=True) as view:
        write(view)
        if view.damage:
            sys.stdout.flush()
            view.damage.hint = f"{hints.command('help', 'care')}    (says what can be done)"
            raise view.damage
    return 0


def _writer(options: InspectOptions, project: Path, out: TextIO) -> Callable[[RunView], None]:
    """What writes the run as the options want it. UsageError if they want it in two ways."""
    step, html, svg = options.step, options.html, options.svg
    ways: dict[str, Callable[[RunView], None]] = {}
    if step is not None:
        ways["--step"] = lambda view: _write_results(view, step, out, as_json=options.as_json)
    if options.events:
        ways["--events"] = lambda view: _write_lines(view, out)
    if options.as_json and not (options.events or step is not None):
        ways["--json"] = lambda view: _write_json(view, out)
    if html is not None:
        ways["--html"] = lambda view: _write_page(view, project, html)
    if svg is not None:
        ways["--svg"] = lambda view: _write_picture(view, svg)
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} exclude each other", hint=_one_of(ways))
    for way in ways.values():
        return way
    if out.isatty():
        return lambda view: _show(view, out, every_step=options.all)
    return lambda view: rows.write_run(view, out)


def _one_of(ways: Collection[str]) -> str:
    """What to type of ways that exclude each other: without --json, which is of the others."""
    from durably_cli import retyping  # only after a mistake

    whole = retyping.with_word("--json") if "--json" in ways and len(ways) == 2 else None
    return whole or hints.command("inspect", "--help")


def _follow(runs: Runs, run_id: str, options: InspectOptions) -> None:
    """Wait for the end of the run, and show it meanwhile: on a terminal, or as raw lines."""
    if options.events:
        for line, _ in runs.follow(run_id):
            sys.stdout.write(visible_json(line.decode("ascii")) + "\n")
            sys.stdout.flush()
    elif terminals.can_be_drawn_on(sys.stdout) and terminals.is_ours(sys.stdout):
        from durably_cli.render.redraw import newest_last, redraw
        from durably_cli.render.story import show_what_goes_on

        def draw(console: Console) -> bool:
            with runs.view(run_id, despite_damage=True) as view:
                show_what_goes_on(view, console)
                return view.goes_on

        redraw(sys.stdout, draw, newest_last)
    else:
        for _ in runs.follow(run_id):
            pass


def _show(view: RunView, out: TextIO, *, every_step: bool) -> None:
    from durably_cli.render.story import show_run
    from durably_cli.render.tables import console_on

    show_run(view, console_on(out), every_step=every_step)


def _write_json(view: RunView, out: TextIO) -> None:
    document.suggest(*next_commands(view))
    rows.write_run_json(view, document.on(out))


def _write_lines(view: RunView, out: TextIO) -> None:
    out.writelines(visible_json(line.decode("ascii")) + "\n" for line, _ in view.lines())


def _write_page(view: RunView, project: Path, path: Path) -> None:
    from durably_cli.render.page import write_page

    with _new_file(path) as file:
        write_page(view, project, file)


def _write_picture(view: RunView, path: Path) -> None:
    from durably_cli.render.svg import write_svg

    with _new_file(path) as file:
        write_svg(view, file)


def _new_file(path: Path) -> TextIO:
    """The file, or stdout for `-`."""
    if str(path) == "-":
        return open(1, "w", encoding="utf-8", closefd=False)
    return open(path, "w", encoding="utf-8")


def _whole(view: RunView, name: str, result: Json) -> Json:
    try:
        return view.result(result)
    except BlobDamaged as error:
        raise JournalError(
            f"the result of step {name!r} cannot be read: {error}",
            hint=hints.command("verify", ids.short(view.run_id)),
        ) from None


def _write_results(view: RunView, typed: str, out: TextIO, *, as_json: bool) -> None:
    """The result of the step of this name; where none has it, those of all that fit it."""
    is_name = "*" not in typed or any(is_named(step.name, typed) for step in rows.all_steps(view))
    is_wanted = is_named if is_name else is_asked_for
    asked = (step for step in rows.all_steps(view) if is_wanted(step.name, typed))
    found = (step for step in asked if step.result is not None)
    first = next(found, None)
    if first is None:
        if not view.damage:  # else it may stand behind that, which the caller reports
            raise _no_result(view, typed)
        return
    whole = not out.isatty() or as_json  # else a large one as its reference: a preview, and a file
    results = ((step, _result_of(view, step, whole=whole)) for step in chain((first,), found))
    if as_json:
        document.suggest(*next_commands(view))
        rows.write_results_json(results, view, document.on(out), is_one=is_name)
        return
    for step, result in results:
        text = visible_json(result) if whole else rows.pretty_json(result)
        behind_name = "\t" if whole else "\n"
        out.write(("" if is_name else rows.cell(step.name) + behind_name) + text + "\n")
        if is_name:
            return


def _result_of(view: RunView, step: StepState, *, whole: bool) -> Json:
    result = step.result or Json("null")
    return _whole(view, step.name, result) if whole else result


def _no_result(view: RunView, typed: str) -> NotFound:
    is_known = any(is_asked_for(step.name, typed) for step in rows.all_steps(view))
    if "*" in typed:
        what = f"no step that {typed!r} fits has a result"
        what = what if is_known else f"there is no step that {typed!r} fits"
    else:
        what = f"step {typed!r} has no result" if is_known else f"there is no step {typed!r}"
    run = ids.short(view.run_id)
    return NotFound(f"{what} in run {run}", hint=hints.command("inspect", run), code="no-such-step")
