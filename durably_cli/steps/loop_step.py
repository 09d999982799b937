"""The `Step` of an async handler: the same methods, each of which gives what is to be awaited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from durably_cli.errors import StepMisused
from durably_cli.journal.registry import Event
from durably_cli.steps.commits import Commits
from durably_cli.steps.driver import Driver
from durably_cli.steps.event_loop import run_on_loop
from durably_cli.steps.loop_driver import LoopDriver
from durably_cli.steps.operation import Operation, Past
from durably_cli.steps.step import Step
from durably_cli.steps.stop import Stop


class AsyncStep(Step):
    """Checkpoints of one attempt of an async handler."""

    is_async = True

    def run_handler(self, act: Callable[[], Any]) -> Any:
        """What comes of an async handler, on an event loop of its own."""
        assert isinstance(self._driver, LoopDriver)
        return run_on_loop(act, self._driver, self._stop, self._warn)

    def _driver_of(self, past: Past, stop: Stop) -> Driver:
        self._at_hand = {}  # what has a result is to be awaited, too
        commits = None
        if self._recording is not None:
            mask = _unmasked if self._secrets is None else self._secrets.masked
            commits = Commits(self._recording, mask, self._scope.in_flight)
        return LoopDriver(self._append, past, stop, self._replayed, self._scope, commits)

    def _carry_out(self, operation: Operation) -> Any:
        return self._driver.perform(operation)

    def _body_of(self, name: str, body: Callable[..., Any], item: Any) -> Callable[[], Any]:
        async def act() -> Any:
            given = body(self, item)
            if not inspect.isawaitable(given):
                raise StepMisused(
                    f"the body of {name!r} is a plain function, which cannot await its steps: "
                    "write async def"
                )
            return await given

        return act


def _unmasked(event: Event) -> Event:
    return event
