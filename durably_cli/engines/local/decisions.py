"""What somebody who resumes a run says of its steps: which are executed again, which were done."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from durably_cli import hints
from durably_cli.engines.local import who
from durably_cli.errors import NotFound, UsageError
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import StepDiscarded, StepMarkedDone
from durably_cli.steps.operation import Past
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

Decision: TypeAlias = StepDiscarded | StepMarkedDone
"""What is journalled of it."""


class Decisions(NamedTuple):
    """The steps to `redo`, by names or patterns, and those that were `done`, with their results.

    What came after a redone step is executed again if that gives another result, unless `only`.
    """

    redo: Sequence[str] = ()
    done: Mapping[str, Json] = {}
    only: bool = False


NO_DECISIONS = Decisions()


def decided(asked: Decisions, state: RunState, past: Past) -> list[Decision]:
    """The events of these decisions, which nobody has journalled yet.

    UsageError or NotFound for what cannot be decided.
    """
    if not (asked.redo or asked.done):
        return []
    refuse_final(asked, state)
    run = short(state.created.run)
    by, found = who.user(), dict[str, Decision]()
    for name in redone(asked.redo, names_of(state, past), state):
        has_result = name in past.results
        result, ms = (
            (past.results[name], past.order.milliseconds(name)) if has_result else (None, 0)
        )
        found[name] = discarded(name, by, result, ms, only=asked.only)
    for name, result in asked.done.items():
        if name in found:
            raise UsageError(f"step {name} is to be redone, and was done: say one of both")
        if name in past.results:
            again = hints.command("resume", run, "--redo", name)
            what = f"step {name} of run {run} has completed, and has a result"
            raise UsageError(what, hint=f"{again}    (executes it again)")
        if name not in state.unfinished:
            raise no_step(name, names_of(state, past), state)
        found[name] = StepMarkedDone(name, by, result, clock.now())
    return list(found.values())


def refuse_final(asked: Decisions, state: RunState) -> None:
    """UsageError if something is decided of a run that has ended for good."""
    if state.is_final and (asked.redo or asked.done):
        run = short(state.created.run)
        what = f"run {run} is {state.status}, which is final: no step of it is executed again"
        again = hints.command("fork", run, *_options(asked))
        hint = f"{again}    (makes a new run of what it has)" if asked.redo else None
        raise UsageError(what, hint=hint)


def redone(asked: Iterable[str], known: Collection[str], state: RunState) -> Iterator[str]:
    """The names of the known steps that somebody wants to be redone. NotFound if there are none."""
    for text in asked:
        if text in known:
            yield text
            continue
        pattern = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)
        fitting = [name for name in known if "*" in text and pattern.fullmatch(name)]
        if not fitting:
            raise no_step(text, known, state)
        yield from fitting


def names_of(state: RunState, past: Past) -> dict[str, None]:
    """Those of all steps of which there is anything."""
    return dict.fromkeys((*past.results, *state.unfinished))


def _options(asked: Decisions) -> list[str]:
    words = [word for name in asked.redo for word in ("--redo", name)]
    return [*words, "--only"] if asked.only else words


def discarded(name: str, by: str, result: Json | None, ms: int, *, only: bool) -> StepDiscarded:
    """The event that somebody wants a step executed again, whose result is this."""
    if result is None:
        return StepDiscarded(name, by, clock.now())
    from durably_cli.values.named_files import result_sha256  # few steps are executed again

    return StepDiscarded(name, by, clock.now(), result_sha256(result), ms, only)


def no_step(name: str, known: Iterable[str], state: RunState) -> NotFound:
    """The error that the run has no such step, with those that are near."""
    import difflib  # only after a mistake

    run = short(state.created.run)
    near = difflib.get_close_matches(name, known, n=3)
    near = near or [step.name for step in state.failed_steps[-3:]]
    maybe = f"; it has {', '.join(near)}" if near else ""
    return NotFound(
        f"run {run} has no step {name!r}{maybe}",
        hint=hints.command("inspect", run),
        code="no-such-step",
    )
