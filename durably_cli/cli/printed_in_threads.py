"""What Python prints in a process that executes several runs at once: into the logs of each.

It goes to the process's own streams as ever, and besides into the logs of the run whose code prints
it, in the threads that this has started, too. What programs print leads where the process's own
streams lead, and so does what a fork prints.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from durably_cli.cli.printed_lines import STREAMS, Following, PrintedLines
from durably_cli.cli.streams import PatientFile, Row, as_text, flush_both
from durably_cli.steps.capture import Capture, capture_here
from durably_cli.steps.echo import is_echo
from durably_cli.steps.step import Step

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_Files = tuple[PatientFile, PatientFile]
"""Of stdout and of stderr."""


class PrintedInThreads:
    """Takes the place of `sys.stdout` and `sys.stderr`, for good."""

    def __init__(self) -> None:
        self._of_runs = dict[Capture, _Files]()
        self._of_nobody = PatientFile(1, Row()), PatientFile(2, Row())
        flush_both()
        sys.stdout = as_text(_FileOfThread(1, lambda: self._files_here()[0]))
        sys.stderr = as_text(_FileOfThread(2, lambda: self._files_here()[1]))

    @contextmanager
    def into_logs(self, capture: Capture, step: Step) -> Iterator[None]:
        """Inside, what the threads print that are of this capture goes into the logs of its run."""
        lines = PrintedLines()
        following = Following(lines, step)

        def wrote(number: int, data: memoryview) -> None:
            if not is_echo():
                lines.take(data, STREAMS[number], step)
                following.begin()

        rows = Row(), Row()
        files = PatientFile(1, rows[0], wrote), PatientFile(2, rows[1], wrote)
        self._of_runs[capture] = files
        try:
            yield
        finally:
            del self._of_runs[capture]
            if capture.is_of_this_process():
                for file, row in zip(files, rows, strict=True):
                    file.flush_all()
                    file.write(row.end())
                    file.flush_all()
                following.end()

    def _files_here(self) -> _Files:
        """Those of the run whose code this thread executes."""
        capture = capture_here()
        found = None if capture is None else self._of_runs.get(capture)
        return found or self._of_nobody


class _FileOfThread(io.FileIO):
    """Another file for each thread, so that what one has not ended is no part of another's line."""

    def __init__(self, number: int, here: Callable[[], PatientFile]) -> None:
        super().__init__(number, "w", closefd=False)
        self._here = here

    def write(self, data: ReadableBuffer, /) -> int:
        return self._here().write(data)

    def flush(self) -> None:
        """What this thread has written goes out."""
        self._here().flush()
