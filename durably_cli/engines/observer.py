"""Who gives a run its job, and who sees it execute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from durably_cli.engines.live_run import BoundHandler, LiveRun, Watcher
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.run_view import RunView
from durably_cli.journal.events import RunCreated
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class Runnable(Protocol):
    """What is needed of a job to execute it."""

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        """The input to make the run with, or to compare. InvalidInput if the model rejects it."""

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound. InvalidInput if the job's model rejects it."""


class Observer(Watcher, Protocol):
    """Sees, besides the execution, what it takes to get there."""

    def owns(self, run: LiveRun) -> None:
        """This process owns the run from now on."""

    def passes_over(self, job: str, unread: Sequence[Unread]) -> None:
        """The job passes over these fields of an input that another run has as an equal one."""

    def waits_for_run(self, view: RunView) -> None:
        """Another process executes the run; this one waits for its end."""

    def waits_for_key(self, run_id: str, key: str) -> None:
        """Another run, whose id this is, has the concurrency key; this one waits for its turn."""

    def waits_for_programs(self, run_id: str) -> None:
        """Programs of this run are still being ended, which is waited for some seconds."""


Load = Callable[[RunCreated], Runnable]
"""Gives the job of a run."""
