"""What there is to know of a run before an attempt of it: what was left, changed and decided."""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli import hints
from durably_cli.engines.live_run import LiveRun
from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import DATABASE, StepDiscarded, StepMarkedDone
from durably_cli.journal.step_state import StepStatus
from durably_cli.render.timeline import seconds_between
from durably_cli.render.words import listed, one_line
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural


def what_changed(event: RunStarted, run: LiveRun) -> Iterator[tuple[str, ...]]:
    """Line by line; one that ends with a command has that apart."""
    if event.dropped:
        beside = f"; the original is kept as {event.kept}" if event.kept else ""
        yield (f"a crash left {plural(event.dropped, 'byte')} of an unfinished append{beside}",)
    if run.state.attempts:
        last, usual = run.state.attempts[-1].started, run.state.created.folder
        if last.source != event.source:
            yield ("the job's file has changed since the last attempt",)
        before, now = last.folder or usual, event.folder or usual
        if before != now and before:
            yield (f"the last attempt ran in {before}, this one runs in {now}",)
    elif run.state.origin:
        there = plural(run.state.from_origin, "result")
        yield (f"a fork of run {short(run.state.origin)}, with {there} of it",)
    if run.carried:
        names = [name for name in run.state.carried if name in run.carried]
        again: tuple[str, ...] = ("resume", short(run.run_id))
        if run.state.origin and not run.state.attempts:  # this very command makes it
            again = ("fork", *(hints.words_typed()[1:] or [short(run.state.origin)]))
        is_of_all = again[0] == "fork" and len(names) > 1
        which = ("--redo-failed",) if is_of_all else ("--redo", names[0])
        redo = hints.command(*again, *which)
        failures = plural(len(names), "failure")
        yield (f"{failures} that the job went on after will be replayed: {listed(names)}",)
        what = "them" if is_of_all else "such a step"
        yield f"to execute {what} again, stop this and type:", redo
    has_failed = run.state.status is Status.FAILED  # and all tries are open again
    for step in () if has_failed else run.state.unfinished.values():
        if step.status is StepStatus.RETRYING and not step.is_gone:
            pause = seconds_between(clock.now(), step.until or "")
            why = f": {one_line(step.error)}" if step.error else ""
            then = f"; again in {span(pause)}" if pause else ""
            tried = f"try {step.tries} of {step.most}"
            yield (f"step {step.name} had failed, {tried}{why}{then}",)
    decided: list[Event] = list(run.decisions)
    if run.state.origin and not run.state.attempts:
        decided += run.past.unfinished.values()
    redone = [each.name for each in decided if isinstance(each, StepDiscarded) and each.by]
    done = [each.name for each in decided if isinstance(each, StepMarkedDone)]
    for what, names in (("executed again", redone), ("marked as done", done)):
        if names:
            yield (f"{what}: {listed(names)}",)
    for step in run.state.cut_short:
        if step.name in run.past.in_doubt:
            knows = step.when_in_doubt == DATABASE
            then = "its database knows whether it was done" if knows else "it may have happened"
            yield (f"step {step.name} was in flight when the run stopped: {then}",)
