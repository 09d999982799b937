"""What can stand in a journal of waits: see `events`.

A step that waits has no start: nothing of it is ever in doubt.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from durably_cli.journal.registry import event
from durably_cli.journal.step_names import StepName
from durably_cli.values.strict_json import Json

SLEEP: Literal["sleep"] = "sleep"
POLL: Literal["poll"] = "poll"
SIGNAL: Literal["signal"] = "signal"
RUN: Literal["run"] = "run"
"""What a step may wait for: a time, something that it looks for, a signal, another run."""

WAIT = "wait"
"""What is done about a wait that was cut short: it is never in doubt, it goes on."""


@event("step.waiting", durable=True)
class StepWaiting(NamedTuple):
    """A step begins to wait: for a time (`sleep`), for what it looks for now and then (`poll`), for
    a signal of its name (`signal`), or for the run `child` (`run`).

    `until` is its deadline, in UTC, or empty. Of a signal, `prompt` is what a person reads,
    `takes` the JSON Schema of its value, and `has_default` says that the deadline is no failure.
    `during` is as in step.started.
    """

    name: StepName
    kind: str
    at: str
    until: str = ""
    during: list[str] = []
    prompt: str = ""
    takes: dict[str, Any] = {}
    has_default: bool = False
    child: str = ""


@event("signal.received", durable=True)
class SignalReceived(NamedTuple):
    """The step has its signal: this value, which `by` has `sent`. A step.completed follows."""

    name: StepName
    value: Json
    by: str
    sent: str
    at: str


@event("run.suspended", durable=True)
class RunSuspended(NamedTuple):
    """The attempt has ended because all that is left of it waits.

    `until` is when the first of its waits is over, or empty if none is before a signal comes.
    `left` are steps that waited in an earlier attempt, and that this one has not come to: their
    code is another one by now, and their waits are over.
    """

    at: str
    until: str = ""
    left: list[str] = []
