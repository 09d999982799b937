"""What a job and its programs print, off a terminal: into the run's logs, and where it led before.

What Python prints is noted by whoever prints it, with its time and its step, and logged by a thread
a moment later (`printed_lines`).

The rest, of programs and of C code, goes through a file without a name that a thread reads, and not
through a pipe: a pipe would lose what durably had not read when it is killed, and end the job's own
daemons when its reader ends. So with `-q` and `--detach` all of it is logged. Else what programs
print goes to stderr as ever, and is not logged: to see it on its way, a process would have to stand
between that outlives durably, keeps the order, and is never waited for by the job.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.cli import printed_lines
from durably_cli.cli.printed_lines import STREAMS, Following, PrintedLines, PrintedPart
from durably_cli.cli.spool import SpoolOfJob
from durably_cli.cli.streams import Streams, flush_both, redirected
from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.local.store import Store
from durably_cli.engines.observer import Runnable
from durably_cli.journal.events import OF_PROGRAMS
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.steps.current import known_secrets
from durably_cli.steps.echo import is_echo
from durably_cli.steps.step import Step
from durably_cli.system import clock
from durably_cli.system.process import this
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput

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
        self.lines = _LinesAndFile(self)
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
                self.spool.write(data[: max(0, printed_lines.BYTES - self.spool.size())])
        if not is_of_child and not is_echo():
            self.lines.take(data, STREAMS[stream], self.step)

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
        self._printed.step = step
        following = Following(self._printed.lines, step)
        following.begin()
        try:
            yield
        finally:
            flush_both()
            following.end()
            self._printed.step = None


class _LinesAndFile(PrintedLines):
    """Besides, the lines of what only the file has: those of programs, and of forks."""

    def __init__(self, printed: Printed) -> None:
        super().__init__()
        self._printed, self._spool = printed, printed.spool
        self._at = self._seen = 0

    def _log_what_has_come(self, step: Step) -> None:
        # A note comes a moment behind its bytes: what is logged was there a pause ago.
        self._seen, before = self._spool.size(), self._seen
        super()._log_what_has_come(step)
        self._log_up_to(before, step)

    def _log_all(self, step: Step) -> None:
        super()._log_what_has_come(step)
        self._log_up_to(self._spool.size(), step)

    def _read(self) -> int:
        return max(super()._read(), self._at)

    def _count_left_out(self, many: int) -> None:
        if not self._printed.is_all:  # else what is behind the bound in the file is counted
            super()._count_left_out(many)

    def _behind_bound(self) -> int:
        return self._spool.size() - self._at if self._at >= printed_lines.BYTES else 0

    def _log_up_to(self, end: int, step: Step) -> None:
        notes = self._printed.notes
        known = sorted((notes.popleft() for _ in range(len(notes))), key=lambda note: note.end)
        for note in [*known, _Note(end, OF_PROGRAMS, step.only_one_running(), step.is_replayed)]:
            while (many := min(note.end, end, printed_lines.BYTES) - self._at) > 0:
                data = os.pread(self._spool.fd, min(many, 1 << 16), self._at)
                if not data:  # a program has cut the file: `echo x > /dev/stderr` does
                    break
                self._at += len(data)
                if note.source != _LOGGED:
                    part = PrintedPart(data, *note[1:], clock.now(), known_secrets())
                    self._split(part, step)
        notes.extendleft(reversed([note for note in known if note.end > end]))
