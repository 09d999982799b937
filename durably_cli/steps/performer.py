"""What is behind a `Step`: its names, its driver, and what of it is recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from durably_cli.errors import JournalLost, StepMisused
from durably_cli.journal.events import LogWritten
from durably_cli.journal.masking import Secrets
from durably_cli.journal.registry import Event
from durably_cli.steps.driver import Driver
from durably_cli.steps.operation import Operation, Past
from durably_cli.steps.scope import Scope
from durably_cli.steps.stop import Stop
from durably_cli.steps.thread_driver import ThreadDriver

if TYPE_CHECKING:
    from durably_cli.steps.child_run import Execute
    from durably_cli.steps.commits import Recording
    from durably_cli.steps.shell import Shell


class Performer:
    """Performs the operations of one attempt; every kind of step comes through here."""

    is_async = False
    """Is what it gives to be awaited?"""
    _code_of: Callable[[Callable[..., object]], str]
    run_id: str
    """The id of the run, the same in every attempt."""

    def __init__(
        self,
        record: Callable[[Event], object],
        replayed: Callable[[str], object],
        secrets: Secrets,
    ) -> None:
        self._record, self._replayed = record, replayed
        self._secrets = secrets if secrets else None
        self._shell: Shell | None = None
        self._making = Lock()
        self._programs: Path | None = None
        self._execute_child: Execute | None = None
        """What executes the runs of other jobs; None in memory."""
        self._recording: Recording | None = None
        """Where events of an async handler go, if they go to a disk."""

    @property
    def running(self) -> str | None:
        """The name of the step whose function this thread calls, or was started from."""
        return self._scope.running

    def only_one_running(self, *, besides: str | None = None) -> str | None:
        """The step that is being performed, if it is one and no more."""
        return self._scope.only_one(besides=besides)

    @property
    def is_replayed(self) -> bool:
        """Has no step been executed yet, so that the handler does what it did before?"""
        return not self._driver.has_executed

    def emit(self, event: Event, *, is_replayed: bool | None = None) -> bool:
        """Record an event, from any thread; False if a replayed handler has reported it before."""
        self._scope.check_process()
        if self._secrets is not None:
            event = self._secrets.masked(event)
        was_replayed = self.is_replayed if is_replayed is None else is_replayed
        if was_replayed and self._reported.take(event):
            return False
        try:
            self._record(event)
        except JournalLost as lost:
            self._stop.stop(lost)
            raise
        return True

    def masked(self, line: LogWritten) -> LogWritten:
        """The line with known secrets masked."""
        masked = line if self._secrets is None else self._secrets.masked(line)
        return masked if isinstance(masked, LogWritten) else line

    @property
    def shell(self) -> Shell:
        """Where its programs are run."""
        if self._shell is None:
            from durably_cli.steps.shell import Shell  # only jobs that run programs pay for it

            with self._making:
                self._shell = self._shell or Shell(self, self._stop, self._secrets, self._programs)
        return self._shell

    def close(self) -> None:
        """The handler has ended: return when the steps have that its threads are in."""
        self._scope.close()

    def end_programs(self) -> None:
        """The attempt is over: what lives of its programs is ended."""
        if self._shell is not None:
            self._shell.programs.close(is_stopped=self._stop.cause is not None)

    def run_handler(self, act: Callable[[], Any]) -> Any:
        """What comes of an async handler; of a plain one nothing does."""
        raise NotImplementedError

    def raise_refused(self) -> None:
        """Raise the StepMisused that was raised in another thread, where the handler saw it not."""
        if self._scope.refused is not None:
            raise self._scope.refused

    def _perform_with(self, past: Past, stop: Stop) -> None:
        """What the journal has, and what ends the attempt."""
        self._at_hand, self._reported, self._stop = past.results, past.reported, stop
        self._discarded, self._keys = past.discarded, past.keys
        self._scope = Scope(stop, self._secrets)
        self._append = self._record if self._secrets is None else self.emit
        self._driver = self._driver_of(past, stop)

    def _driver_of(self, past: Past, stop: Stop) -> Driver:
        """What performs its operations; of `_at_hand` are the results that need none."""
        return ThreadDriver(self._append, past, stop, self._replayed, self._scope)

    def _ask(self, operation: Operation) -> Any:
        """What comes of an operation, before or now: for the methods of `Step`."""
        if self._scope.enter(operation.name, sys._getframe(2)) is not operation.name:
            raise StepMisused(f"the name of a step must be a plain text, not {operation.name!r}")
        return self._driver.perform(operation)

    def _carry_out(self, operation: Operation) -> Any:
        """What comes of a step whose result is not at hand."""
        return self._driver.carry_out(operation)
