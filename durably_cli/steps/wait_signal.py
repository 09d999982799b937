"""`step.wait_signal`: the run waits until somebody, or a program, sends it something."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from durably_cli.errors import StepMisused, ValueRefused
from durably_cli.journal.events import LogWritten
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.wait_events import SIGNAL, SignalReceived
from durably_cli.steps.mail import Sent
from durably_cli.steps.operation import Past, Plan, Wait
from durably_cli.steps.stop import NO_TIME
from durably_cli.steps.waits import later_by, ms_of, over, timed_out, wait_begun
from durably_cli.system import clock
from durably_cli.values import convert, plain
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.strict_json import Json
from durably_cli.values.untrusted import repr_of, text_of

_NO_DEFAULT = object()


def wait_signal(
    name: str, type: Any, prompt: str | None, timeout: float | None, default: object
) -> WaitSignal:
    """The operation. StepMisused for what is no type, and for a default that does not fit."""
    has_default = default is not ...
    if has_default and timeout is None:
        raise StepMisused(f"step {name!r}: default= is for after a timeout=, and it has none")
    try:
        taken = convert.converter(type)
        schema = taken.schema("validation")
        gives = convert.converter(type | None) if has_default and default is None else taken
        if has_default:
            gives.load(gives.dump(default))
    except (DoesNotFit, ValueRefused) as error:
        raise StepMisused(f"step {name!r}: the default does not fit the type: {error}") from None
    except TypeError as error:
        raise StepMisused(f"step {name!r}: {repr_of(type):.80} is no type: {error}") from None
    said = "" if prompt is None else text_of(prompt)
    given = default if has_default else _NO_DEFAULT
    return WaitSignal(name, gives, taken, schema, said, timeout, given)


class WaitSignal(NamedTuple):
    """Wait for the signal of this name, of a value that is `taken`; or give the default.

    The first signal is the one. One that was sent before its deadline counts, whoever looks when.
    """

    name: str
    converter: plain.Converter
    taken: plain.Converter
    schema: dict[str, Any]
    prompt: str = ""
    timeout: float | None = None
    default: object = _NO_DEFAULT

    def plan(self, past: Past) -> Plan:
        """Waiting, received, and completed; or its deadline is over."""
        name, received = self.name, past.received.get(self.name)
        has_default = self.default is not _NO_DEFAULT
        wait = yield from wait_begun(
            past,
            name,
            SIGNAL,
            lambda: "" if self.timeout is None else later_by(self.timeout),
            prompt=self.prompt,
            takes=self.schema,
            has_default=has_default,
        )
        is_over = False
        while received is None:
            sent = past.mail.find(name)
            if sent is not None and (not wait.until or sent.at <= wait.until):
                why = self._why_not(sent)
                if why:
                    past.mail.refuse(name)
                    yield LogWritten("warn", f"signal {name!r} of {sent.by} {why}", clock.now())
                    continue
                received = SignalReceived(name, sent.value, sent.by, sent.at, clock.now())
                yield received
                past.received[name] = received
            elif is_over or (wait.until and clock.now() >= wait.until):
                if not wait.until:
                    raise StepMisused(
                        f"no signal {name!r} is given: Step(signals={{{name!r}: ...}})"
                    )
                if not has_default:
                    return (yield from over(past, wait, timed_out(wait, "no signal has come")))
                return (yield from self._completed(past, wait, *self._of_default()))
            else:
                until = wait.until or NO_TIME
                ready = past.mail.listens_for(name)
                is_over = yield Wait(until, math.inf, ready=ready, suspends=True)
        try:
            value = self.taken.load(received.value)
        except DoesNotFit as error:  # to a type that was another one when it was received
            raise StepMisused(
                f"the signal of step {name!r} no longer fits its type ({error}); restore the type"
            ) from None
        return (yield from self._completed(past, wait, received.value, value))

    def _completed(self, past: Past, wait: Any, text: Json, value: Any) -> Plan:
        past.waits.pop(self.name, None)
        yield StepCompleted(self.name, ms_of(wait), text, clock.now())
        return value

    def _of_default(self) -> tuple[Json, Any]:
        text = self.converter.dump(self.default)
        return text, self.converter.load(text)

    def _why_not(self, sent: Sent) -> str:
        """Why its value is none of the type; empty if it is."""
        try:
            self.taken.load(sent.value)
        except DoesNotFit as error:
            return f"is not taken: {error}"
        return ""
