"""A job whose runs have in their logs what it says through `logging` and `warnings`, and more."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.live_run import BoundHandler
from durably_cli.engines.observer import Runnable
from durably_cli.project.settings import settings_of
from durably_cli.steps.step import Step
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput
    from durably_cli.steps.capture import Capture

_NO_LEVEL = 1 << 31
"""A level of `logging` that no record has."""


class ListeningJob:
    """Executes the job it is made of, and listens.

    With `all_threads`, to all threads of the process. Inside of `besides` is what listens to more
    of what the threads do that the capture is of. ConfigError from a setting that is none.
    """

    def __init__(
        self,
        job: Runnable,
        project: Path,
        *,
        all_threads: bool,
        besides: Callable[[Capture, Step], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._job, self._all_threads, self._project = job, all_threads, str(project)
        self._besides = besides
        self._level = settings_of(project).capture_logging

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        """The input as the job's model reads it."""
        return self._job.settle(given, is_compared=is_compared)

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound."""
        bound = self._job.work(input)._replace(project=self._project)
        level, all_threads, besides = self._level, self._all_threads, self._besides
        if level is None and besides is None:
            return bound

        def call(step: Step) -> Json:
            from durably_cli.steps.capture import Capture  # not for --help
            from durably_cli.steps.listening import listening

            heard_from = _NO_LEVEL if level is None else level
            capture = Capture(step, heard_from, all_threads=all_threads)
            with listening(capture), besides(capture, step) if besides else nullcontext():
                return bound.call(step)

        return bound._replace(call=call)
