"""Executing a run for a command: talk on stderr, signals, its output on stdout, its exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.ends import end_of
from durably_cli.cli.noticing import Notifier
from durably_cli.cli.outcome import failed_before, say_outcome
from durably_cli.cli.presenter import Detached, Presenter
from durably_cli.cli.printed import streams_to_log
from durably_cli.cli.streams import Streams
from durably_cli.cli.talking import talk_on
from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.local.store import Store
from durably_cli.engines.outcome import outcome_of
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Abort, AttemptTimedOut, Busy, DurablyError, Interrupted, Suspended
from durably_cli.render.lines import Talk
from durably_cli.render.next_steps import (
    how_to_go_on,
    how_to_make_again,
    newly_asked,
    next_commands,
)
from durably_cli.render.rows import write_output, write_summary_json
from durably_cli.render.step_record import retrying
from durably_cli.system import process, signals
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible_lines

IN_CRASH_TEST = "_DURABLY_CRASH_TEST"
"""In the environment of a process that `durably test` kills: what it is to do besides."""


def execute(
    store: Store,
    act: Callable[[Presenter], TriggerResult],
    notifier: Notifier,
    timeout: float | None,
    *,
    quiet: bool,
    as_json: bool,
    detached: Detached | None = None,
    suspends: bool = False,
) -> int:
    """Execute a run as `act` finds it, and print what came of it; the exit code."""
    is_terminal = sys.stdout.isatty()
    if IN_CRASH_TEST in os.environ:
        from durably_cli.cli.crash_test.inside import join_trial  # not for other runs

        join_trial()
        notifier.say_nothing()  # they are killed on purpose
    document.load_writers()
    is_aside = quiet or detached is not None
    with streams_to_log(store, is_all=is_aside) as (streams, printed):
        document.writes_to(streams.stdout)
        talk = talk_on(streams.stderr, quiet)
        talk.shows_sources = detached is not None
        presenter = Presenter(talk, detached, printed, timeout, notifier.begins, suspends=suspends)
        try:
            result = _acted(act, presenter, notifier, talk, store, streams, quiet=quiet)
        except (AttemptTimedOut, Interrupted):
            if presenter.run is not None:
                # Of a journal that cannot be read the abort is said all the same.
                with suppress(DurablyError, OSError), store.view(presenter.run.run_id) as view:
                    if as_json:
                        _write_document(view, streams.stdout, {})
                    if quiet:
                        streams.stderr.write(presenter.report(view, ""))
            raise
        with result.view(store.view) as view:
            if detached and detached.prints_id and not as_json and not quiet:
                _print_id(result, streams.stdout)
            else:
                _print_result(
                    view, result, streams.stdout, is_terminal, quiet=quiet, as_json=as_json
                )
            go_on = "" if view.state.is_final else how_to_go_on(view)
            outcome = outcome_of(presenter.run, view) if presenter.run else None
            code = say_outcome(view, result, outcome, talk, go_on)
            if code and (end := end_of(view)):
                end.note(view.run_id)
            if quiet and code == Busy.exit_code and result.executed:
                streams.stderr.write(newly_asked(view))
            if quiet and code not in (0, Busy.exit_code):
                before = "" if result.executed else failed_before(view, talk)
                streams.stderr.write(presenter.report(view, go_on, before))
            return code


def _acted(
    act: Callable[[Presenter], TriggerResult],
    presenter: Presenter,
    notifier: Notifier,
    talk: Talk,
    store: Store,
    streams: Streams,
    *,
    quiet: bool,
) -> TriggerResult:
    """The run that was executed, or that another process executes; signals end it well."""
    process.end_late_threads_in_a_line(quiet=quiet)
    signals.install(
        on_first=lambda: (
            None if quiet else _warn(streams, "stopping; a second signal ends it at once", talk)
        ),
        before_exit=lambda: _leave_at_once(streams, presenter, talk),
    )
    try:
        notifier.sweep(retries=False)  # a mail server that hangs would hold up each run
        return _noticed(act, presenter, notifier)
    except (Abort, KeyboardInterrupt) as stopped:  # one that the job raised itself, too
        abort = stopped if isinstance(stopped, Abort) else Interrupted(signal.SIGINT)
        talk.close()
        return _ended_all_the_same(store, presenter.run, abort)
    finally:
        talk.close()
        signals.uninstall()
        for problem in notifier.problems(but_pings=quiet):
            streams.stderr.write(f"durably: {visible_lines(problem)}\n")
        process.this.is_stopped = presenter.run is not None and presenter.run.is_stopped
        staying = 0 if process.this.is_stopped else process.threads_to_wait_for()
        if staying:
            left = plural(staying, "thread")
            talk.say(f"the job left {left} running; durably ends when they do")


def _noticed(
    act: Callable[[Presenter], TriggerResult], presenter: Presenter, notifier: Notifier
) -> TriggerResult:
    """The run that `act` finds; whoever is to know how an attempt at it ended does so."""
    try:
        result = act(presenter)
    except (AttemptTimedOut, Suspended):
        if presenter.run is not None:
            notifier.ended(presenter.run.run_id)
        raise
    if presenter.run is not None:
        notifier.ended(presenter.run.run_id)
    return result


def _print_result(
    view: RunView,
    result: TriggerResult,
    out: TextIO,
    is_terminal: bool,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    with suppress(BrokenPipeError):  # closing stdout early changes nothing of how it ends
        if as_json:
            again = [] if result.executed or not result.is_resumed else how_to_make_again(view)
            more = [hints.command(*each.words) for each in again]
            _write_document(view, out, {"disposition": str(result.disposition)}, more)
        elif not quiet:
            write_output(view, out, is_terminal=is_terminal)
        out.flush()


def _write_document(
    view: RunView, out: TextIO, more: dict[str, str], suggested: Sequence[str] = ()
) -> None:
    document.suggest(*suggested, *next_commands(view))
    write_summary_json(view, document.on(out), more)


def _print_id(result: TriggerResult, out: TextIO) -> None:
    if result.disposition is not Disposition.COALESCED:
        out.write(f"{result.run_id}\n")
        out.flush()


def _ended_all_the_same(store: Store, run: LiveRun | None, abort: Abort) -> TriggerResult:
    """A run whose end was durable before the abort has ended; else the abort goes on, explained."""
    if run is None:
        raise abort
    run_id = run.run_id
    if isinstance(abort, Suspended):
        return TriggerResult(run_id, Disposition.CREATED, executed=True, look=run.held.last_look)
    if run.has_failed is not None:  # in what is done about that; others may be at it since
        return TriggerResult(run_id, Disposition.CREATED, executed=True, look=run.held.last_look)
    abort.hint = abort.hint or hints.command("resume", short(run_id))
    try:
        with store.view(run_id) as view:
            if run.has_begun and view.state.has_ended and isinstance(abort, Interrupted):
                return TriggerResult(run_id, Disposition.CREATED, executed=True)
            running = [f" in step {step.name}" for step in view.state.cut_short]
            running += [f" in a pause of step {step.name}" for step in retrying(view)]
    except (DurablyError, OSError):  # its journal is gone, which is what the abort says
        raise abort from None
    where = running[-1] if running else ""
    if isinstance(abort, Interrupted):
        abort.what = f"run {short(run_id)} was interrupted{where}"
    elif isinstance(abort, AttemptTimedOut):
        abort.what = f"run {short(run_id)} was ended{where}: {abort.what}"
    raise abort


def _leave_at_once(streams: Streams, presenter: Presenter, talk: Talk) -> None:
    said = "left at once"
    if presenter.run is not None:
        with hints.of_command_line():
            command = hints.command("resume", short(presenter.run.run_id))
        said += f"; go on where it was: {command}"
    _warn(streams, said, talk)


def _warn(streams: Streams, text: str, talk: Talk) -> None:
    """A line on stderr, past all buffers: a signal may have come while one was being filled."""
    _write(streams, f"{talk.erase}durably: {text}\n")


def _write(streams: Streams, text: str) -> None:
    with suppress(OSError):
        os.write(streams.stderr.fileno(), streams.row.end() + text.encode())
