"""What a job and its programs print, off a terminal: into the run's logs, and where it led before.

What Python prints is noted by whoever prints it, with its time and its step, and logged by a thread
a moment later: whoever prints holds the lock of a stream, and would log under it.

The rest, of programs and of C code, goes through a file without a name that a thread reads, and not
through a pipe: a pipe would lose what durably had not read when it is killed, and end the job's own
daemons when its reader ends. So with `-q` and `--detach` all of it is logged. Else what programs
print goes to stderr as ever, and is not logged: to see it on its way, a process would have to stand
between that outlives durably, keeps the order, and is never waited for by the job.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from durably_cli.cli.spool import SpoolOfJob
from durably_cli.cli.streams import Streams, flush_both, redirected
from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.local.store import Store
from durably_cli.engines.observer import Runnable
from durably_cli.errors import JournalLost
from durably_cli.journal.events import OF_PROGRAMS, LogWritten
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.steps.capture import Budget
from durably_cli.steps.echo import is_echo
from durably_cli.steps.step import Step
from durably_cli.system import clock
from durably_cli.system.process import this
from durably_cli.values.quantities import size
from durably_cli.values.strict_json import Json
from durably_cli.values.visible import last_written

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput

_PAUSE_SECONDS = 0.2
LONGEST_LINE, BYTES = 4_000, 1_000_000
"""How many characters of a line, and how many bytes, the logs of an attempt take."""

_STREAMS = {1: "stdout", 2: "stderr"}
_LOGGED = "logged"
"""The source, in the file, of what is in the logs already."""


class _Note(NamedTuple):
    """All up to this byte, from the note before on, is of this source and step.

    `is_replayed` says that the handler may have printed it in an earlier attempt, too.
    """

    end: int
    source: str
    step: str | None
    is_replayed: bool


class _Part(NamedTuple):
    """Some of what was printed, in which step, and when."""

    text: bytes
    source: str
    step: str | None
    is_replayed: bool
    at: str


class Printed:
    """What is printed while a command executes a run, and who printed it.

    `is_all` says that it leads into the file, and nowhere else. If not, the file gets a copy of
    what children that the job has forked print in Python, up to the bound.
    """

    def __init__(self, store: Store, *, is_all: bool) -> None:
        self.spool = SpoolOfJob(store, copy=not is_all)
        self.is_all = is_all
        self.notes = deque[_Note]()
        self.step: Step | None = None
        """That of the attempt that is executed."""
        self._noted, self._process = 0, this.pid
        self.lines = _Lines(self)
        """What all attempts of this process have logged of it."""

    def wrote(self, stream: int, data: memoryview) -> None:
        """Python's stdout (1) or stderr (2) has written this."""
        is_of_child = this.pid != self._process
        with suppress(OSError):  # it is where it was to be, and no log has it
            if self.is_all and not is_of_child:
                end = self.spool.size()
                self._note(end - len(data), OF_PROGRAMS)
                self._note(end, _LOGGED)
            elif is_of_child and not self.is_all:
                self.spool.write(data[: max(0, BYTES - self.spool.size())])
        if not is_of_child and not is_echo():
            self.lines.take(data, _STREAMS[stream])

    def noting(self, recorded: Callable[[Event], None]) -> Callable[[Event], None]:
        """The same, which looks besides how much there is when a step begins or ends.

        So the step in which a program printed is known. It costs a step 1 us in each of the two.
        """
        fd = self.spool.fd

        def note(event: Event) -> None:
            kind = type(event)
            if kind is StepStarted or kind is StepCompleted or kind is StepFailed:
                with suppress(OSError):  # the job has closed it
                    end = os.lseek(fd, 0, os.SEEK_CUR)  # where all who print share one position
                    if end > self._noted:
                        others = self._others(event[0])
                        of = others if kind is StepStarted else None if others else event[0]
                        self._note(end, OF_PROGRAMS, of)
            recorded(event)

        return note if self.is_all else recorded

    def _others(self, name: str) -> str | None:
        """The step beside this one that is being performed, if it is one and no more."""
        return self.step.only_one_running(besides=name) if self.step else None

    def _note(self, end: int, source: str, *step: str | None) -> None:
        if end > self._noted:
            self._noted = end
            (of,) = step or (self.step.running if self.step else None,)
            is_replayed = self.step is None or self.step.is_replayed
            self.notes.append(_Note(end, source, of, is_replayed))


@contextmanager
def streams_to_log(store: Store, *, is_all: bool) -> Iterator[tuple[Streams, Printed | None]]:
    """Inside, what is printed leads to stderr, or only into the file of what is printed.

    A terminal shows it to somebody: there it is in no file, and in no log.
    """
    if not is_all and sys.stderr.isatty():
        with redirected(for_good=True) as streams:
            yield streams, None
        return
    printed = Printed(store, is_all=is_all)
    try:
        with redirected(
            printed.spool.file if is_all else None, printed.wrote, for_good=True
        ) as streams:
            yield streams, printed
    finally:
        printed.spool.close()


