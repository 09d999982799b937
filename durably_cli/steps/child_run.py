"""`step.run_job`: another job's run is a step of this one."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from durably_cli.errors import Abort, StepMisused, ValueRefused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.wait_events import RUN
from durably_cli.steps.operation import Call, Past, Plan, Raised
from durably_cli.steps.waits import marked_done, ms_of, over, wait_begun
from durably_cli.system import clock, ids, signals
from durably_cli.values import plain
from durably_cli.values.strict_json import Json

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

_DEEPEST = 32
"""How many runs may stand below each other: half of what Python's stack bears by itself."""

_above: ContextVar[tuple[str, ...]] = ContextVar("jobs above in memory", default=())


@dataclass(frozen=True)
class ChildJob(Generic[I, O]):
    """A job as another one runs it: its name, its input and output as JSON.

    `in_memory` calls its handler with a step in memory, `runnable` is what an engine executes.
    """

    name: str
    dump: Callable[[I], Json]
    output: plain.Converter
    in_memory: Callable[[I], O]
    runnable: Any


class HasChild(Protocol[I, O]):
    """A job, which may be run by another one."""

    def as_child(self) -> ChildJob[I, O]:
        """The job as another one runs it."""


class Child(NamedTuple):
    """What a run is to be made of that is this step of another one.

    `before` is the one that was the step until that was discarded, if there was one.
    """

    step: str
    run: str
    before: str | None
    job: ChildJob[Any, Any]
    input: Json
    labels: dict[str, str]


def ids_of(parent: str, step: str, past: Past) -> tuple[str, str | None]:
    """The id of the run that is this step of that one, and of the one before, if there was one."""
    discarded = past.discarded[step] + past.dropped[step]
    before = ids.of_child(parent, step, discarded - 1) if discarded else None
    return ids.of_child(parent, step, discarded), before


def refuse_too_deep(step: str, jobs: tuple[str, ...]) -> None:
    """StepMisused if too many runs stand below each other: of these jobs, the last one below all.

    They are named up to the first that comes again.
    """
    if len(jobs) <= _DEEPEST:
        return
    again = next((at for at, job in enumerate(jobs) if job in jobs[:at]), None)
    named = jobs if again is None else (*jobs[:again], f"{jobs[again]} again")
    raise StepMisused(
        f"step {step!r}: no more than {_DEEPEST} runs may stand below each other, and here "
        f"{' runs '.join(named)}: let what runs itself come to an end sooner, or go through all "
        "of it in one run"
    )


def in_memory(child: Child, input: object) -> Json:
    """The output of what calls itself no run."""
    jobs = (*_above.get(), child.job.name)
    refuse_too_deep(child.step, jobs)
    before = _above.set(jobs)
    try:
        return child.job.output.dump(child.job.in_memory(input))
    finally:
        _above.reset(before)


Execute = Callable[[Child], Json]
"""Brings a child run to its end; its output. RunFailed if it has none."""


class ChildRun(NamedTuple):
    """Run a job as a step."""

    name: str
    child: Child
    execute: Execute
    leave: Callable[[str], object]
    converter: plain.Converter
    secrets: Secrets | None = None

    def plan(self, past: Past) -> Plan:
        """Waiting, and completed or failed as the other run is; that run knows how far it is."""
        done = yield from marked_done(past, self.name, self.converter, self.secrets)
        if done is not None:
            return done[0]
        wait = yield from wait_begun(past, self.name, RUN, lambda: "", child=self.child.run)
        try:
            value = yield Call(self.execute, (self.child,))
        except GeneratorExit:  # the task that awaits it is cancelled, and it goes on in a thread
            self.leave(self.name)
            raise
        if type(value) is Raised:
            error = value.error
            if isinstance(error, (Abort, KeyboardInterrupt)) or not isinstance(error, Exception):
                raise error
            signals.raise_if_stopped()
            return (yield from over(past, wait, error))
        if self.secrets is not None:
            try:
                self.secrets.refuse(value)
            except ValueRefused as refused:
                return (yield from over(past, wait, refused))
        past.end_wait(self.name)
        yield StepCompleted(self.name, ms_of(wait), value, clock.now())
        return self.converter.load(value)
