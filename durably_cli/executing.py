"""What `trigger` and `resume` do: act on a run, talk on stderr, print its output on stdout."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from durably_cli import catalogue, files, garbage, hints, interrupts, paths, threads
from durably_cli.discovery import AnyJob, find_job
from durably_cli.errors import Abort, DurablyError, Interrupted, NotFound
from durably_cli.events import RunCreated
from durably_cli.ids import short
from durably_cli.inputs import laid_over, read_input
from durably_cli.lookup import find_run
from durably_cli.masking import NO_SECRETS
from durably_cli.options import read_labels
from durably_cli.outcome import tell_outcome
from durably_cli.render.plain import pretty_json, write_summary_json
from durably_cli.render.talk import Silent, Talk
from durably_cli.render.text import plural
from durably_cli.request import Disposition, OnConflict, Request
from durably_cli.resumes import Ended, resume
from durably_cli.store import Store, View
from durably_cli.streams import Streams, aside
from durably_cli.strict import printable
from durably_cli.triggers import trigger
from durably_cli.working_folder import enter_for


class TriggerOptions(NamedTuple):
    """The options of `durably trigger`, as they were typed."""

    input: str | None
    fields: list[str]
    flags: dict[str, Any]
    flags_as_typed: dict[str, Any]
    labels: list[str]
    idempotency_key: str | None
    concurrency_key: str | None
    on_conflict: OnConflict
    wait: bool


def run_trigger(
    project: Path, job: str, options: TriggerOptions, *, quiet: bool, as_json: bool
) -> int:
    """`durably trigger`; the exit code."""
    input = read_input(options.input, options.fields, options.flags)
    before = laid_over(input, options.flags_as_typed)
    request = Request(
        job=job,
        input=input,
        project=str(project),
        folder=printable(str(project)),
        input_of_before=None if before == input else before,
        idempotency_key=options.idempotency_key,
        concurrency_key=options.concurrency_key,
        labels=read_labels(options.labels),
        on_conflict=options.on_conflict,
        wait=options.wait,
    )
    store = paths.open_store(project, to_write=True)

    def act(talk: Talk) -> Ended:
        def load(created: RunCreated | None) -> AnyJob:
            if created is None:
                os.chdir(project)
            else:
                enter_for(created, project, talk.say)
            return _loaded(project, job, talk)

        return trigger(store, request, load, talk)

    return _execute(store, act, quiet=quiet, as_json=as_json)


def run_resume(project: Path, meant: str, *, quiet: bool, as_json: bool) -> int:
    """`durably resume`; the exit code."""
    store = paths.open_store(project)
    run_id = find_run(store, meant)

    def act(talk: Talk) -> Ended:
        def load(created: RunCreated) -> AnyJob:
            enter_for(created, project, talk.say)
            return _job_of(run_id, project, created.job, talk)

        return resume(store, run_id, load, talk)

    return _execute(store, act, quiet=quiet, as_json=as_json)


def _loaded(project: Path, name: str, talk: Talk) -> AnyJob:
    job = find_job(project, name, talk.say)
    garbage.collect_as_usual()
    catalogue.remember(project, [job])
    return job


def _job_of(run_id: str, project: Path, name: str, talk: Talk) -> AnyJob:
    try:
        return _loaded(project, name, talk)
    except NotFound as error:
        raise NotFound(
            f"run {short(run_id)} is of the job {name}, which this project no longer has\n"
            f"{error.what}",
            hint="give a renamed job its old name back, @define_job(name=...), and bring a job "
            "that a script defines into jobs/",
        ) from None


def _execute(
    store: Store,
    act: Callable[[Talk], Ended],
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    is_terminal = sys.stdout.isatty()
    with ExitStack() as stack:
        spool = stack.enter_context(_spool(store)) if quiet else None
        streams = stack.enter_context(aside(spool))
        talk = _talk(streams.stderr, quiet)
        threads.end_late_ones_in_a_line(quiet=quiet)
        interrupts.install(
            on_first=lambda: _warn(streams, "stopping; a second signal ends it at once"),
            before_exit=lambda: _leave_at_once(streams, talk),
        )
        try:
            ended = act(talk)
        except (Abort, KeyboardInterrupt) as stopped:  # one that the job raised itself, too
            abort = stopped if isinstance(stopped, Abort) else Interrupted(signal.SIGINT)
            talk.close()
            ended = _ended_all_the_same(store, talk, abort)
        finally:
            talk.close()
            interrupts.uninstall()
            if staying := threads.still_running():
                left = plural(staying, "thread")
                talk.say(f"the job left {left} running; durably ends when they do")
        with store.view(ended.run_id, ended.known) as view:
            with suppress(BrokenPipeError):  # closing stdout early changes nothing of how it ends
                if as_json:
                    disposition = {"disposition": str(ended.disposition)}
                    write_summary_json(view, streams.stdout, disposition)
                elif not quiet:
                    _print_output(view, streams.stdout, is_terminal=is_terminal)
                streams.stdout.flush()
            go_on = hints.command("resume", short(view.run_id))
            code = tell_outcome(view, ended, talk, go_on)
            if code and spool:
                from durably_cli.render.report import report  # needed by failures alone

                secrets = talk.run.secrets if talk.run else NO_SECRETS
                streams.stderr.write(report(view, spool, go_on, secrets.mask))
            return code


def _spool(store: Store) -> BinaryIO:
    """A file without a name for what the job prints, which is looked at only if it fails."""
    fd, path = files.create(store.temporary, "printed")
    os.unlink(path)
    return open(fd, "w+b")


def _talk(stream: TextIO, quiet: bool) -> Talk:
    if quiet:
        return Silent(stream)
    if not stream.isatty():
        return Talk(stream)
    from durably_cli.render.live import Live  # rich, for terminals alone

    return Live(stream)


def _print_output(view: View, out: TextIO, *, is_terminal: bool) -> None:
    output = view.state.output
    if output is not None:
        out.write((pretty_json(output) if is_terminal else output) + "\n")


def _ended_all_the_same(store: Store, talk: Talk, abort: Abort) -> Ended:
    """A run whose end was durable before the abort has ended; else the abort goes on, explained."""
    if talk.run is None:
        raise abort
    run_id = talk.run.run_id
    abort.hint = abort.hint or hints.command("resume", short(run_id))
    try:
        with store.view(run_id) as view:
            if view.state.has_ended and isinstance(abort, Interrupted):
                return Ended(run_id, Disposition.CREATED, executed=True)
            running = [step.name for step in view.state.in_doubt][-1:]
    except (DurablyError, OSError):  # its journal is gone, which is what the abort says
        raise abort from None
    if isinstance(abort, Interrupted):
        where = f" in step {running[0]}" if running else ""
        abort.what = f"run {short(run_id)} was interrupted{where}"
    raise abort


def _leave_at_once(streams: Streams, talk: Talk) -> None:
    talk.close()
    if talk.run is not None:
        with hints.of_command_line():
            command = hints.command("resume", short(talk.run.run_id))
        _warn(streams, f"left at once; go on where it was: {command}")


def _warn(streams: Streams, text: str) -> None:
    """A line on stderr, past all buffers: a signal may have come while one was being filled."""
    try:
        os.write(streams.stderr.fileno(), f"durably: {text}\n".encode())
    except OSError:
        pass
