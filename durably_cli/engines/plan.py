"""What a resume would do with each step of a run, as far as its events tell. Nothing is executed.

Which steps the handler asks for, and whether a redone one gives something else, only shows then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from durably_cli.engines.decisions import (
    Decisions,
    decided,
    names_of,
    steps_done,
    steps_named,
)
from durably_cli.engines.files_of_run import FileNow, vouched_files
from durably_cli.engines.order import Places
from durably_cli.engines.past import gather, past_of
from durably_cli.engines.run_view import RunView
from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.spent import Interval, ran_from, time_in
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.step_events import (
    DATABASE,
    ITEMS,
    NO_CODE,
    MapStarted,
    StepDiscarded,
    StepEntered,
    StepStarted,
)
from durably_cli.journal.step_names import map_of, scopes_of
from durably_cli.journal.step_state import StepState, StepStatus, step_states
from durably_cli.steps.code_now import Comparison, Verdict
from durably_cli.steps.doubt import LOOK, STOP, discarded_unasked
from durably_cli.steps.many import said_of_going_on
from durably_cli.steps.operation import Past
from durably_cli.values.quantities import plural

What = Literal["replay", "run", "perhaps", "in doubt", "stop"]
"""What becomes of a step; `perhaps` it is executed: if one before it gives another result."""

CompareCode = Callable[[str], Comparison]
"""Says what became of a function, of its `code` in a start."""


class PlannedStep(NamedTuple):
    """A step and what becomes of it; `ms` is how long it took, if it has a result, and `ran` when.

    A map is not counted, for its items are.
    """

    name: str
    what: What
    ms: int | None
    code: Verdict
    why: str
    ran: Interval | None = None
    is_map: bool = False


class Plan(NamedTuple):
    """What would become of each step, in the order in which they came first.

    `warnings` are what the attempt would say of maps that had completed, and go on.
    """

    steps: list[PlannedStep]
    warnings: list[str]

    @property
    def saved_ms(self) -> int:
        """How long the steps took that are replayed, come what may; side by side counts once."""
        return time_in(
            step.ran
            for step in self.steps
            if step.what == "replay" and step.ran and not step.is_map
        )

    def count(self, what: What) -> int:
        """How many steps become that."""
        return sum(step.what == what and not step.is_map for step in self.steps)


def plan_of(
    view: RunView,
    asked: Decisions,
    compare: CompareCode,
    *,
    is_fork: bool = False,
    redo_failed: bool = False,
) -> Plan:
    """What a resume of this run, or a fork, with these decisions would do with each step.

    UsageError or NotFound for decisions that cannot be made.
    """
    past, codes = past_of(view), _Codes()
    events = codes.noting(gather(view.events(), past, view))
    found = list(step_states(events, view.state.unfinished, view.state.discarded))
    asked = steps_done(asked, names_of(view.state, past))
    if is_fork:
        redo = set(steps_named(asked.redo, names_of(view.state, past), view.state))
    else:
        decisions = decided(asked, view.state, past)
        redo = {event.name for event in decisions if isinstance(event, StepDiscarded)}
    carried = set() if redo_failed else _carried(view)
    changed = dict(_changed(found, view, {*redo, *asked.done}))
    now = _Now(codes, past, redo, asked, changed, carried, state=view.state, is_fork=is_fork)
    found.sort(key=lambda step: codes.places.place_of(step.name))
    plan = list[PlannedStep]()
    for step in found:
        if step.is_gone and step.name not in redo:
            continue
        what, why = now.becomes(step)
        code = codes.codes.get(step.name, NO_CODE)
        became = Comparison(Verdict.UNKNOWN) if code == NO_CODE else compare(code)
        why = "; ".join(filter(None, (why, became.reason and f"its code: {became.reason}")))
        is_map = step.name in view.state.maps
        ran = None if step.ms is None else ran_from(step.started, step.ms)
        plan.append(PlannedStep(step.name, what, step.ms, became.verdict, why, ran, is_map))
    decided_on = {*redo, *past.redone}
    warnings = _warnings(plan, past, decided_on, view.run_id)
    return Plan(list(_with_maps_that_go_on(plan)), list(warnings))


def _warnings(
    plan: list[PlannedStep], past: Past, decided_on: set[str], run_id: str
) -> Iterator[str]:
    completed = {step.name for step in plan if step.is_map and step.what == "replay"}
    for step in plan:
        of = map_of(step.name)
        if of in completed and step.what in _EXECUTED and step.name not in decided_on:
            completed.discard(of)  # once a map
            if said := said_of_going_on(step.name, past, run_id):
                yield said


def _with_maps_that_go_on(plan: list[PlannedStep]) -> Iterator[PlannedStep]:
    """The same; a map that had completed goes on if something in it is executed."""
    goes_on = Counter[str]()
    for step in plan:
        if step.what in _EXECUTED and not step.is_map:
            goes_on.update(
                of for each in (step.name, *scopes_of(step.name)) if (of := map_of(each))
            )
    for step in plan:
        if step.is_map and step.what == "replay" and (many := goes_on[step.name]):
            step = step._replace(what="run", why=f"goes on with {plural(many, 'step')}")
        yield step


_EXECUTED = ("run", "in doubt", "stop")
"""What is said of steps that are, or may be, called."""


def _carried(view: RunView) -> set[str]:
    """The failures that are replayed; of a run that has completed, in a fork, all."""
    if view.state.status is Status.COMPLETED:
        return {step.name for step in view.state.failed_steps}
    return set(view.state.carried)


def _changed(
    steps: Iterable[StepState], view: RunView, decided: set[str]
) -> Iterator[tuple[str, FileNow]]:
    """The steps that vouch for a file which is not what it was, and the first such file."""
    for step in steps:
        if step.name not in decided and step.status is StepStatus.COMPLETED:
            file = next((file for file in vouched_files(step, view) if file.change), None)
            if file is not None:
                yield step.name, file


class _Codes:
    """The code of each last start, which steps stop, and in which order they came."""

    def __init__(self) -> None:
        self.places = Places()
        self.codes, self.stop = dict[str, str](), set[str]()

    def noting(self, events: Iterator[Event]) -> Iterator[Event]:
        """Pass the events on."""
        code = NO_CODE
        for place, event in enumerate(events):
            self.places.note(place, event)
            if isinstance(event, MapStarted):
                self.codes[event.name] = NO_CODE
            elif isinstance(event, StepStarted):
                code = event.code or code
                self.codes[event.name] = code
                self.stop.discard(event.name)
            elif isinstance(event, StepEntered) and event.in_doubt == STOP:
                self.stop.add(event.name)
            elif isinstance(event, RunStarted):
                code = NO_CODE
            yield event


_WITH_RESULT = (StepStatus.FAILED, StepStatus.MARKED_DONE)
"""A step that somebody is to decide has given something, or somebody has given that."""


class _Now:
    """What is known of the steps now: who wants which executed again, and what has changed."""

    def __init__(
        self,
        codes: _Codes,
        past: Past,
        redo: set[str],
        asked: Decisions,
        changed: Mapping[str, FileNow],
        carried: set[str],
        *,
        state: RunState,
        is_fork: bool,
    ) -> None:
        undecided = {step.name: step for step in (*state.may_have_happened, *state.undecided)}
        self._say = "--redo, or --done to a resume of the fork" if is_fork else "--done or --redo"
        self._refused = {name for name, step in undecided.items() if step.status in _WITH_RESULT}
        self._redo, self._done, self._changed, self._carried = redo, asked.done, changed, carried
        self._past, self._has_ended = past, state.has_ended
        self._places, self._stop = codes.places, codes.stop
        new = () if asked.only else (name for name in redo if name in past.results)
        pending = (name for name, event in past.redone.items() if not event.only)
        files = (name for name in changed if not self._stops_for_file(name))
        known = [name for name in (*new, *pending, *files) if name in self._places.completed]
        self._first: str | None = min(known, key=self._places.completed.__getitem__, default=None)

    def becomes(self, step: StepState) -> tuple[What, str]:
        """What becomes of a step, and why."""
        name = step.name
        if name in self._done:
            return "replay", "marked as done"
        if name in self._redo:
            return "run", "as you say"
        if step.status is StepStatus.COMPLETED:
            return self._completed(name)
        if name in self._refused:
            return "stop", f"its result was refused: say {self._say}"
        if step.status is StepStatus.MARKED_DONE:
            return "replay", "marked as done before"
        if step.status is StepStatus.DISCARDED:
            if name in self._stop and discarded_unasked(self._past.unfinished.get(name)):
                return "stop", f"its result was discarded: say {self._say}"
            return "run", "its result was discarded"
        if step.status is StepStatus.FAILED or (
            step.status is StepStatus.RETRYING and self._has_ended
        ):
            if name not in self._carried:
                return "run", "it failed"
            if (first := self._first_before(name)) is not None:
                return "perhaps", f"if {first} gives another result"
            return "replay", "as the failure it was"
        if step.status is StepStatus.RETRYING:
            return "run", f"try {step.tries + 1} of {step.most}"
        if step.when_in_doubt == STOP:
            return "stop", f"in doubt: say {self._say}"
        if step.when_in_doubt == ITEMS:
            return "run", "what is left of it"
        if step.when_in_doubt == DATABASE:
            return "run", "cut short: its database knows whether it was done"
        return "in doubt", "looked for" if step.when_in_doubt == LOOK else "called again"

    def _completed(self, name: str) -> tuple[What, str]:
        if name in self._changed:
            change = self._changed[name].change or ""
            return ("stop" if self._stops_for_file(name) else "run"), change
        first = self._first_before(name)
        if first is None:
            return "replay", ""
        stops = "it stops here " if name in self._stop else ""
        return "perhaps", f"{stops}if {first} gives another result"

    def _first_before(self, name: str) -> str | None:
        """The first redone step that had completed when this one began."""
        first = self._first
        if first is None:
            return None
        of = map_of(first)
        if of is not None and of in scopes_of(name):  # a sibling of it
            return None
        end = self._places.completed.get(of or first, self._places.completed[first])
        return None if self._places.began.get(name, -1) <= end else first

    def _stops_for_file(self, name: str) -> bool:
        """Is the run to end there, and not to execute the step again?"""
        return self._changed[name].is_to_fail or name in self._stop
