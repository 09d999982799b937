"""`step.poll`: a function is called now and then, until it gives something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from durably_cli.errors import Abort, ValueRefused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.wait_events import POLL
from durably_cli.steps.accepted import accepted
from durably_cli.steps.operation import Call, Past, Plan, Raised, Wait
from durably_cli.steps.tries import ONCE, Retry, RetryAfter, explain_untried, is_retried
from durably_cli.steps.waits import (
    later_by,
    longest_of,
    marked_done,
    ms_of,
    over,
    timed_out,
    wait_begun,
)
from durably_cli.system import clock, signals
from durably_cli.values import plain

_ROUNDED_UP = 0.001
"""Seconds by which the time of the next call may be later than that: it is rounded up."""


class Poll(NamedTuple):
    """Call `fn(*args)` every so many seconds until it gives something else than None.

    With a `retry` it may fail so many times in a row. A call leaves no line in the journal.
    """

    name: str
    fn: Callable[..., object]
    args: tuple[Any, ...]
    every: float
    converter: plain.Converter
    secrets: Secrets | None = None
    retry: Retry | None = None
    timeout: float | None = None

    def plan(self, past: Past) -> Plan:
        """Waiting, called again and again, and completed or failed."""
        done = yield from marked_done(past, self.name, self.converter, self.secrets)
        if done is not None:
            return done[0]
        wait = yield from wait_begun(past, self.name, POLL, self._deadline)
        failures, moment = 0, clock.now()
        ends = time.monotonic() + longest_of(wait)
        while True:
            value = yield Call(self.fn, self.args)
            moment = max(moment, clock.now())
            pause = self.every
            if type(value) is Raised:
                error = value.error
                if isinstance(error, (Abort, KeyboardInterrupt)):
                    raise error
                signals.raise_if_stopped()
                failures += 1
                if not self._goes_on(failures, error):
                    explain_untried(error)
                    return (yield from over(past, wait, error))  # type: ignore[arg-type]
                pause = error.seconds if isinstance(error, RetryAfter) else pause
            else:
                failures = 0
                if value is not None:
                    try:
                        text, back = accepted(value, self.converter, self.secrets)
                    except ValueRefused as error:
                        return (yield from over(past, wait, error))
                    past.end_wait(self.name)
                    yield StepCompleted(self.name, ms_of(wait), text, clock.now())
                    return back
            if wait.until and (moment >= wait.until or time.monotonic() >= ends):
                return (yield from over(past, wait, timed_out(wait, "it has given nothing")))
            due = max(later_by(pause), later_by(pause, moment))
            moment = min(due, wait.until) if wait.until else due
            longest = min(pause + _ROUNDED_UP, ends - time.monotonic())
            yield Wait(moment, longest, suspends=True)

    def _goes_on(self, failures: int, error: BaseException) -> bool:
        retry = Retry(ONCE) if self.retry is None else self.retry
        return failures < retry.tries and is_retried(retry, error)

    def _deadline(self) -> str:
        return "" if self.timeout is None else later_by(self.timeout)
