"""Attempts at a handler, each in a process of its own that can be killed behind any event."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic

from durably_cli.engines.decisions import Decisions
from durably_cli.engines.forking import ForkRequest
from durably_cli.engines.live_run import BoundHandler, LiveRun
from durably_cli.engines.local.fork import fork
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.trigger import trigger
from durably_cli.engines.local.view import RunView
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import Request
from durably_cli.journal.masking import NO_SECRETS
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted
from durably_cli.project.handlers import handled, is_async_handler
from durably_cli.steps.child_run import ChildJob
from durably_cli.steps.step import Step
from durably_cli.values import convert
from durably_cli.values.strict_json import Json

pydantic.TypeAdapter(int)  # once, and not in every child

Handler = Callable[[Step, "World"], object]
KILLED = 99


class World:
    """What the handler's steps act on: they fail until it is mended, and leave a line otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_async = False
        """Are its handlers async ones?"""
        self.job: Any = None
        """What executes the handler, and counts."""
        self.happened: Callable[[], object] = lambda: None
        """Called behind each effect, before the step has returned."""
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
        self.happened()
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
    """One run of a handler, in a store of its own.

    Its process is killed behind events; behind effects as well if those count.
    """

    def __init__(self, handler: Handler, folder: Path, *, effects_count: bool = False) -> None:
        self._handler, self._store, self._effects_count = handler, Store(folder), effects_count
        self.world = World(folder)

    def begin(self, kill_after: int = 0) -> bool:
        """Make the run and try it; False if it was killed behind so many events."""
        request = Request(job="job", input=Json("{}"), project="/project")
        return self._in_a_child(
            kill_after, lambda job: trigger(self._store, request, lambda _: job, job)
        )

    def resume(self, kill_after: int = 0, redo: tuple[str, ...] = ()) -> bool:
        """Try the run again, as a person does; False if it was killed."""
        run_id = self._run_id
        return self._in_a_child(
            kill_after,
            lambda job: resume(self._store, run_id, lambda _: job, job, Decisions(redo)),
        )

    def fork(self, redo: tuple[str, ...] = ()) -> bool:
        """Make a run of this one, which has ended, and try it; from then on it is the run."""

        def act(job: Any) -> None:
            asked = ForkRequest("/project", lambda input: input, Decisions(redo))
            fork(self._store, self._run_id, asked, lambda _: job, job)

        return self._in_a_child(0, act)

    @property
    def completed(self) -> list[str]:
        """The steps that were acknowledged, in order."""
        with self.view() as view:
            return [event.name for event in view.events() if isinstance(event, StepCompleted)]

    def view(self) -> RunView:
        """The run as its journal stands now."""
        return self._store.view(self._run_id)

    @property
    def _run_id(self) -> str:
        created = map(self._store.created, self._store.run_ids())
        return max(each.run for each in created if each is not None and not each.parent)

    @property
    def status(self) -> Status:
        with self.view() as view:
            return view.status

    def _in_a_child(self, kill_after: int, act: Callable[[Any], object]) -> bool:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                job = self.world.job = _Job(self._handler, self.world, kill_after)
                if self._effects_count:
                    self.world.happened = job.count
                act(job)
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

    def of(self, handler: Handler) -> ChildJob[Any, Any]:
        """A job that a step of this one runs; its events count, too."""
        child = _Job(handler, self._world, 0)
        child.count = self.count  # type: ignore[method-assign]
        output = convert.converter(object)
        return ChildJob("child", lambda _: Json("{}"), output, lambda _: None, child)

    def settle(self, given: Json, *, is_compared: bool) -> ReadyInput:
        return ReadyInput(given, NO_SECRETS, canonical=given)

    def work(self, input: Json) -> BoundHandler:
        def call(step: Step) -> Json:
            handled(self._handler, step, self._world)
            return Json("null")

        return BoundHandler(call, None, is_async=is_async_handler(self._handler))

    def recorded(self, event: Event) -> None:
        self.count()

    def count(self) -> None:
        """One more, behind which the process may be killed."""
        self._left -= 1
        if self._left == 0:
            os._exit(KILLED)

    def replayed(self, name: str) -> None: ...
    def child_waits(self, child: str, run: LiveRun, event: Event | None) -> None: ...
    def owns(self, run: LiveRun) -> None: ...
    def waits_for_run(self, view: RunView) -> None: ...
    def waits_for_key(self, run_id: str, key: str) -> None: ...
    def waits_for_programs(self, run_id: str) -> None: ...
