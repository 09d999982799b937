"""Which step is being performed, for what a step's function calls that is given no `Step`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from durably_cli.errors import StepMisused
from durably_cli.journal.masking import Secrets
from durably_cli.steps.scope import Scope, inside_of
from durably_cli.system.process import this
from durably_cli.system.process_table import Owner

if TYPE_CHECKING:
    from durably_cli.steps.step import Step

_scopes: WeakKeyDictionary[Step, Scope] = WeakKeyDictionary()
"""Every `Step` of this process, in the order in which they were made, and its scope."""

_executed: dict[Step, Owner] = {}
"""Those whose attempt is being executed, and by which process; the others are in memory."""

_secrets = list[Secrets]()
"""Those of every run that this process executes, or one that it is a fork of."""


def made(step: Step, scope: Scope) -> None:
    """There is a new Step, or a new scope of it."""
    _scopes[step] = scope


@contextmanager
def masking(secrets: Secrets) -> Iterator[None]:
    """Inside, these are masked in what programs print, also in those of no step."""
    _secrets.append(secrets)
    try:
        yield
    finally:
        _secrets.remove(secrets)


def known_secrets() -> list[Secrets]:
    """The secrets of the runs that this process executes, or one that it is a fork of."""
    return [each for each in _secrets if each]


@contextmanager
def executed(step: Step) -> Iterator[None]:
    """Inside, the attempt of this Step is executed; behind it its programs are ended."""
    _executed[step] = Owner.this()
    try:
        yield
    finally:
        _executed.pop(step, None)
        step.end_programs()


def is_executing() -> bool:
    """Is an attempt at a run executed by this process now?"""
    return any(owner.pid == this.pid for owner in list(_executed.values()))


def current_step(what: str) -> Step | None:
    """The Step whose function is being called, by this thread or by one that started this one.

    None outside of any run, and in a fork of its process. StepMisused, which says `what` is wanted,
    between the steps of a handler, in its thread or in another one, and if it could be one of
    several.
    """
    steps = [step for each in _scopes.keyrefs() if (step := each())]  # at once: threads add some
    scopes = ((step, _scopes[step]) for step in steps)
    here = [(step, scope) for step, scope in scopes if scope.process == this.pid]
    of_this_thread = [each for each in here if each[1].thread == get_ident()]
    for step, scope in reversed(of_this_thread):
        if scope.running is not None:
            return step
        if step in _executed:
            raise _between_steps(what)
    if (inside := inside_of(this.pid)) is not None:
        return next((step for step, scope in here if scope is inside.scope), None)
    running = [(step, name) for step, scope in here for name in list(scope.in_flight)]
    if len(running) > 1:
        raise StepMisused(
            f"{what} was called in a thread that may be of one of {len(running)} steps that this "
            "process executes: call it in the thread of the step's function"
        )
    if not running and sum(step in _executed for step, _ in here) == 1:
        raise _between_steps(what)
    return running[0][0] if running else None


def forked_from() -> tuple[Step, Owner] | None:
    """The Step whose attempt is executed by the process that this one is a fork of, and that one.

    Of several it is the one whose thread has forked; None if nobody knows.
    """
    found = [(step, owner) for step, owner in list(_executed.items()) if owner.pid != this.pid]
    if len(found) > 1:
        found = [each for each in found if _scopes[each[0]].thread == get_ident()]
    return found[0] if len(found) == 1 else None


def _between_steps(what: str) -> StepMisused:
    return StepMisused(
        f"{what} was called outside of a step, where every attempt would call it again: "
        "call it in a step's function"
    )


def idempotency_key() -> str:
    """A text for the header of that name, for the step whose function calls this.

    It is the same in every try and every attempt, and another one for every step and run: what
    `step.idempotency_key` gives for the step's name. StepMisused outside of a step.
    """
    step = current_step("idempotency_key()")
    if step is None or step.running is None:
        raise StepMisused("idempotency_key() was called outside of a step, so it is of none")
    return step.idempotency_key(step.running)
