"""What is shown of a run that waits: until when, or which question is open, and what answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from durably_cli import hints
from durably_cli.engines.due import due_at
from durably_cli.engines.run_view import RunView
from durably_cli.journal.state import RunState
from durably_cli.journal.step_names import item_around
from durably_cli.journal.wait_events import RUN, SIGNAL, SLEEP, StepWaiting
from durably_cli.render.words import utc_time
from durably_cli.steps.mail import Closed, Mail, Sent
from durably_cli.system import clock, ids
from durably_cli.values.example import words_of

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun
    from durably_cli.render.run_types import WaitFields

FEW = 3
"""Of so many waits it is said what they are for, and what answers."""

ShowTime = Callable[[str], str]
"""Shows a time: in UTC, or as a person reads it."""


class OpenWait(NamedTuple):
    """What a step waits for, of the run that is shown, or of a run that is a step of it.

    `child` names the step that such a run is. `answer` is the signal that is there, or the word
    that its deadline was first, and that the run has not taken yet.
    """

    run_id: str
    wait: StepWaiting
    child: str = ""
    answer: Sent | Closed | None = None

    @property
    def is_open_question(self) -> bool:
        """Is it a signal that nobody has sent?"""
        return self.wait.kind == SIGNAL and self.answer is None


def open_waits(view: RunView) -> list[OpenWait]:
    """What its own steps wait for, questions first."""
    return open_waits_of(view.state, view.mail)


def open_waits_of(state: RunState, mail: Mail) -> list[OpenWait]:
    """The same of a run whose mail this is."""
    if state.has_ended:
        return []
    waits = [_open(state, wait, mail) for wait in state.waits.values()]
    return sorted(waits, key=lambda each: (not each.is_open_question, each.wait.kind != SIGNAL))


def _open(state: RunState, wait: StepWaiting, mail: Mail) -> OpenWait:
    answer = None
    if wait.kind == SIGNAL:
        found = mail.find(wait.name, state.received.number(wait.name))
        answer = found if isinstance(found, Sent | Closed) else None
        if answer is None and wait.until and wait.until <= clock.now():
            answer = Closed(wait.until)
    return OpenWait(state.created.run, wait, answer=answer)


def waits_of_all(view: RunView) -> list[OpenWait]:
    """The same, and in place of a run that waits for something, what that is."""
    found = open_waits(view)
    if not any(each.wait.kind == RUN for each in found):
        return found
    from durably_cli.engines.family import children_of  # few runs have any

    spoken_for = set[str]()
    for child in children_of(view, open_only=True):
        if isinstance(child.view, RunView):
            inner = open_waits(child.view)
            found += [each._replace(child=child.step) for each in inner]
            spoken_for |= {child.run_id} if inner else set()
    shown = [each for each in found if each.wait.child not in spoken_for]
    return sorted(shown, key=lambda each: not each.is_open_question)


def open_questions(view: RunView) -> list[OpenWait]:
    """The signals that are waited for, by this run and by runs that are a step of it."""
    return [each for each in waits_of_all(view) if each.is_open_question]


def is_question(wait: StepWaiting) -> bool:
    """Is it answered by yes or no?"""
    return wait.takes.get("title") == "Approval" or wait.takes.get("type") == "boolean"


def said_of(open_wait: OpenWait, time: ShowTime = utc_time) -> str:
    """`Apply the plan? (approval, until 2026-…)`, on one line."""
    said = _said(open_wait.wait, open_wait.answer, time)
    if not open_wait.child:
        return said
    return f"{open_wait.child} (run {ids.short(open_wait.run_id)}): {said}"


def _said(wait: StepWaiting, answer: Sent | Closed | None, time: ShowTime) -> str:
    until = f", until {time(wait.until)}" if wait.until else ""
    if isinstance(answer, Closed):
        until = ", its deadline is over"
    if wait.kind == SIGNAL and wait.prompt:
        until = f", answered by {answer.by}" if isinstance(answer, Sent) else until
        return f"{wait.prompt} ({wait.name}{until})"
    if wait.kind == SIGNAL:
        if isinstance(answer, Sent):
            return f"{wait.name} has its signal, from {answer.by}"
        return f"{wait.name} waits for a signal{until}"
    if wait.kind == RUN:
        return f"{wait.name} waits for run {ids.short(wait.child)}{until}"
    what = "sleeps" if wait.kind == SLEEP else "looks again and again"
    return f"{wait.name} {what}{until}"


def what_it_waits_for(view: RunView, time: ShowTime = utc_time) -> list[str]:
    """The first few waits, and how many more there are."""
    waits = waits_of_all(view)
    more = len(waits) - FEW
    return [*(said_of(wait, time) for wait in waits[:FEW]), *([f"{more:,} more"] * (more > 0))]


def lines_of_waits(
    run: LiveRun, event: StepWaiting | None, child: str, time: ShowTime
) -> Iterator[str]:
    """What a run that executes waits for, and the commands that answer; and see `Talk`."""
    if event is None:
        waits = open_waits_of(run.state, run.past.mail)
        waits = [each._replace(child=child) for each in waits]
    else:
        waits = [OpenWait(run.run_id, event, child)]
    for each in waits[:FEW]:
        yield said_of(each, time)
        if each.is_open_question:
            is_only_one = len(waits) == 1 and item_around(each.wait.name) is None
            for words in answers_to(each.wait, ids.short(run.run_id), is_only_one=is_only_one):
                yield f"  {hints.command(*words)}"
    if len(waits) > FEW:
        yield f"{len(waits) - FEW:,} more"


def why_it_waits(view: RunView, time: ShowTime = utc_time) -> str:
    """The same on one line."""
    return "; ".join(what_it_waits_for(view, time))


def wait_fields(view: RunView) -> list[WaitFields]:
    """The same for --json."""
    return [
        {
            "step": wait.name,
            "kind": wait.kind,
            "since": wait.at,
            "until": wait.until or None,
            "prompt": wait.prompt or None,
            "run": wait.child or None,
            "takes": wait.takes or None,
            "answered_by": answer.by if isinstance(answer, Sent) else None,
        }
        for _, wait, _, answer in open_waits(view)
    ]


def when_due(view: RunView) -> str | None:
    """When it is to go on, in UTC; None if not before a signal comes, or if it does not wait."""
    return due_at(view) if open_waits(view) else None


def answers_to(wait: StepWaiting, run: str, *, is_only_one: bool = True) -> list[tuple[str, ...]]:
    """The commands that answer it, as words behind `durably`."""
    name = () if is_only_one else (wait.name,)
    if is_question(wait):
        return [("approve", run, *name), ("deny", run, *name)]
    return [("signal", run, wait.name, *words_of(wait.takes))]
