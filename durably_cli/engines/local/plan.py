"""What a resume would do with each step of a run, as far as its journal tells. Nothing is executed.

Which steps the handler asks for, and whether a redone one gives something else, only shows then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple

from durably_cli.engines.local.decisions import Decisions, names_of, redone
from durably_cli.engines.local.files_of_run import FileNow, vouched_files
from durably_cli.engines.local.past import gather, past_of
from durably_cli.engines.local.view import RunView
from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import (
    NO_CODE,
    StepCompleted,
    StepEntered,
    StepStarted,
)
from durably_cli.journal.step_state import StepState, StepStatus, step_states
from durably_cli.steps.code_now import Verdict
from durably_cli.steps.doubt import STOP, discarded_unasked
from durably_cli.steps.operation import Past

What = Literal["replay", "run", "perhaps", "in doubt", "stop"]
"""What becomes of a step; `perhaps` it is executed: if one before it gives another result."""

CompareCode = Callable[[str, str], Verdict]
"""Says what became of a function, of its `code` in a start, written by this version of Python."""


class PlannedStep(NamedTuple):
    """A step and what becomes of it; `ms` is how long it took, if it has a result."""

    name: str
    what: What
    ms: int | None
    code: Verdict
    why: str


class Plan(NamedTuple):
    """What would become of each step, in the order of their last starts."""

    steps: list[PlannedStep]

    @property
    def saved_ms(self) -> int:
        """How long the steps took that are replayed, come what may."""
        return sum(step.ms or 0 for step in self.steps if step.what == "replay")

    def count(self, what: What) -> int:
        """How many steps become that."""
        return sum(step.what == what for step in self.steps)


def plan_of(
    view: RunView, asked: Decisions, compare: CompareCode, *, redo_failed: bool = False
) -> Plan:
    """What a resume of this run, or a fork, with these decisions would do with each step.

    UsageError or NotFound for decisions that cannot be made.
    """
    past, places = past_of(view.path), _Places()
    events = places.noting(gather(view.events(), past, view.path))
    found = list(step_states(events, view.state.unfinished, view.state.discarded))
    redo = (
        set(redone(asked.redo, names_of(view.state, past), view.state))
        if asked.redo
        else set[str]()
    )
    carried = set() if redo_failed else _carried(view)
    changed = {step.name: file for step in found if (file := _changed_file(step, view))}
    plan, behind = list[PlannedStep](), _Behind(places, past, redo, asked, changed)
    for step in found:
        what, why = _of_step(step, asked, redo, carried, changed, behind)
        if step.name in places.stopping - redo:
            what, why = _if_it_stops(step, what, why, past)
        code = _code_of(step, places, compare)
        plan.append(PlannedStep(step.name, what, step.ms, code, why))
    return Plan(plan)


def _carried(view: RunView) -> set[str]:
    """The failures that are replayed; of a run that has completed, in a fork, all."""
    if view.state.status is Status.COMPLETED:
        return {step.name for step in view.state.failed_steps}
    return set(view.state.carried)


def _changed_file(step: StepState, view: RunView) -> FileNow | None:
    """The first file of a step's result that is not what it was."""
    if step.status is not StepStatus.COMPLETED:
        return None
    return next((file for file in vouched_files(step, view) if file.change), None)


def _of_step(
    step: StepState,
    asked: Decisions,
    redo: set[str],
    carried: set[str],
    changed: Mapping[str, FileNow],
    behind: _Behind,
) -> tuple[What, str]:
    name = step.name
    if name in asked.done:
        return "replay", "done, as you say"
    if name in redo:
        return "run", "as you say"
    if step.status is StepStatus.COMPLETED:
        if (file := changed.get(name)) is not None:
            return "stop" if file.is_to_fail else "run", file.change or ""
        if (before := behind.first_before(name)) is not None:
            return "perhaps", f"if {before} gives another result"
        return "replay", ""
    if step.status is StepStatus.MARKED_DONE:
        return "replay", "done, as somebody said"
    if step.status is StepStatus.DISCARDED:
        return "run", "its result counts no more"
    if step.status is StepStatus.RETRYING:
        return "run", f"try {step.tries + 1} of {step.most}"
    if step.status is StepStatus.FAILED:
        return ("replay", "as the failure it was") if name in carried else ("run", "it failed")
    if step.when_in_doubt == STOP:
        return "stop", "in doubt: say --done or --redo"
    looks = "in doubt, and looked for" if step.when_in_doubt == "look" else "called again"
    return "in doubt", looks


def _if_it_stops(step: StepState, what: What, why: str, past: Past) -> tuple[What, str]:
    """The same of a step that is not called again unless somebody asks for it."""
    if what == "perhaps":
        return what, f"{why}, and then it stops"
    unasked = step.status is StepStatus.COMPLETED or discarded_unasked(
        past.unfinished.get(step.name)
    )
    return ("stop", why) if what == "run" and unasked else (what, why)


class _Places:
    """Where steps began and completed first, the code of each last start, and which ones stop."""

    def __init__(self) -> None:
        self.stopping = set[str]()
        self.began, self.completed = dict[str, int](), dict[str, int]()
        self.codes = dict[str, tuple[str, str]]()
        self._code, self._python = "", ""

    def noting(self, events: Iterator[Event]) -> Iterator[Event]:
        """Pass the events on."""
        for place, event in enumerate(events):
            if isinstance(event, StepStarted):
                self._code = event.code or self._code
                self.began.setdefault(event.name, place)
                self.codes[event.name] = self._code, self._python
                self.stopping.discard(event.name)
            elif isinstance(event, StepEntered) and event.in_doubt == STOP:
                self.stopping.add(event.name)
            elif isinstance(event, StepCompleted):
                self.completed.setdefault(event.name, place)
            elif isinstance(event, RunStarted):
                self._code, self._python = "", event.versions.get("python", "")
            yield event


class _Behind:
    """Which steps began after a step had completed that is executed again."""

    def __init__(
        self,
        places: _Places,
        past: Past,
        redo: set[str],
        asked: Decisions,
        changed: Mapping[str, FileNow],
    ) -> None:
        new = () if asked.only else (name for name in redo if name in past.results)
        pending = (name for name, event in past.redone.items() if not event.only)
        lost = (name for name, file in changed.items() if not file.is_to_fail)
        known = [name for name in (*new, *pending, *lost) if name in places.completed]
        self._first: str | None = min(known, key=places.completed.__getitem__, default=None)
        self._began = places.began
        self._completed = places.completed.get(self._first or "", -1)

    def first_before(self, name: str) -> str | None:
        """The first redone step that had completed when this one began."""
        if self._first is None or self._began.get(name, -1) <= self._completed:
            return None
        return self._first


def _code_of(step: StepState, places: _Places, compare: CompareCode) -> Verdict:
    code, python = places.codes.get(step.name, ("", ""))
    return Verdict.UNKNOWN if code in ("", NO_CODE) else compare(code, python)
