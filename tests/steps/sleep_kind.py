"""A kind of step that durably does not have, in the twenty lines that one takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from durably_cli.journal.step_events import StepCompleted
from durably_cli.steps.operation import Past, Plan, Wait
from durably_cli.steps.step import Step
from durably_cli.system import clock
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json
from tests.steps.sleep_event import StepWaiting


class Sleep(NamedTuple):
    """Not to go on before so many seconds have passed since the step was begun."""

    name: str
    seconds: float
    converter: plain.Converter = convert.converter(object)

    def plan(self, past: Past) -> Plan:
        waiting = past.unfinished.get(self.name)
        if isinstance(waiting, StepWaiting):  # begun before: the time goes on
            until = waiting.until
        else:
            until = clock.format_time(datetime.now(UTC) + timedelta(seconds=self.seconds))
            yield StepWaiting(self.name, clock.now(), until)
        yield Wait(until, self.seconds)
        yield StepCompleted(self.name, 0, Json("null"), clock.now())


class SleepingStep(Step):
    """A step that can sleep."""

    def sleep(self, name: str, seconds: float) -> None:
        """Let time pass, once."""
        self._ask(Sleep(name, seconds))
