"""What somebody who resumes a run says of its steps: which are executed again, which were done."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.errors import InvalidInput, JournalLost, NotFound, UsageError, ValueRefused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import StepDiscarded, StepMarkedDone
from durably_cli.journal.step_names import fits, is_named, scopes_of
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


def refuse_secrets_in(decisions: Iterable[Decision], secrets: Secrets) -> None:
    """InvalidInput if a result that somebody gives holds a secret."""
    for event in decisions:
        if isinstance(event, StepMarkedDone):
            try:
                secrets.refuse(event.result)
            except ValueRefused as refused:
                what = f"the result for step {event.name} is refused: {refused.reason}"
                raise InvalidInput(what) from None


def decided(asked: Decisions, state: RunState, past: Past) -> list[Decision]:
    """The events of these decisions, which nobody has journalled yet.

    UsageError or NotFound for what cannot be decided.
    """
    if not (asked.redo or asked.done):
        return []
    refuse_final(asked, state)
    asked = steps_done(asked, names_of(state, past))
    run = short(state.created.run)
    by, found = who.user(), dict[str, list[Decision]]()
    for name in steps_named(asked.redo, names_of(state, past), state):
        result = _result_of(name, past)
        ms = 0 if result is None else past.order.milliseconds(name)
        found[name] = [discarded(name, by, result, ms, only=asked.only)]
    for name, result in asked.done.items():
        if name in found:
            raise UsageError(
                f"step {name} is given with --redo and with --done: choose one of them"
            )
        if name in past.results and name not in state.causes:
            again = hints.command("resume", run, "--redo", name)
            what = f"step {name} of run {run} has completed, and has a result"
            raise UsageError(what, hint=f"{again}    (executes it again)")
        if name not in past.results and name not in state.unfinished:
            raise no_step(name, names_of(state, past), state)
        found[name] = [StepMarkedDone(name, by, result, clock.now())]
        if name in past.results:  # the run has stopped at it: a file of its result is another one
            before, ms = _result_of(name, past), past.order.milliseconds(name)
            found[name].insert(0, discarded(name, by, before, ms, only=False))
    return list(chain.from_iterable(found.values()))


def refuse_final(asked: Decisions, state: RunState) -> None:
    """UsageError if something is decided of a run that has ended for good."""
    if state.is_final and (asked.redo or asked.done):
        run = short(state.created.run)
        what = f"run {run} is {state.status}, which is final: nothing of its steps changes any more"
        again = hints.command("fork", run, *_options(asked))
        hint = f"{again}    (makes a new run of what it has)"
        raise UsageError(what, hint=hint)


def steps_named(asked: Iterable[str], known: Collection[str], state: RunState) -> Iterator[str]:
    """The names of the known steps that somebody wants to be redone. NotFound if there are none."""
    names = {name: name for name in known}
    for text in asked:
        text = _known(text, names)
        if text in names:
            yield names[text]  # which knows where it stands
            yield from (name for name in names if text in scopes_of(name))  # of a map all items
            continue
        fitting = [name for name in known if "*" in text and fits(text, name)]
        if not fitting:
            raise no_step(text, known, state)
        yield from fitting


def steps_done(asked: Decisions, known: Collection[str]) -> Decisions:
    """The same decisions, with the names of the steps that were done as the run has them."""
    if not asked.done:
        return asked
    return asked._replace(done={_known(text, known): asked.done[text] for text in asked.done})


def _known(typed: str, names: Collection[str]) -> str:
    """The name of the step that is named so; the same text if there is none."""
    if typed in names or "\\" not in typed:
        return typed
    return next((name for name in names if is_named(name, typed)), typed)


def names_of(state: RunState, past: Past) -> dict[str, None]:
    """Those of all steps of which there is anything, which know where they stand."""
    names = {name: name for name in past.order.names()}
    return dict.fromkeys((*(names.get(name, name) for name in past.results), *state.unfinished))


def _options(asked: Decisions) -> list[str]:
    words = [word for name in asked.redo for word in ("--redo", name)]
    return [*words, "--only"] if asked.only else words


def _result_of(name: str, past: Past) -> Json | None:
    """A step's result, if it has one; empty if it is in a file that is damaged."""
    if name not in past.results:
        return None
    try:
        return past.whole(name, past.results[name])
    except JournalLost:
        return Json("")


def discarded(name: str, by: str, result: Json | None, ms: int, *, only: bool) -> StepDiscarded:
    """The event that somebody wants a step executed again, whose result is this.

    None can be equal to one that is empty.
    """
    if result is None:
        return StepDiscarded(name, by, clock.now())
    from durably_cli.values.named_files import result_sha256  # few steps are executed again

    digest = result_sha256(result) if result else "lost"
    return StepDiscarded(name, by, clock.now(), digest, ms, only)


def no_step(name: str, known: Iterable[str], state: RunState) -> NotFound:
    """The error that the run has no such step, with those that are near."""
    import difflib  # only after a mistake

    run = short(state.created.run)
    near = difflib.get_close_matches(name, known, n=3)
    maybe = f"; did you mean {' or '.join(near)}?" if near else ""
    what = f"run {run} has begun no step {name!r}"
    if "*" in name:
        what = f"run {run} has begun no step that {name!r} fits"
    return NotFound(
        what + maybe,
        hint=hints.command("inspect", run),
        code="no-such-step",
    )
