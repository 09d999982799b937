"""The standard streams: stdout is data, the output and nothing else; stderr is talk.

While a job runs, its stdout and its children's lead to stderr, or all of it aside to be shown if it
fails; what Python writes there is seen on its way. That nobody reads it any more does not fail the
job.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TextIO

from durably_cli.errors import Abort

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def ensure_open() -> None:
    """Make the standard streams take whatever is written to them.

    /dev/null is opened for each of 0, 1, 2 that is closed, else a journal could become stdout; and
    what an encoding lacks is spelled out.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_all() -> None:
    """Write out what is buffered for stdout and stderr, or drop it: the end shall not fail."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        except BaseException:  # of what the job has put there, which Python would flush once more
            setattr(sys, name, None)


class Row:
    """That of stderr in which durably's talk and what Python prints for the job meet."""

    is_open = False
    """Has a print without a newline left it unended?"""

    def end(self) -> bytes:
        """What is to be written so that the next line begins a row of its own."""
        was_open, self.is_open = self.is_open, False
        return b"\n" if was_open else b""


class Streams(NamedTuple):
    """The real standard streams, while those of the process lead elsewhere."""

    stdout: TextIO
    stderr: TextIO
    row: Row


Wrote = Callable[[int, memoryview], object]
"""Sees what was written to Python's stdout (1) or stderr (2)."""


@contextmanager
def redirected(
    spool: BinaryIO | None = None, wrote: Wrote | None = None, *, for_good: bool = False
) -> Iterator[Streams]:
    """Inside, all that is printed goes to stderr, or into the spool; what is yielded is real.

    If it is `for_good`, what a late thread or `atexit` prints behind it goes to stderr, too: stdout
    is data, and all of that is out.
    """
    from durably_cli.system.descriptors import with_high_number  # only what executes needs it

    flush_both()
    real_stdout, real_stderr = with_high_number(1), with_high_number(2)
    before = getattr(sys, "stdout", None), getattr(sys, "stderr", None)
    os.dup2(spool.fileno() if spool else 2, 1)
    if spool:
        os.dup2(spool.fileno(), 2)
    row = Row()
    into = Row() if spool else row
    sys.stdout, sys.stderr = (as_text(PatientFile(number, into, wrote)) for number in (1, 2))
    stdout = os.fdopen(with_high_number(real_stdout), "w", encoding="utf-8")
    try:
        yield Streams(stdout, as_text(PatientFile(real_stderr, row, ends_row=True)), row)
    finally:
        _flush(stdout)
        flush_both()
        with suppress(OSError):
            os.write(real_stderr, row.end())
        sys.stdout, sys.stderr = before
        for real, number in ((real_stderr if for_good else real_stdout, 1), (real_stderr, 2)):
            with suppress(OSError):  # the job closed it: what is at the number now must do
                os.dup2(real, number)
        for real in (real_stdout, real_stderr):
            with suppress(OSError):
                os.close(real)
        if not for_good:
            with suppress(OSError):
                stdout.close()


class PatientFile(io.FileIO):
    """Takes what is written although its reader has gone, or its terminal, or the disk is full.

    A thread's line goes out at once: `print` writes the line and its end one after the other.
    """

    def __init__(
        self, number: int, row: Row, wrote: Wrote | None = None, *, ends_row: bool = False
    ) -> None:
        super().__init__(number, "w", closefd=False)
        self._row, self._wrote, self._ends_row = row, wrote, ends_row
        self._held = dict[int, bytes]()
        """What each thread has written since it has last flushed."""

    def write(self, data: ReadableBuffer, /) -> int:
        """All of it is taken: who writes text here does not look how much was."""
        whole = memoryview(data)
        if not whole.nbytes:
            return 0
        view, thread = whole.cast("B"), get_ident()
        held = self._held.get(thread, b"")
        if len(held) + view.nbytes <= io.DEFAULT_BUFFER_SIZE:
            self._held[thread] = held + view
        else:
            self._write_out(thread)
            self._write(view)
        return view.nbytes

    def flush(self) -> None:
        """What this thread has written goes out; other threads may be in the middle of a line."""
        super().flush()
        self._write_out(get_ident())

    def flush_all(self) -> None:
        """What any thread has written goes out."""
        for thread in list(self._held):
            self._write_out(thread)

    def _write_out(self, thread: int) -> None:
        if held := self._held.pop(thread, b""):
            self._write(memoryview(held))

    def _write(self, view: memoryview) -> None:
        if self._ends_row:
            self._write_all(memoryview(self._row.end()))
            self._write_all(view)
            return
        with _writing:  # else another thread's bytes could come between, and be taken for these
            self._write_all(view)
            self._row.is_open = view[-1] != ord("\n")
            if self._wrote is not None:
                self._wrote(self.fileno(), view)

    def _write_all(self, rest: memoryview) -> None:
        with suppress(OSError):
            while rest:
                if done := super().write(rest):
                    rest = rest[done:]
                else:
                    self._wait()

    def _wait(self) -> None:
        """Until it takes more: who has it too has set it to not block."""
        import select

        poll = select.poll()
        poll.register(self, select.POLLOUT)
        poll.poll()


_writing = RLock()
"""Held by who writes and notes it; a signal handler may print in the middle of that."""


def _forget_after_fork() -> None:
    global _writing
    _writing = RLock()


os.register_at_fork(after_in_child=_forget_after_fork)


def as_text(file: Any) -> TextIO:
    """A stream of text, without a buffer in which one thread's bytes would leave with another's."""
    return io.TextIOWrapper(
        file, encoding="utf-8", errors="backslashreplace", line_buffering=True, write_through=True
    )


def flush_both() -> None:
    """Write out what is buffered for stdout and stderr, as far as that can be done."""
    for name in ("stdout", "stderr"):
        _flush(getattr(sys, name, None))


def _flush(stream: TextIO | None) -> None:
    try:
        if stream is not None:
            stream.flush()
            if type(raw := getattr(stream, "buffer", None)) is PatientFile:
                raw.flush_all()
    except (Abort, KeyboardInterrupt):
        raise
    except BaseException:  # nobody reads it, or the job has put something of its own there
        pass
