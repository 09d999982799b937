"""`durably tick`: take up whatever is due or has died; it imports no job itself."""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.arguments import read_span
from durably_cli.cli.asking import say
from durably_cli.cli.chores import Chores
from durably_cli.cli.parameters import AsJson, Quiet
from durably_cli.engines.local.lookout import Lookout, ToTakeUp
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.ticked import note_tick
from durably_cli.engines.local.view import RunView
from durably_cli.errors import Interrupted
from durably_cli.project import stores
from durably_cli.render.words import listed
from durably_cli.system import signals
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible_lines

if TYPE_CHECKING:
    from durably_cli.cli.ticking import Came, Ticker
    from durably_cli.render.run_types import RunTakenUp


@as_command()
def tick(
    context: typer.Context,
    most: Annotated[
        int,
        typer.Option(
            "--max", min=1, metavar="N", help="How many at once, with those of other ticks."
        ),
    ] = 4,
    look_for: Annotated[
        str,
        typer.Option(
            "--for", metavar="SPAN", help="Go on looking for 50s, 10m or 1d, and react in a second."
        ),
    ] = "0s",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs that would be taken up, and why.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Take up runs that are due, or whose process died: for cron.

    That is every run that waits and whose time or signal has come, and every one whose process was
    killed, or ended by TERM or HUP; not one that was stopped by Ctrl-C or a time limit, has failed,
    stops until somebody decides, or was killed in five such attempts in which neither it nor a
    child has completed a step. Each has a process of its own, `durably resume RUN --suspend`, in
    this environment, which goes on whatever becomes of this one.

    Then it sends notices that are late, and removes runs that are old, as [tool.durably] says.

    Prints nothing if there is nothing to do. In a pipe a run is a line of tab-separated cells: id,
    job, why (due, signal or died), status, due, exit, reason. Exit code 1 if one has failed, or
    cannot go on; what waits again has not.

    \b
    Examples:
      durably tick
      durably tick --dry-run
      durably tick --for 50s -q
    """
    seconds = read_span(look_for, "--for")
    project = project_of(context)
    store = stores.open_store(project)
    chores = Chores(project, store)
    said = _Said(chores, quiet=quiet, as_json=as_json)
    if not dry_run:
        note_tick(store)
    ticker: Ticker | None = None
    signals.install()
    try:
        lookout = Lookout(store)
        found = lookout.look()
        lookout.remember()
        if not dry_run:
            lookout.end_left_over()
        if dry_run:
            said.would_take_up(found, lookout.next_due, store)
        elif found or seconds:
            from durably_cli.cli import ticking  # rarely is there anything to do

            said_of, meanwhile = (said.begins, said.came), chores.now_and_then
            ticker = ticking.Ticker(store, project, lookout, most, *said_of, meanwhile)
            ticker.run(found, seconds)
        if not dry_run:
            chores.now()
    except Interrupted as stopped:
        stopped.what = "stopped looking"
        if ticker is not None and (left := ticker.going_on()):
            runs = listed([short(run_id) for run_id in left])
            stopped.what += f"; {runs} {'goes' if len(left) == 1 else 'go'} on without it"
            stopped.hint = hints.command("wait", short(left[0]))
        raise
    finally:
        signals.uninstall()
        said.end()
    return said.note()


class _Said:
    """What is said of the runs that were taken up: a line each, or all of them in the end."""

    def __init__(self, chores: Chores, *, quiet: bool, as_json: bool) -> None:
        self._chores = chores
        self._as_json, self._is_quiet = as_json, quiet
        self._is_silent = quiet and not as_json
        self._runs: list[RunTakenUp] = []
        self._failed: list[str] = []

    def begins(self, found: ToTakeUp) -> None:
        """This run is taken up; said where a person looks on."""
        if not self._is_silent and sys.stderr.isatty():
            from durably_cli.render.ticks import IN_WORDS

            say(f"run {short(found.run_id)} of {found.job} goes on: {IN_WORDS[found.why]}")

    def came(self, came: Came) -> None:
        """This came of it."""
        self._add(came.run)
        if came.has_failed:
            self._failed.append(came.run["id"])
            if came.unsaid:
                self._chores.notifier.ended(came.run["id"], came.unsaid)
        if came.report:
            sys.stderr.flush()
            sys.stderr.buffer.write(came.report)
            sys.stderr.flush()

    def would_take_up(self, found: list[ToTakeUp], next_due: str, store: Store) -> None:
        """These would be taken up."""
        if not found and sys.stderr.isatty() and not self._is_silent:
            then = f"; the next is due at {next_due}" if next_due else ""
            say(f"no run is due, and none has died{then}")
        for each in found:
            from durably_cli.render.ticks import taken_up

            with ExitStack() as stack:
                run = store.look(each.run_id)
                if isinstance(run, RunView):
                    stack.enter_context(run)
                self._add(taken_up(each, run, None))

    def end(self) -> None:
        """Say what is said of all of them at once."""
        for problem in self._chores.notifier.problems(but_pings=self._is_quiet):
            sys.stderr.write(f"durably: {visible_lines(problem)}\n")
        removed = self._chores.removed
        if removed and sys.stderr.isatty() and not self._is_silent:
            say(f"removed {plural(len(removed), 'old run')}")
        if self._as_json:
            from durably_cli.render.ticks import write_document  # only for programs

            document.suggest(hints.command("list"), hints.command("tick", "--dry-run"))
            write_document(self._runs, removed, document.on(sys.stdout))
        elif self._runs and not self._is_silent and sys.stdout.isatty():
            from durably_cli.render.ticks import draw  # only on a terminal

            draw(self._runs, sys.stdout)

    def note(self) -> int:
        """Say to a program which have failed; the exit code."""
        if not self._failed:
            return 0
        runs = listed([short(run_id) for run_id in self._failed])
        document.about(self._failed[0])
        hint = hints.command("resume", short(self._failed[0]))
        document.fail("run-failed", 1, f"{plural(len(self._failed), 'run')} failed: {runs}", hint)
        return 1

    def _add(self, run: RunTakenUp) -> None:
        self._runs.append(run)
        if self._as_json or self._is_silent or sys.stdout.isatty():
            return
        from durably_cli.render.ticks import write_row  # rarely is there anything to say

        with suppress(BrokenPipeError):  # closing stdout early changes nothing of what is done
            write_row(run, sys.stdout)
            sys.stdout.flush()
