"""How often a step's function is called until it returns, and how long the pauses between are.

A try counts when it begins, so one that a kill cut short counts too; but each attempt may make one.
The budget of tries is that of a step until its run has failed: who resumes it then opens a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from durably_cli.errors import StepError, StepMisused
from durably_cli.journal.step_events import StepRetrying
from durably_cli.steps.operation import Begun, Wait
from durably_cli.system import clock
from durably_cli.values.durations import Duration, seconds_in
from durably_cli.values.untrusted import repr_of

Retryable: TypeAlias = (
    type[BaseException] | tuple[type[BaseException], ...] | Callable[[Exception], object]
)
"""Which exceptions are worth another try: a class, several, or a function that says so."""


@dataclass(frozen=True)
class Retry:
    """How a step is tried again: `tries` calls in all, with pauses that grow.

    The first pause is `delay`, each further one `backoff` times the one before it, up to
    `max_delay`; with `jitter` it is somewhere between the half and all of that. No try begins
    later than `max_time` behind the first one. `on` says after which exceptions: a class, a tuple
    of classes, or a function that is given the exception.

    TypeError and ValueError for what makes no sense.
    """

    tries: int
    delay: Duration = 1.0
    backoff: float = 2.0
    max_delay: Duration = 60.0
    jitter: bool = True
    max_time: Duration | None = None
    on: Retryable = Exception

    def __post_init__(self) -> None:
        if type(self.tries) is not int:
            raise TypeError(f"tries is a whole number, not {repr_of(self.tries):.80}")
        if self.tries < 1:
            raise ValueError(f"tries={self.tries}: the first call is one of them")
        if not (isinstance(self.backoff, (int, float)) and 1 <= self.backoff <= _MOST_BACKOFF):
            raise ValueError(
                f"backoff={repr_of(self.backoff):.80}: each pause is so many times the one before "
                f"it, from 1 to {_MOST_BACKOFF}"
            )
        for each in (self.delay, self.max_delay, 0 if self.max_time is None else self.max_time):
            seconds_in(each)
        if type(self.jitter) is not bool:
            raise TypeError(f"jitter is True or False, not {repr_of(self.jitter):.80}")
        if not _says_which(self.on):
            raise TypeError(
                "on is an exception class, a tuple of them, or a function that is given the "
                f"exception, not {repr_of(self.on):.80}"
            )


_MOST_BACKOFF = 1000

ONCE = 1
"""The tries of a step that has no policy. To be compared with `is`: True and 1.0 are no number of
tries, but are equal to it.
"""


class RetryAfter(Exception):
    """Raised by a step's function: try it again, but not before this span of time has passed.

    It is what an HTTP 429 or 503 says in its header Retry-After.
    """

    def __init__(self, after: Duration, message: str = "") -> None:
        self.seconds = seconds_in(after)
        super().__init__(message or f"try again in {self.seconds:g} s")


class Tries:
    """What one attempt has of a policy for a step, whose tries of before are `begun`."""

    def __init__(self, retry: Retry, begun: Begun | None) -> None:
        self._retry = retry
        self.made = begun.tries if begun else 0
        self._since = begun.since if begun else ""

    def begin(self, at: str) -> None:
        """Another try begins now."""
        self.made += 1
        self._since = self._since or at

    @property
    def most(self) -> int:
        """How many there are at most."""
        return self._retry.tries

    def next_after(self, error: BaseException) -> str | None:
        """When the next try begins, in UTC; None if the one that raised this was the last."""
        if self.made >= self._retry.tries or not is_retried(self._retry, error):
            return None
        pause = pause_behind(self._retry, self.made, error)
        moment = clock.utc_now() + timedelta(seconds=pause)
        if self._retry.max_time is not None:
            most = timedelta(seconds=seconds_in(self._retry.max_time))
            if moment > clock.parse_time(self._since) + most:
                return None
        return clock.format_due(moment) if pause else clock.format_time(moment)


def is_retried(retry: Retry, error: BaseException) -> bool:
    """Is another try worth it after this exception? Never after what no try can mend.

    Whatever the user's own function raises passes through.
    """
    if not isinstance(error, Exception) or isinstance(error, StepError):
        return False
    if isinstance(retry.on, (type, tuple)):
        return isinstance(error, retry.on)
    return bool(retry.on(error))


def pause_behind(retry: Retry, tried: int, error: BaseException) -> float:
    """The seconds between try number `tried`, which raised this, and the next one."""
    if isinstance(error, RetryAfter):
        return error.seconds
    try:
        pause = seconds_in(retry.delay) * retry.backoff ** (tried - 1)
    except OverflowError:
        pause = seconds_in(retry.max_delay)
    pause = min(pause, seconds_in(retry.max_delay))
    if retry.jitter:
        from random import uniform  # only what has failed pauses

        pause *= uniform(0.5, 1)
    return pause


def pause_of(retrying: StepRetrying) -> Wait:
    """The wait that was journalled behind a try: as long as that says, at most."""
    longest = clock.parse_time(retrying.until) - clock.parse_time(retrying.at)
    says_when = retrying.error.type == RetryAfter.__name__  # which a server did, to all
    return Wait(retrying.until, longest.total_seconds(), says_when)


def retry_of(tries: int | Retry, name: str) -> Retry:
    """The policy that a step was given. StepMisused if it is none."""
    if isinstance(tries, Retry):
        return tries
    try:
        return Retry(tries)
    except (TypeError, ValueError) as error:
        raise StepMisused(f"step {name!r}: {error}; give a number, or Retry(5, delay=2)") from None


def limit_of(timeout: Duration, name: str) -> float:
    """The seconds of a time limit that a step was given. StepMisused if it is none."""
    try:
        seconds = seconds_in(timeout)
        if not seconds:
            raise ValueError("no function ends in no time")
    except (TypeError, ValueError) as error:
        raise StepMisused(f"step {name!r}: timeout={repr_of(timeout):.80}: {error}") from None
    return seconds


def explain_untried(error: BaseException) -> None:
    """Say in a note of a RetryAfter why it was the end of its step."""
    if isinstance(error, RetryAfter):
        error.add_note("the step has no tries left for that: give it some, as in tries=5")


def _says_which(on: object) -> bool:
    if isinstance(on, (type, tuple)):
        classes = on if isinstance(on, tuple) else (on,)
        return all(isinstance(each, type) and issubclass(each, BaseException) for each in classes)
    return callable(on)
