"""The `Step` of an async handler: the same methods, each of which gives what is to be awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durably_cli.errors import StepMisused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.registry import Event
from durably_cli.steps.call import is_async
from durably_cli.steps.commits import Recording
from durably_cli.steps.driver import Driver
from durably_cli.steps.event_loop import run_on_loop
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.steps.operation import Operation, Past
from durably_cli.steps.step import Step
from durably_cli.steps.stop import Stop


class LoopStep(Step):
    """What `AsyncStep` is when a job is executed."""

    is_async = True

    def run_handler(self, act: Callable[[], Any]) -> Any:
        """What comes of an async handler, on an event loop of its own."""
        assert isinstance(self._driver, LoopDriver)
        return run_on_loop(act, self._driver, self._stop)

    def _driver_of(self, past: Past, stop: Stop) -> Driver:
        self._at_hand = {}  # what has a result is to be awaited, too
        recording = self._recording
        if recording is not None and self._secrets is not None:
            recording = _Masked(recording, self._secrets)
        return LoopDriver(self._append, past, stop, self._replayed, self._scope, recording)

    def _carry_out(self, operation: Operation) -> Any:
        return self._driver.perform(operation)

    def _refuse_body(self, name: str, body: Callable[..., object]) -> None:
        if not is_async(body):
            raise StepMisused(
                f"the body of {name!r} is a plain function, which cannot await its steps: "
                "write async def"
            )


LoopStep.__name__ = LoopStep.__qualname__ = "AsyncStep"


class _Masked:
    """Records events with known secrets masked."""

    def __init__(self, recording: Recording, secrets: Secrets) -> None:
        self._recording, self._secrets = recording, secrets
        self.sync = recording.sync

    def write(self, event: Event) -> int:
        return self._recording.write(self._secrets.masked(event))

    def show(self, event: Event) -> None:
        self._recording.show(self._secrets.masked(event))
