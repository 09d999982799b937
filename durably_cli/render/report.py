"""The report of a failure that `--quiet` prints, and cron mails: all of it in one place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO

from durably_cli import hints
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import LogWritten
from durably_cli.journal.state import Status
from durably_cli.render.failure import error_lines
from durably_cli.render.reason import reason
from durably_cli.render.record import for_good
from durably_cli.render.rows import log_lines
from durably_cli.render.timeline import seconds_of
from durably_cli.render.words import in_steps
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible, visible_lines

LOGS, PRINTED, ATTEMPTS = 10, 20, 10
"""How many log lines, lines the job printed, and attempts are shown, the last ones."""

_INPUT = 200
_PRINTED_BYTES = 1 << 16


def report(
    view: RunView,
    printed: BinaryIO | None,
    resume: str,
    mask: Callable[[str], str],
    time: Callable[[str], str],
    *,
    failed_before: str = "",
    not_read: Sequence[str] = (),
) -> str:
    """What failed and where, what led there, and the command that goes on, if there is one.

    `mask` takes known secrets out of what the job printed; `time` makes a time of the journal one
    for the reader; `failed_before` says when, of a run that
    was not executed now; `not_read` are lines about fields of the input that the job passes over.
    """
    state = view.state
    where = in_steps(state.causes)
    before = " before" if failed_before else ""
    has = "was " if view.status is Status.CANCELLED else ""
    input = state.created.input
    lines = [
        f"run {short(view.run_id)} of {state.created.job} {has}{view.status}{before}{where}",
        f"  run      {view.run_id}",
        f"  project  {state.created.project}",
        f"  input    {input if len(input) <= _INPUT else input[:_INPUT] + ' ...'}",
    ]
    lines += [f"  unread   {each}" for each in not_read]
    if view.status is Status.CANCELLED:
        lines.append(f"  cancelled {reason(view)}")
    if failed_before:
        lines.append(f"  ended    {failed_before}")
    sections = (
        ("error", error_lines(view)),
        _log_section(view, time),
        ("printed by the job", _last_lines(printed, mask, view) if printed else []),
        (_last("attempts", ATTEMPTS, len(state.attempts)), list(_attempts(view, time))),
    )
    for title, found in sections:
        if found:
            lines += ["", f"{title}:", *(f"  {line}" for line in found)]
    if resume:
        shown = hints.shown(resume).split("\n")
        lines += ["", *(each if each.startswith(" ") else f"try: {each}" for each in shown)]
    elif view.status is Status.CANCELLED:
        lines += ["", for_good(view)]
    return visible_lines("\n".join(lines)) + "\n"


def _last(what: str, shown: int, there_are: int) -> str:
    return what if there_are <= shown else f"{what}, the last {shown} of {there_are:,}"


def _log_section(view: RunView, time: Callable[[str], str]) -> tuple[str, list[str]]:
    """The last lines of step.log: the others were printed, or are in the program's own logs."""
    if not view.state.log_lines:  # of a long journal, which is not read for that
        return "log lines", []
    count, last = 0, deque[LogWritten](maxlen=LOGS)
    for log in log_lines(view.events()):
        if log.source is None:
            count += 1
            last.append(log)
    return _last("log lines", LOGS, count), list(_log_lines(last, time))


def _log_lines(logs: Iterable[LogWritten], time: Callable[[str], str]) -> Iterator[str]:
    for log in logs:
        yield f"{time(log.at)[11:]} {log.level:5} {visible(log.message + log.values)}"
        yield from (f"  {visible(line)}" for line in log.traceback)


def _attempts(view: RunView, time: Callable[[str], str]) -> Iterator[str]:
    numbered = list(enumerate(view.state.attempts, 1))
    for number, attempt in numbered[-ATTEMPTS:]:
        began = time(attempt.started.at)
        yield f"{number}  {began}  {span(seconds_of(attempt))}  {attempt.outcome}"


def _last_lines(printed: BinaryIO, mask: Callable[[str], str], view: RunView) -> list[str]:
    size = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, size - _PRINTED_BYTES))
    text = printed.read().decode("utf-8", "replace")
    if size > _PRINTED_BYTES:  # half a line could be half a secret
        text = text.partition("\n")[2]
    text = mask(text).rstrip("\n")
    lines = [line.rstrip("\r") for line in text.split("\n")] if text else []
    left_out = len(lines) - PRINTED
    if left_out > 0:
        logs = hints.command("logs", short(view.run_id))
        where = f": {logs}" if view.state.log_lines else ""
        return [f"... {plural(left_out, 'line')} before{where}", *lines[-PRINTED:]]
    return lines
