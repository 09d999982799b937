"""Attempts at a handler, each in a process of its own that can be killed behind any event."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic

from durably_cli.engines.local.decisions import Decisions
from durably_cli.engines.local.live_run import BoundHandler, LiveRun
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import trigger
from durably_cli.engines.local.view import RunView
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Request
from durably_cli.journal.masking import NO_SECRETS
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.steps.step import Step
from durably_cli.values.strict_json import Json

pydantic.TypeAdapter(int)  # once, and not in every child

Handler = Callable[[Step, "World"], object]
KILLED = 99


class World:
    """What the handler's steps act on: they fail until it is mended, and leave a line otherwise."""

    def __init__(self, folder: Path) -> None:
        self._effects, self._mended = folder / "effects", folder / "mended"

    @property
    def is_mended(self) -> bool:
        return self._mended.exists()

    def mend(self) -> None:
        self._mended.touch()

    def do(self, name: str) -> str:
        """Have an effect."""
        with self._effects.open("a") as file:
            file.write(f"{name}\n")
        return name

    def fail(self, name: str) -> str:
        """Raise until it is mended, then have an effect."""
        if not self.is_mended:
            raise RuntimeError(f"{name} failed")
        return self.do(name)

    @property
    def effects(self) -> list[str]:
        return self._effects.read_text().split() if self._effects.exists() else []


class Trial:
    """One run of a handler, in a store of its own."""

    def __init__(self, handler: Handler, folder: Path) -> None:
        self._handler, self._store = handler, Store(folder)
        self.world = World(folder)

    def begin(self, kill_after: int = 0) -> bool:
        """Make the run and try it; False if it was killed behind so many events."""
        request = Request(job="job", input=Json("{}"), project="/project")
        return self._in_a_child(
            kill_after, lambda job: trigger(self._store, request, lambda _: job, job)
        )

    def resume(self, kill_after: int = 0, redo: tuple[str, ...] = ()) -> bool:
        """Try the run again, as a person does; False if it was killed."""
        [run_id] = self._store.run_ids()
        return self._in_a_child(
            kill_after,
            lambda job: resume(self._store, run_id, lambda _: job, job, Decisions(redo)),
        )

    def view(self) -> RunView:
        """The run as its journal stands now."""
        [run_id] = self._store.run_ids()
        return self._store.view(run_id)

    @property
    def status(self) -> Status:
        with self.view() as view:
            return view.status

    def _in_a_child(self, kill_after: int, act: Callable[[Any], object]) -> bool:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                act(_Job(self._handler, self.world, kill_after))
                code = 0
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, KILLED)
        return code == 0


class _Job:
    """The job, and the observer that kills its process."""

    def __init__(self, handler: Handler, world: World, kill_after: int) -> None:
        self._handler, self._world, self._left = handler, world, kill_after

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        return ReadyInput(given, NO_SECRETS, canonical=given)

    def work(self, input: Json) -> BoundHandler:
        def call(step: Step) -> Json:
            self._handler(step, self._world)
            return Json("null")

        return BoundHandler(call, None)

    def recorded(self, event: Event) -> None:
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)

    def replayed(self, name: str) -> None: ...
    def owns(self, run: LiveRun) -> None: ...
    def waits_for_run(self, view: RunView) -> None: ...
    def waits_for_key(self, run_id: str, key: str) -> None: ...
    def waits_for_programs(self, run_id: str) -> None: ...
