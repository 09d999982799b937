"""What `trigger` and `resume` do: act on a run, talk on stderr, print its output on stdout."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TextIO

from durably_cli import interrupts, paths
from durably_cli.discovery import AnyJob, find_job
from durably_cli.errors import Abort, ConfigError, DurablyError, Interrupted, NotFound
from durably_cli.events import StepCompleted
from durably_cli.ids import short
from durably_cli.inputs import read_input
from durably_cli.lookup import find_run
from durably_cli.options import read_labels
from durably_cli.render.plain import pretty_json, write_summary_json
from durably_cli.render.talk import Talk
from durably_cli.render.text import plural, span
from durably_cli.request import Disposition, OnConflict, Request
from durably_cli.state import Status
from durably_cli.store import Store, View
from durably_cli.streams import job_output_to_stderr
from durably_cli.timeline import seconds_of
from durably_cli.triggers import Ended, holder, resume, trigger


class TriggerOptions(NamedTuple):
    """The options of `durably trigger`, as they were typed."""

    input: str | None
    fields: list[str]
    labels: list[str]
    idempotency_key: str | None
    concurrency_key: str | None
    on_conflict: OnConflict
    wait: bool


def run_trigger(project: Path, job: str, options: TriggerOptions, *, as_json: bool) -> int:
    """`durably trigger`; the exit code."""
    request = Request(
        job=job,
        input=read_input(options.input, options.fields),
        project=str(project),
        idempotency_key=options.idempotency_key,
        concurrency_key=options.concurrency_key,
        labels=read_labels(options.labels),
        on_conflict=options.on_conflict,
        wait=options.wait,
    )
    store = paths.open_store(project, to_write=True)

    def act(talk: Talk) -> Ended:
        return trigger(store, request, lambda: find_job(project, job, talk.say), talk)

    return _execute(project, store, act, as_json)


def run_resume(project: Path, meant: str, *, as_json: bool) -> int:
    """`durably resume`; the exit code."""
    store = paths.open_store(project)
    run_id = find_run(store, meant)

    def act(talk: Talk) -> Ended:
        return resume(store, run_id, lambda job: _job_of(run_id, project, job, talk), talk)

    return _execute(project, store, act, as_json)


def _job_of(run_id: str, project: Path, name: str, talk: Talk) -> AnyJob:
    try:
        return find_job(project, name, talk.say)
    except NotFound as error:
        raise NotFound(
            f"run {short(run_id)} is of the job {name}, which this project no longer has\n"
            f"{error.what}",
            hint="give a renamed job its old name back, @define_job(name=...), and bring a job "
            "that a script defines into jobs/",
        ) from None


def _execute(project: Path, store: Store, act: Callable[[Talk], Ended], as_json: bool) -> int:
    is_terminal = sys.stdout.isatty()
    with job_output_to_stderr() as stdout:
        talk = _talk(sys.stderr)
        interrupts.install(
            on_first=lambda: _write_error("stopping; a second signal ends it at once"),
            before_exit=lambda: _leave_at_once(talk, project),
        )
        try:
            ended = act(talk)
        except Abort as abort:
            talk.close()
            ended = _ended_all_the_same(store, talk, abort, project)
        finally:
            talk.close()
            interrupts.uninstall()
            _say_who_stays(talk)
        with store.view(ended.run_id) as view:
            _print_result(view, ended, stdout, is_terminal=is_terminal, as_json=as_json)
            return _report(view, ended, talk, project)


def _talk(stream: TextIO) -> Talk:
    if not stream.isatty():
        return Talk(stream)
    from durably_cli.render.live import Live  # rich, for terminals alone

    return Live(stream)


def _ended_all_the_same(store: Store, talk: Talk, abort: Abort, project: Path) -> Ended:
    """A run whose end was durable before the abort has ended; else the abort goes on, explained."""
    if talk.run is None:
        raise abort
    run_id = talk.run.run_id
    abort.hint = resume_command(project, run_id)
    try:
        with store.view(run_id) as view:
            if view.state.has_ended and isinstance(abort, Interrupted):
                return Ended(run_id, Disposition.CREATED, executed=True)
            running = [step.name for step in view.state.in_doubt][-1:]
    except DurablyError:  # its journal is gone, which is what the abort says
        raise abort from None
    if isinstance(abort, Interrupted):
        where = f" in step {running[0]}" if running else ""
        abort.what = f"run {short(run_id)} was interrupted{where}"
    raise abort


def _leave_at_once(talk: Talk, project: Path) -> None:
    talk.close()
    if talk.run is not None:
        command = resume_command(project, talk.run.run_id)
        _write_error(f"left at once; go on where it was: {command}")


def _write_error(text: str) -> None:
    """A line on stderr, past all buffers: a signal may have come while one was being filled."""
    try:
        os.write(2, f"durably: {text}\n".encode())
    except OSError:
        pass


def _say_who_stays(talk: Talk) -> None:
    others = (each for each in threading.enumerate() if each is not threading.main_thread())
    staying = sum(not each.daemon for each in others)
    if staying:
        talk.say(f"the job left {plural(staying, 'thread')} running; durably ends when they do")


def _print_result(
    view: View, ended: Ended, stdout: TextIO, *, is_terminal: bool, as_json: bool
) -> None:
    if as_json:
        write_summary_json(view, stdout, {"disposition": str(ended.disposition)})
    elif view.state.output is not None:
        output = view.state.output
        stdout.write((pretty_json(output) if is_terminal else output) + "\n")
    stdout.flush()


def _report(view: View, ended: Ended, talk: Talk, project: Path) -> int:
    """Say what came of the run; the exit code."""
    name = f"run {short(view.run_id)}"
    state = view.state
    if ended.disposition is Disposition.COALESCED:
        has = "waits for the key" if view.status is Status.PENDING else "has the key"
        talk.say(f"nothing was run: {name} of {state.created.job} {has}")
        return 0
    if view.status is Status.COMPLETED:
        if ended.executed:
            _say_completed(view, talk, name)
        else:
            talk.say(f"{name} had completed before, at {state.ended}; this is its output")
        return 0
    if view.status is Status.FAILED:
        if state.error is not None:
            talk.say_lines(state.error.traceback)
        where = f" in step {state.failed_step}" if state.failed_step else ""
        before = "" if ended.executed else " before"
        talk.say(f"{name} failed{before}{where}{_saved(view, talk)}")
        talk.say(f"once that is mended, go on where it was: {resume_command(project, view.run_id)}")
        return 1
    if view.status is Status.CANCELLED:
        talk.say(f"{name} was cancelled")
        return 3
    talk.say(f"{name} is {view.status}: another process holds it{holder(view)}")
    return 0


def _say_completed(view: View, talk: Talk, name: str) -> None:
    state = view.state
    took = span(seconds_of(state.attempts[-1]))
    steps = plural(talk.completed, "step")
    talk.say(f"{name} completed in {took}: {steps} run{_saved(view, talk)}")
    if talk.run is not None and talk.run.results:
        unused = plural(len(talk.run.results), "journalled step")
        talk.say(f"{unused} did not come up again: the job has changed since")


def _saved(view: View, talk: Talk) -> str:
    """How many steps were replayed, and the time that they took when they ran."""
    if talk.run is None or not talk.replayed_steps:
        return ""
    unused, saved_ms = talk.run.results, talk.run.state.completed_ms
    if unused:
        events = (event for event in view.events() if isinstance(event, StepCompleted))
        saved_ms -= sum(event.ms for event in events if event.name in unused)
    replayed = plural(talk.replayed_steps, "step")
    return f", {replayed} replayed, which saved {span(saved_ms / 1000)}"


def resume_command(project: Path, run_id: str) -> str:
    """The command that resumes the run, from the working directory."""
    try:
        is_here = paths.find_project() == project
    except ConfigError:
        is_here = False
    where = "" if is_here else f"-C {shlex.quote(str(project))} "
    return f"durably {where}resume {short(run_id)}"
