"""What is said of a run that has come to its end, and the exit code that follows from it."""

from __future__ import annotations

from durably_cli.engines.local.resume import Ended, holder
from durably_cli.engines.local.view import View
from durably_cli.engines.request import Disposition
from durably_cli.journal.events import StepCompleted
from durably_cli.journal.state import Status
from durably_cli.render.lines import Talk
from durably_cli.render.timeline import seconds_of
from durably_cli.render.words import span
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural


def tell_outcome(view: View, ended: Ended, talk: Talk, resume: str) -> int:
    """Say what came of the run; the exit code."""
    name = f"run {short(view.run_id)}"
    state = view.state
    if ended.disposition is Disposition.COALESCED:
        has = "waits for the key" if view.status is Status.PENDING else "has the key"
        talk.say(f"nothing was run: {name} of {state.created.job} {has}")
        return 0
    if view.status is Status.COMPLETED:
        if ended.executed:
            _say_completed(view, talk, name)
        else:
            talk.say(f"{name} had completed before, at {state.ended}; this is its output")
        return 0
    if view.status is Status.FAILED:
        if state.error is not None:
            talk.say_lines(state.error.traceback)
        where = f" in step {state.failed_step}" if state.failed_step else ""
        before = "" if ended.executed else " before"
        talk.say(f"{name} failed{before}{where}{_saved(view, talk)}")
        talk.say(f"once that is mended, go on where it was: {resume}")
        return 1
    if view.status is Status.CANCELLED:
        talk.say(f"{name} was cancelled")
        return 3
    talk.say(f"{name} is {view.status}: another process holds it{holder(view)}")
    return 0


def _say_completed(view: View, talk: Talk, name: str) -> None:
    state = view.state
    took = span(seconds_of(state.attempts[-1]))
    steps = plural(talk.completed, "step")
    talk.say(f"{name} completed in {took}: {steps} run{_saved(view, talk)}")
    if talk.run is not None and talk.run.past.results:
        unused = plural(len(talk.run.past.results), "journalled step")
        talk.say(f"{unused} did not come up again: the job has changed since")


def _saved(view: View, talk: Talk) -> str:
    """How many steps were replayed, and the time that they took when they ran."""
    if talk.run is None or not talk.replayed_steps:
        return ""
    unused, saved_ms = talk.run.past.results, talk.run.state.completed_ms
    if unused:
        events = (event for event in view.events() if isinstance(event, StepCompleted))
        saved_ms -= sum(event.ms for event in events if event.name in unused)
    replayed = plural(talk.replayed_steps, "step")
    return f", {replayed} replayed, which saved {span(saved_ms / 1000)}"