class PrintingJob:
    """A job whose runs have in their logs what is printed while they are executed."""

    def __init__(self, job: Runnable, printed: Printed) -> None:
        self._job, self._printed = job, printed

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        """The input as the job's model reads it."""
        return self._job.settle(given, is_compared=is_compared)

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound."""
        bound = self._job.work(input)

        def call(step: Step) -> Json:
            with self._logged(step):
                return bound.call(step)

        return bound._replace(call=call)

    @contextmanager
    def _logged(self, step: Step) -> Iterator[None]:
        done = threading.Event()
        self._printed.step = step
        thread = _started(self._printed.lines.follow, step, done)
        try:
            yield
        finally:
            flush_both()
            done.set()
            if thread is not None:
                thread.join()
            else:
                self._printed.lines.follow(step, done)
            self._printed.lines.end(step)
            self._printed.step = None


def _started(
    target: Callable[[Step, threading.Event], None], *args: Any
) -> threading.Thread | None:
    """A thread that calls it; None where none can be started: of a job that has taken sys.stderr
    away, or that may have no more threads.
    """
    with suppress(AttributeError, RuntimeError):
        thread = threading.Thread(target=target, args=args, daemon=True)
        thread.start()
        return thread
    return None


class _Lines:
    """The lines of what is printed, logged as they come, up to a bound."""

    def __init__(self, printed: Printed) -> None:
        self._printed, self._spool = printed, printed.spool
        self._at, self._taken, self._budget = 0, 0, Budget(BYTES)
        self._rests = dict[str, _Part]()
        self._waiting = deque[_Part]()
        self._left_out = self._said = 0

    def take(self, data: memoryview, source: str) -> None:
        """Python has printed this just now: it waits to be logged."""
        room = max(0, BYTES - self._taken)
        self._taken += len(data)
        if not self._printed.is_all:  # else what is behind the bound in the file is counted
            self._left_out += max(0, len(data) - room)
        if room:
            step = self._printed.step
            of, is_replayed = (step.running, step.is_replayed) if step else (None, True)
            text = bytes(data[:room])
            self._waiting.append(_Part(text, source, of, is_replayed, clock.now()))

    def end(self, step: Step) -> None:
        """Log what has no end of line, and how much was left out."""
        with suppress(JournalLost, Exception):  # nothing can be logged any more
            is_cut = max(self._taken, self._at) >= BYTES  # then half a secret could be the rest
            for source in list(self._rests):
                rest = self._rests.pop(source)
                if is_cut:
                    self._left_out += len(rest.text)
                else:
                    self._log(rest, step)
            self._say_what_is_left_out(step)

    def follow(self, step: Step, done: threading.Event) -> None:
        """Log what comes into the file until it is done."""
        with suppress(JournalLost, Exception):  # nothing can be logged any more
            end = 0
            while not done.wait(_PAUSE_SECONDS):
                # A note comes a moment behind its bytes: what is logged was there a pause ago.
                end, before = self._spool.size(), end
                self._log_what_waits(step)
                self._log_up_to(before, step)
            self._log_what_waits(step)
            self._log_up_to(self._spool.size(), step)

    def _log_up_to(self, end: int, step: Step) -> None:
        notes = self._printed.notes
        known = sorted((notes.popleft() for _ in range(len(notes))), key=lambda note: note.end)
        for note in [*known, _Note(end, OF_PROGRAMS, step.only_one_running(), step.is_replayed)]:
            while (many := min(note.end, end, BYTES) - self._at) > 0:
                data = os.pread(self._spool.fd, min(many, 1 << 16), self._at)
                if not data:  # a program has cut the file: `echo x > /dev/stderr` does
                    break
                self._at += len(data)
                if note.source != _LOGGED:
                    self._split(_Part(data, *note[1:], clock.now()), step)
        notes.extendleft(reversed([note for note in known if note.end > end]))

    def _log_what_waits(self, step: Step) -> None:
        for _ in range(len(self._waiting)):
            self._split(self._waiting.popleft(), step)

    def _split(self, part: _Part, step: Step) -> None:
        before = self._rests.pop(part.source, part._replace(text=b""))
        *lines, last = (before.text + part.text).split(b"\n")
        for line in lines:
            self._log(before._replace(text=line), step)
            before = part
        if last:
            self._rests[part.source] = before._replace(text=last)

    def _log(self, part: _Part, step: Step) -> None:
        """Past the standard logging, which may print it, and so for ever."""
        line = part.text
        text = last_written(line.decode("utf-8", "replace"))
        if not text.strip():
            return
        if not self._budget.takes(len(line)):
            self._left_out += len(line) + 1
            return
        written = step.masked(LogWritten("info", text, part.at, part.step, {}, source=part.source))
        if len(text := written.message) > LONGEST_LINE:  # cut before, half a secret could stay
            text = f"{text[:LONGEST_LINE]} ... {len(text) - LONGEST_LINE:,} more characters"
        step.emit(written._replace(message=text), is_replayed=part.is_replayed)

    def _say_what_is_left_out(self, step: Step) -> None:
        behind = self._spool.size() - self._at if self._at >= BYTES else 0
        left_out = self._left_out + behind - self._said
        if left_out:
            self._said += left_out
            what = f"{size(left_out)} more were printed than the logs of a run take"
            step.emit(LogWritten("warn", what, clock.now(), source=OF_PROGRAMS))
