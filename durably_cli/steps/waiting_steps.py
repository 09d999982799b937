"""The part of `Step` that is about time, people and other programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload

from durably_cli.errors import StepMisused
from durably_cli.journal.events import LogWritten
from durably_cli.steps.call import converter_for
from durably_cli.steps.performer import Performer
from durably_cli.steps.tries import ONCE, Retry, limit_of, retry_of
from durably_cli.steps.waits import refuse_secret, span_of
from durably_cli.system import clock
from durably_cli.values.durations import Duration
from durably_cli.values.strict_json import to_json
from durably_cli.values.untrusted import repr_of

if TYPE_CHECKING:
    from durably_cli.steps.child_run import HasChild

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741
T = TypeVar("T")
D = TypeVar("D")
Ts = TypeVarTuple("Ts")


class WaitingSteps(Performer):
    """Steps that wait: for a time, for something that is looked for, a signal, another run."""

    def sleep(
        self, name: str, duration: Duration | None = None, *, until: datetime | str | None = None
    ) -> None:
        """Let time pass: a `duration` once, from when it is first asked for, or all `until` a time.

        A duration is seconds, a timedelta or a text such as `3d`; a time a datetime or a text, in
        local time if it has no zone. A resume waits for the rest. StepMisused for what is neither.
        """
        from durably_cli.steps.sleep import Sleep, moment_of  # only jobs that have some pay for it

        name = self._scope.enter(name, sys._getframe(1))
        if (duration is None) == (until is None):
            raise StepMisused(f"step {name!r}: give it a duration, or a time by until=")
        if duration is not None:
            asked = Sleep(name, span_of(name, "duration", duration))
        else:
            asked = Sleep(name, None, moment_of(name, until, self._say))
        return self._driver.perform(asked)  # type: ignore[no-any-return]

    @overload
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], T | None],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = 1,
        returns: None = None,
    ) -> T: ...
    @overload
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = 1,
        returns: type[T],
    ) -> T: ...
    def poll(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        every: Duration,
        timeout: Duration | None = None,
        tries: int | Retry = ONCE,
        returns: Any = None,
    ) -> Any:
        """Call `fn(*args)` now and `every` so often, until it gives something else than None.

        That is the result, in this and every later attempt. What it looks at must not change by
        that: calls leave no line in the journal, and a resume begins with one. `timeout` is how
        long all of it may take: then WaitTimeout is raised. With `tries`, so many calls in a row
        may raise.
        """
        from durably_cli.steps.poll import Poll

        name = self._scope.enter(name, sys._getframe(1))
        seconds = span_of(name, "every", every)
        if not seconds:
            raise StepMisused(f"step {name!r}: every=0 would call it without a pause")
        converter = converter_for(name, fn, returns, may_be_async=self.is_async)
        retry = None if tries is ONCE else retry_of(tries, name)
        limit = None if timeout is None else limit_of(timeout, name)
        asked = Poll(name, fn, args, seconds, converter, self._secrets, retry, limit)
        return self._driver.perform(asked)

    @overload
    def wait_signal(
        self,
        name: str,
        type: type[T],
        /,
        *,
        prompt: str | None = None,
        timeout: Duration | None = None,
    ) -> T: ...
    @overload
    def wait_signal(
        self,
        name: str,
        type: type[T],
        /,
        *,
        prompt: str | None = None,
        timeout: Duration | None = None,
        default: D,
    ) -> T | D: ...
    def wait_signal(
        self,
        name: str,
        type: Any,
        /,
        *,
        prompt: str | None = None,
        timeout: Duration | None = None,
        default: Any = ...,
    ) -> Any:
        """Wait until the run is sent the signal of this name, and return its value.

        `durably signal`, `approve` and `deny` send one, and so does `durably.signal`; it must fit
        the `type`. `prompt` is what a person reads. After the `timeout` the `default` is returned;
        without one WaitTimeout is raised. The first signal counts, and an early one is there.
        """
        from durably_cli.steps.wait_signal import wait_signal

        name = self._scope.enter(name, sys._getframe(1))
        limit = None if timeout is None else span_of(name, "timeout", timeout)
        asked = wait_signal(name, type, prompt, limit, default, self._secrets)
        return self._driver.perform(asked)

    def run_job(
        self,
        name: str,
        job: HasChild[I, O],
        input: I,
        /,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> O:
        """Run another job as a step, and return its output.

        Its run is a child of this one: made once, resumed rather than made again, and cancelled
        with it. RunFailed if it has failed, or was cancelled.
        """
        from durably_cli.steps.child_run import Child, ChildRun, ids_of, in_memory

        name = self._scope.enter(name, sys._getframe(1))
        if not hasattr(job, "as_child"):
            raise StepMisused(f"step {name!r}: {repr_of(job):.80} is no job: give it one itself")
        found = job.as_child()
        run_id, before = ids_of(self.run_id, name, self._driver.past)
        child = Child(name, run_id, before, found, found.dump(input), dict(labels or {}))
        refuse_secret(self._secrets, child.input, name, "the input")
        for label in child.labels.items():
            refuse_secret(self._secrets, to_json("=".join(label)), name, f"the label {label[0]!r}")
        ends = self._execute_child or (lambda child: in_memory(child, input))
        leave = self._stop.leave_inner
        asked = ChildRun(name, child, ends, leave, found.output, self._secrets)
        return self._driver.perform(asked)  # type: ignore[no-any-return]

    def _say(self, text: str) -> None:
        self.emit(LogWritten("warn", text, clock.now()))
