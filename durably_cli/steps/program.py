"""A program is run: launched by the supervisor of its run, heard to its end, and ended with it.

The thread that asks for it passes on what goes in and out. What the program has started and left
behind lives on until the run ends, and what that prints is shown as well.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import ExitStack
from dataclasses import dataclass
from signal import SIGKILL
from threading import Thread
from typing import Protocol

from durably_cli.errors import Abort, StepTimeout
from durably_cli.journal.large import LAST, cut
from durably_cli.steps.command import CheckedCommand
from durably_cli.steps.output import Listener, Output
from durably_cli.system.leftovers import end_processes_with
from durably_cli.system.programs import Programs, SupervisorLost
from durably_cli.system.time_limits import OutOfTime
from durably_cli.values.durations import span

_LOOKS_MS = 100
"""How often it is looked whether the attempt is to stop."""

_GRACE_SECONDS = 0.1
"""How long output is waited for behind the end of a program, of what it has started."""

_PATIENCE_SECONDS = 8.0
"""How long a program's end is waited for that was asked for: it takes 5 at most, or never comes."""

_PIECE = 1 << 16


@dataclass(frozen=True)
class CommandResult:
    """What came of a program.

    `returncode` is its exit code, negative for the signal that ended it. Of a stream of more than
    64 KiB, `stdout` and `stderr` have the beginning and the end, and `stdout_file` and
    `stderr_file` name the file that has all of it; none outside of a run.
    """

    returncode: int
    stdout: str
    stderr: str
    seconds: float
    stdout_file: str | None = None
    stderr_file: str | None = None


class Surroundings(Listener, Protocol):
    """Where a program is run: in a step, or outside of any run."""

    @property
    def programs(self) -> Programs:
        """What launches it."""

    def check(self) -> None:
        """Raise the cause of a stop, if there is to be one."""


def run(command: CheckedCommand, around: Surroundings) -> CommandResult:
    """Run a program to its end.

    CalledProcessError if it fails, and that is checked; StepTimeout if it takes too long; OSError
    if it cannot be launched.
    """
    around.check()
    with ExitStack() as stack:
        running = _Running(command, around, stack)
        try:
            code = running.until_end()
        except OutOfTime:
            running.end()
            raise
        except (Abort, KeyboardInterrupt):  # which have no time: the supervisor ends it
            raise
        except SupervisorLost:
            end_processes_with(running.mark)
            raise
        except BaseException:
            running.end()
            raise
        result = running.result(code)
    if running.is_late:
        said = f"{command} took longer than {span(command.timeout or 0)}, and was ended"
        raise _explained(StepTimeout(said), result)
    if code and command.check:
        raise _failed(command, result)
    return result


class _Running:
    """A program that runs, and this end of its pipes; all is closed by the stack."""

    is_late = is_over = False

    def __init__(self, command: CheckedCommand, around: Surroundings, stack: ExitStack) -> None:
        launch = command.launch()
        self._begun = time.monotonic()
        self._around = around
        self._until = None if command.timeout is None else self._begun + command.timeout
        self._input, self._stdin = memoryview(command.input or b""), -1
        self._poll = select.poll()
        self._code: int | None = None
        self._outputs = dict[int, Output]()
        theirs = [self._make_stdin()]
        stack.callback(self._close_stdin)
        try:
            for stream in ("stdout", "stderr"):
                ours, end = os.pipe()
                theirs.append(end)
                output = Output(stream, ours, around)
                self._outputs[ours] = output
                stack.callback(self._leave, output)
                self._poll.register(ours, select.POLLIN)
            self._all = list(self._outputs.values())
            self._channel, self.mark = around.programs.launch(launch, theirs, self._outputs)
            stack.callback(self._channel.close)
        finally:
            for fd in theirs:
                os.close(fd)
        self._poll.register(self._channel.fileno(), select.POLLIN)

    def until_end(self) -> int:
        """Pass on what goes in and out until the program ends; its exit code."""
        given_up = float("inf")
        while self._code is None:
            self._around.check()
            patience = _LOOKS_MS
            if time.monotonic() > given_up:  # it is another user's, or the kernel's
                return -SIGKILL
            if self._until is not None and not self.is_late:
                left = self._until - time.monotonic()
                if left <= 0:
                    self.is_late = True
                    given_up = time.monotonic() + _PATIENCE_SECONDS
                    self._channel.end()
                patience = min(patience, int(left * 1000) + 1)
            self._turn(max(0, patience))
        return self._code

    def end(self) -> None:
        """Have it ended, with all that it has started, and wait for that."""
        self._channel.end()
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self.is_over and time.monotonic() < until:
            self._around.check()
            try:
                self._turn(_LOOKS_MS)
            except OutOfTime:  # which says so again and again
                pass
            except (Abort, KeyboardInterrupt):
                raise
            except SupervisorLost:
                end_processes_with(self.mark)
            except BaseException:  # a time limit of the user's own
                pass

    def result(self, code: int) -> CommandResult:
        """What came of it; what it has started may print a little longer."""
        seconds = time.monotonic() - self._begun
        self._poll.unregister(self._channel.fileno())
        self._close_stdin()
        until = time.monotonic() + _GRACE_SECONDS
        left = _GRACE_SECONDS
        while self._outputs and self._turn(max(0, int(left * 1000))) and left > 0:
            left = until - time.monotonic()
        stdout, stderr = (each.finish() for each in self._all)
        files = [None if each.path is None else str(each.path) for each in self._all]
        return CommandResult(code, stdout, stderr, round(seconds, 6), *files)

    def _turn(self, patience_ms: int) -> bool:
        """Pass on what is there; was there anything?"""
        ready = self._poll.poll(patience_ms)
        for fd, _ in ready:
            if fd in self._outputs:
                if not self._outputs[fd].take():
                    self._poll.unregister(fd)
                    del self._outputs[fd]
            elif fd == self._stdin:
                self._give()
            else:
                self.is_over = True
                self._code = self._channel.result()
        return bool(ready)

    def _make_stdin(self) -> int:
        """The program's end of its standard input."""
        if not self._input:
            return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        theirs, self._stdin = os.pipe()
        os.set_blocking(self._stdin, False)
        self._poll.register(self._stdin, select.POLLOUT)
        return theirs

    def _give(self) -> None:
        try:
            self._input = self._input[os.write(self._stdin, self._input[:_PIECE]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more
            self._input = self._input[:0]
        if not self._input:
            self._close_stdin()

    def _close_stdin(self) -> None:
        fd, self._stdin = self._stdin, -1
        if fd >= 0:
            self._poll.unregister(fd)
            os.close(fd)

    def _leave(self, output: Output) -> None:
        """Close a stream; one that somebody still has is shown until nobody has it any more."""
        if self._code is not None and output.fd in self._outputs:
            Thread(target=output.follow, daemon=True).start()
        else:
            output.close()


def _failed(command: CheckedCommand, result: CommandResult) -> Exception:
    from subprocess import CalledProcessError  # takes 10 ms to load

    return _explained(
        CalledProcessError(
            result.returncode, command.words, cut(result.stdout), cut(result.stderr)
        ),
        result,
    )


def _explained(error: Exception, result: CommandResult) -> Exception:
    """The error with the end of what the program has printed, which may say why."""
    stream, text, file = "stderr", result.stderr, result.stderr_file
    if not text.strip():
        stream, text, file = "stdout", result.stdout, result.stdout_file
    if text.strip():
        where = f" (all of it is in {file})" if file else ""
        error.add_note(f"the end of its {stream}{where}:\n{text.rstrip()[-LAST:]}")
    return error
