"""What is said of a run that has come to its end, and the exit code that follows from it."""

from __future__ import annotations

from durably_cli import hints
from durably_cli.engines.holder import holder
from durably_cli.engines.outcome import Outcome
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Busy
from durably_cli.journal.state import Status
from durably_cli.render.failure import error_lines
from durably_cli.render.lines import Talk
from durably_cli.render.next_steps import (
    how_to_decide,
    how_to_make_again,
    how_to_redo_failed,
    ways_to_answer,
)
from durably_cli.render.reason import by_and_why, reason
from durably_cli.render.record import for_good
from durably_cli.render.timeline import seconds_of
from durably_cli.render.words import in_steps, listed
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural


def say_outcome(
    view: RunView, result: TriggerResult, outcome: Outcome | None, talk: Talk, resume: str
) -> int:
    """Say what came of the run, and of this attempt if there was one; the exit code."""
    name = f"run {short(view.run_id)}"
    state = view.state
    if result.disposition is Disposition.COALESCED:
        has = "waits for the key" if view.status is Status.PENDING else "has the key"
        talk.say(f"nothing was run: {name} of {state.created.job} {has}")
        return 0
    if view.status is Status.COMPLETED:
        if result.executed:
            _say_completed(view, outcome, talk, name)
        else:
            ended = talk.time(state.ended or "")
            talk.say(f"{name} had completed before, at {ended}; this is its output")
        again = how_to_make_again(view) if result.is_resumed and not result.executed else []
        for each in (*how_to_redo_failed(view), *again):
            talk.say(f"{each.purpose}, type:", hints.command(*each.words))
        return 0
    if view.status is Status.FAILED:
        for line in error_lines(view):
            talk.quote(line)
        where = in_steps(state.causes)
        if result.executed:
            steps = [state.unfinished.get(each) for each in state.causes]
            tried = steps[0].most if len(steps) == 1 and steps[0] else 1  # of the last failure
            after = f" after {tried:,} tries" if tried > 1 else ""
            talk.say(f"{name} failed{where}{after}{_saved(outcome)}")
        else:
            talk.say(f"{name} failed before{where}, {failed_before(view, talk)}")
        ways = how_to_decide(view)
        for each in ways:
            talk.say(f"{each.purpose}, type:", hints.command(*each.words))
        if not ways:
            talk.say("once that is mended, go on where it was:", resume)
        return 1
    if view.status is Status.CANCELLED:
        said = by_and_why(state.cancelled) if state.cancelled else ""
        talk.say(f"{name} was cancelled{' ' if said else ''}{said}")
        if not result.executed:
            talk.say(for_good(view))
        return 3
    if view.status is Status.WAITING:
        from durably_cli.render.waits import what_it_waits_for  # few runs wait

        talk.say(f"{name} waits{holder(view) if view.held else ''}")
        for said in what_it_waits_for(view, talk.time):
            talk.say(said)
        for each in ways_to_answer(view):
            if each.purpose:
                talk.say(f"{each.purpose}, type: {hints.command(*each.words)}")
        return Busy.exit_code
    if view.goes_on:
        why = f"another process holds it{holder(view)}" if view.held else reason(view)
        talk.say(f"{name} is {view.status}: {why}")
        return 0
    gone = "the process that held it is gone"
    talk.say(f"{name} was interrupted: {gone}; go on:", resume)
    return Busy.exit_code


def failed_before(view: RunView, talk: Talk) -> str:
    """Of a run that had failed before this call: when, and after how many attempts."""
    tried = plural(len(view.state.attempts), "attempt")
    return f"at {talk.time(view.state.ended or '')}, after {tried}; nothing was executed now"


def _say_completed(view: RunView, outcome: Outcome | None, talk: Talk, name: str) -> None:
    took = span(seconds_of(view.state.attempts[-1]))
    steps = plural(outcome.completed if outcome else 0, "step")
    failed = f", {outcome.failed:,} failed" if outcome and outcome.failed else ""
    talk.say(f"{name} completed in {took}: {steps} run{failed}{_saved(outcome)}")
    if outcome and outcome.unused:
        unused = plural(len(outcome.unused), "journalled step")
        talk.say(f"{unused} did not come up again: {listed(outcome.unused)}")


def _saved(outcome: Outcome | None) -> str:
    """How many steps were replayed, and the time that they took when they ran."""
    if outcome is None or not outcome.replayed:
        return ""
    replayed = plural(outcome.replayed, "step")
    return f", {replayed} replayed, which saved {span(outcome.saved_ms / 1000)}"
