"""`step.wait_signal`: the run waits until somebody, or a program, sends it something."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from durably_cli.errors import StepMisused, ValueRefused
from durably_cli.journal.events import LogWritten
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.wait_events import SIGNAL, SignalReceived, StepWaiting
from durably_cli.steps.mail import Sent, Unusable
from durably_cli.steps.operation import Past, Plan, Wait
from durably_cli.steps.stop import NO_TIME
from durably_cli.steps.waits import (
    later_by,
    longest_of,
    marked_done,
    ms_of,
    over,
    refuse_secret,
    timed_out,
    wait_begun,
)
from durably_cli.system import clock
from durably_cli.values import convert, plain
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.revealed import secrets_in
from durably_cli.values.secret_sources import has_secrets
from durably_cli.values.strict_json import Json
from durably_cli.values.untrusted import repr_of, text_of

_NO_DEFAULT = object()
_NEVER = "A signal is journalled: let it say where the secret is, as env:NAME"


def wait_signal(
    name: str,
    type: Any,
    prompt: str | None,
    timeout: float | None,
    default: object,
    secrets: Secrets | None = None,
) -> WaitSignal:
    """The operation. StepMisused for what is no type, or one of secrets, and for a default that
    does not fit or holds a secret.
    """
    has_default = default is not ...
    if has_default and timeout is None:
        raise StepMisused(f"step {name!r}: default= is for after a timeout=, and it has none")
    try:
        taken = convert.converter(type)
        schema = taken.schema("validation")
        gives = convert.converter(type | None) if has_default and default is None else taken
        if has_default:
            given = gives.dump(default)
            gives.load(given)
            refuse_secret(secrets, given, name, "its default")
    except (DoesNotFit, ValueRefused) as error:
        raise StepMisused(f"step {name!r}: the default does not fit the type: {error}") from None
    except TypeError as error:
        raise StepMisused(f"step {name!r}: {repr_of(type):.80} is no type: {error}") from None
    if has_secrets(schema):
        raise StepMisused(f"step {name!r}: {repr_of(type):.80} is a secret, or has one. {_NEVER}")
    said = "" if prompt is None else text_of(prompt)
    end = default if has_default else _NO_DEFAULT
    return WaitSignal(name, gives, taken, schema, said, timeout, end, secrets)


def _signed(value: object, by: str) -> object | None:
    """An approval that does not say who gives it, with who has sent it; None for anything else."""
    from durably_cli.steps.approval import Approval

    if not isinstance(value, Approval) or value.by:
        return None
    return value.model_copy(update={"by": by})


class WaitSignal(NamedTuple):
    """Wait for the signal of this name, of a value that is `taken`; or give the default.

    Of the signals and the deadline the first is the one: see `Mail`.
    """

    name: str
    converter: plain.Converter
    taken: plain.Converter
    schema: dict[str, Any]
    prompt: str = ""
    timeout: float | None = None
    default: object = _NO_DEFAULT
    secrets: Secrets | None = None

    def plan(self, past: Past) -> Plan:
        """Waiting, received, and completed; or its deadline is over."""
        name, mail = self.name, past.mail
        done = yield from marked_done(past, self.name, self.converter, self.secrets)
        if done is not None:
            return done[0]
        wait = yield from wait_begun(
            past,
            name,
            SIGNAL,
            lambda: "" if self.timeout is None else later_by(self.timeout),
            prompt=self.prompt,
            takes=self.schema,
            has_default=self.default is not _NO_DEFAULT,
        )
        number, is_over = past.received.number(name), False
        ends = time.monotonic() + longest_of(wait)
        while (received := past.received.get(name)) is None:
            found = mail.find(name, number)
            if isinstance(found, Sent | Unusable):
                why = self._why_not(found)
                if why:
                    mail.refuse(name, number)
                    yield LogWritten("warn", f"signal {name!r} {why}", clock.now())
                elif isinstance(found, Sent):
                    taken = SignalReceived(name, found.value, found.by, found.at, clock.now())
                    yield taken
                    past.received.receive(taken)
            elif found is not None or is_over or (wait.until and clock.now() >= wait.until):
                if not wait.until:
                    raise StepMisused(
                        f"no signal {name!r} is given: Step(signals={{{name!r}: ...}})"
                    )
                if found is not None or mail.close(name, number, clock.now()):
                    return (yield from self._without(past, wait))
            else:
                ready = mail.listens_for(name, number)
                left = ends - time.monotonic()
                is_over = yield Wait(wait.until or NO_TIME, left, ready=ready, suspends=True)
        try:
            value = self.taken.load(received.value)
        except DoesNotFit as error:  # to a type that was another one when it was received
            raise StepMisused(
                f"the signal of step {name!r} no longer fits its type ({error}); restore the type, "
                "or have the step executed again"
            ) from None
        text = received.value
        if self.schema.get("title") == "Approval" and (signed := _signed(value, received.by)):
            value, text = signed, self.taken.dump(signed)
        return (yield from self._completed(past, wait, text, value))

    def _without(self, past: Past, wait: StepWaiting) -> Plan:
        """The deadline is over: the default, or a failure."""
        if self.default is _NO_DEFAULT:
            return (yield from over(past, wait, timed_out(wait, "no signal has come")))
        text = self.converter.dump(self.default)
        return (yield from self._completed(past, wait, text, self.converter.load(text)))

    def _completed(self, past: Past, wait: StepWaiting, text: Json, value: Any) -> Plan:
        past.end_wait(self.name)
        yield StepCompleted(self.name, ms_of(wait), text, clock.now())
        return value

    def _why_not(self, found: Sent | Unusable) -> str:
        """Why it is not taken, with who has sent it; empty if it is."""
        if isinstance(found, Unusable):
            return f"is not taken: {found.why}"
        try:
            value = self.taken.load(found.value)
        except DoesNotFit as error:
            return f"of {found.by} is not taken: {error}"
        if self.secrets is not None and (secret := self.secrets.find_in(found.value)):
            return f"of {found.by} is not taken: it holds the secret {secret[1]}: no journal may"
        if any(secrets_in(self.taken.reveal(value))):  # of a type whose schema does not say so
            return f"of {found.by} is not taken: it is a secret, or has one. {_NEVER}"
        return ""
