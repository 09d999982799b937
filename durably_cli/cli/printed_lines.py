"""Lines of what is printed while a run is executed, logged by a thread a moment later.

Whoever prints holds the lock of a stream, and would log under it.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from durably_cli.errors import JournalLost
from durably_cli.journal.events import OF_PROGRAMS, LogWritten
from durably_cli.journal.masking import Secrets
from durably_cli.steps.capture import Budget
from durably_cli.steps.current import known_secrets
from durably_cli.steps.step import Step
from durably_cli.system import clock
from durably_cli.values.quantities import size
from durably_cli.values.visible import last_written

_PAUSE_SECONDS = 0.2
LONGEST_LINE, BYTES = 4_000, 1_000_000
"""How many characters of a line, and how many bytes, the logs of an attempt take."""

STREAMS = {1: "stdout", 2: "stderr"}


class PrintedPart(NamedTuple):
    """Some of what was printed, in which step, and when.

    `is_replayed` says that the handler may have printed it in an earlier attempt, too. The secrets
    are those of all runs of this process at that time: a thread of one may print for another.
    """

    text: bytes
    source: str
    step: str | None
    is_replayed: bool
    at: str
    secrets: list[Secrets]


class PrintedLines:
    """The lines of what Python prints, logged as they come, up to a bound."""

    def __init__(self) -> None:
        self._taken, self._budget = 0, Budget(BYTES)
        self._rests = dict[str, PrintedPart]()
        self._waiting = deque[PrintedPart]()
        self._left_out = self._said = 0

    def take(self, data: memoryview, source: str, step: Step | None) -> None:
        """Python has printed this just now: it waits to be logged."""
        room = max(0, BYTES - self._taken)
        self._taken += len(data)
        self._count_left_out(max(0, len(data) - room))
        if room:
            of, is_replayed = (step.running, step.is_replayed) if step else (None, True)
            part = bytes(data[:room]), source, of, is_replayed, clock.now(), known_secrets()
            self._waiting.append(PrintedPart(*part))

    def follow(self, step: Step, done: threading.Event) -> None:
        """Log what comes until it is done."""
        with suppress(JournalLost, Exception):  # nothing can be logged any more
            while not done.wait(_PAUSE_SECONDS):
                self._log_what_has_come(step)
            self._log_all(step)

    def end(self, step: Step) -> None:
        """Log what has no end of line, and how much was left out."""
        with suppress(JournalLost, Exception):  # nothing can be logged any more
            is_cut = self._read() >= BYTES  # then half a secret could be the rest
            for source in list(self._rests):
                rest = self._rests.pop(source)
                if is_cut:
                    self._left_out += len(rest.text)
                else:
                    self._log(rest, step)
            self._say_what_is_left_out(step)

    def _log_what_has_come(self, step: Step) -> None:
        for _ in range(len(self._waiting)):
            self._split(self._waiting.popleft(), step)

    def _log_all(self, step: Step) -> None:
        """Log the last of it."""
        self._log_what_has_come(step)

    def _read(self) -> int:
        """How many bytes there were to log, if they are less than the bound."""
        return self._taken

    def _count_left_out(self, many: int) -> None:
        self._left_out += many

    def _behind_bound(self) -> int:
        """How many bytes are left out that nobody has counted."""
        return 0

    def _split(self, part: PrintedPart, step: Step) -> None:
        before = self._rests.pop(part.source, part._replace(text=b""))
        secrets = [*dict.fromkeys((*before.secrets, *part.secrets))]
        before = before._replace(secrets=secrets)
        *lines, last = (before.text + part.text).split(b"\n")
        for line in lines:
            self._log(before._replace(text=line), step)
            before = part
        if last:
            self._rests[part.source] = before._replace(text=last)

    def _log(self, part: PrintedPart, step: Step) -> None:
        """Past the standard logging, which may print it, and so for ever."""
        line = part.text
        text = last_written(line.decode("utf-8", "replace"))
        if not text.strip():
            return
        if not self._budget.takes(len(line)):
            self._left_out += len(line) + 1
            return
        for secrets in part.secrets:
            text = secrets.mask(text)
        if len(text) > LONGEST_LINE:  # cut before, half a secret could stay
            text = f"{text[:LONGEST_LINE]} ... {len(text) - LONGEST_LINE:,} more characters"
        written = LogWritten("info", text, part.at, part.step, {}, source=part.source)
        step.emit(written, is_replayed=part.is_replayed)

    def _say_what_is_left_out(self, step: Step) -> None:
        left_out = self._left_out + self._behind_bound() - self._said
        if left_out:
            self._said += left_out
            what = f"{size(left_out)} more were printed than the logs of a run take"
            step.emit(LogWritten("warn", what, clock.now(), source=OF_PROGRAMS))


class Following:
    """A thread that logs lines in one attempt, from `begin` on, if that is called."""

    def __init__(self, lines: PrintedLines, step: Step) -> None:
        self._lines, self._step = lines, step
        self._done, self._has_begun = threading.Event(), False
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Log from now on what comes; twice is once."""
        if self._has_begun or self._done.is_set():
            return
        self._has_begun = True
        # There is none for a job that has taken sys.stderr away, or may have no more threads.
        with suppress(AttributeError, RuntimeError):
            args = self._step, self._done
            thread = threading.Thread(target=self._lines.follow, args=args, daemon=True)
            thread.start()
            self._thread = thread

    def end(self) -> None:
        """Return once all is logged."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
        elif self._has_begun:
            self._lines.follow(self._step, self._done)
        if self._has_begun:
            self._lines.end(self._step)
