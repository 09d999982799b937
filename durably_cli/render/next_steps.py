"""What makes sense to type next, of a run as it stands: for programs all of it, for people one."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.files_of_run import changed_files
from durably_cli.engines.run_view import RunView
from durably_cli.errors import WaitTimeout
from durably_cli.journal.blobs import is_blob_reference
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepStarted
from durably_cli.journal.step_names import fits, map_of
from durably_cli.journal.step_state import StepState, StepStatus
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible_lines

_SHORT = 200
"""How many characters of a result are handed out to be typed again."""

_BEGINS = (StepStarted, MapStarted, StepCompleted)

_MANY = 8
"""So many steps are named in one command, and no more."""


_PURPOSES = {
    "approve": "to say yes",
    "deny": "to say no",
    "signal": "to answer, with a value of yours",
}


class NextStep(NamedTuple):
    """What a command is typed for, and its words behind `durably`."""

    purpose: str
    words: tuple[str, ...]


def next_steps(view: RunView) -> list[NextStep]:
    """Those for people, who look at the run already; none if there is nothing left to do."""
    return [each for each in _next_steps(view) if each.purpose]


def how_to_decide(view: RunView) -> list[NextStep]:
    """What to type of a step that nobody but a person can decide; nothing if there is none.

    Of one whose result cannot be replayed, to mend that is the other way.
    """
    run, state = short(view.run_id), view.state
    undecided = state.undecided
    for step in undecided[:1]:
        again = ("resume", run, "--redo", step.name)
        if step.status is StepStatus.DISCARDED:
            before = ("--done", step.name, "--result", _gave_before(view, step.name))
            return [
                NextStep("to let its result stand", ("resume", run, *before)),
                NextStep("to execute it again", again),
            ]
        others = [each for each in undecided if each.status is not StepStatus.DISCARDED]
        it = step.name if others[1:] else "it"
        gave = ", and JSON is what it gave" if step.gives else ""
        return [
            NextStep(f"if {it} was done{gave}", ("resume", run, *_done([step]))),
            NextStep("if it was not", again),
            *(_of_all(view, others) if others[1:] else ()),
        ]
    if state.causes and state.causes[0] not in state.unfinished:
        again = ("resume", run, "--redo", state.causes[0])
        return [
            NextStep("once that is mended", ("resume", run)),
            NextStep("to execute it again", again),
        ]
    return _once_more(view) if view.status is Status.FAILED else []


def _once_more(view: RunView) -> list[NextStep]:
    """What to type of a run that has failed in a step that waited: nothing is to be mended."""
    run, state = short(view.run_id), view.state
    errors, cancelled = [state.error], set[str]()
    mine = [step for step in state.causes if step in state.children]
    if mine:
        from durably_cli.engines.family import children_of  # few runs have any

        for child in children_of(view):
            if isinstance(child.view, RunView):
                errors.append(child.view.state.error)
                if child.view.status is Status.CANCELLED:
                    cancelled.add(child.step)
    redo = [word for step in mine if step in cancelled for word in ("--redo", step)]
    if redo:
        return [NextStep("to run that job once more", ("resume", run, *redo))]
    if any(error is not None and error.type == WaitTimeout.__name__ for error in errors):
        return [NextStep("to wait for it once more", ("resume", run))]
    return []


def ways_to_answer(view: RunView) -> list[NextStep]:
    """What to type to the questions of a run that waits for signals; people are shown a few."""
    if not view.state.waits:
        return []
    from durably_cli.render.waits import FEW, answers_to, open_questions  # few runs wait

    found, asked = list[NextStep](), open_questions(view)
    of_run = Counter(each.run_id for each in asked)
    for number, (run_id, wait, *_) in enumerate(asked):
        for words in answers_to(wait, short(run_id), is_only_one=of_run[run_id] == 1):
            found.append(NextStep(_PURPOSES[words[0]] if number < FEW else "", words))
    return found


def newly_asked(view: RunView) -> str:
    """The questions that the last attempt came to first, and the commands that answer: for a mail.

    Empty if there are none.
    """
    if view.status is not Status.WAITING or not view.state.attempts:
        return ""
    from durably_cli.render.waits import FEW, open_questions, said_of  # few runs wait

    begun = view.state.attempts[-1].started.at
    new = [each for each in open_questions(view) if each.wait.at >= begun]
    if not new:
        return ""
    said = [said_of(each) for each in new[:FEW]]
    if len(new) > FEW:
        said.append(f"{len(new) - FEW:,} more")
    lines = [f"run {short(view.run_id)} of {view.state.created.job} asks:", *said]
    ways = [each for each in ways_to_answer(view) if each.purpose]
    lines += [f"{each.purpose}: {hints.command(*each.words)}" for each in ways]
    return visible_lines("\n".join(lines)) + "\n"


def how_to_answer(view: RunView) -> str:
    """The same as a hint."""
    return "\n".join(
        f"{hints.command(*each.words)}    ({each.purpose})"
        for each in ways_to_answer(view)
        if each.purpose
    )


def how_to_make_again(view: RunView) -> list[NextStep]:
    """What to type of a completed run if files that its results vouch for are not what they were.

    The run is final: only a fork makes them again. No job is asked what it would do.
    """
    changed = list(changed_files(view)) if view.status is Status.COMPLETED else []
    if not changed:
        return []
    first, file = changed[0]
    others = f", and {plural(len(changed) - 1, 'other file')} changed" if changed[1:] else ""
    purpose = f"{file.change}, of step {first.name}{others}; to make that again in a new run"
    fixed = dict.fromkeys(step.name for step, each in changed if each.is_to_fail)
    redo = [word for name in fixed for word in ("--redo", name)]
    return [NextStep(purpose, ("fork", short(view.run_id), *redo))]


def how_to_redo_failed(view: RunView) -> list[NextStep]:
    """What to type of a completed run that has collected failures of its items."""
    if view.status is not Status.COMPLETED or not view.state.failed_items:
        return []
    purpose = "to execute what failed in a new run"
    return [NextStep(purpose, ("fork", short(view.run_id), "--redo-failed"))]


def _of_all(view: RunView, undecided: list[StepState]) -> list[NextStep]:
    """What to type if all steps that wait for a decision are decided alike."""
    run, all_of = short(view.run_id), f"all {len(undecided):,} that wait for such a decision"
    names = [step.name for step in undecided]
    known = {str(event.name) for event in view.events() if isinstance(event, _BEGINS)}
    of = map_of(names[0])
    pattern = f"{of}[*]"
    if of is not None and {name for name in known if fits(pattern, name)} == {*names}:
        names = [pattern]
    if len(undecided) > _MANY and len(names) > 1:
        return [NextStep(f"to see {all_of}", ("inspect", run, "--all"))]
    redo = [word for name in names for word in ("--redo", name)]
    steps = [NextStep(f"if none of {all_of} was", ("resume", run, *redo))]
    if len(undecided) <= _MANY:
        gave = ", and JSON is what each gave" if any(step.gives for step in undecided) else ""
        was = f"if {all_of} were done{gave}"
        steps.insert(0, NextStep(was, ("resume", run, *_done(undecided))))
    return steps


def _done(steps: list[StepState]) -> list[str]:
    """The options that say that these were done: with a result for each, or for none."""
    words, give = list[str](), any(step.gives for step in steps)
    for step in steps:
        result = "JSON" if step.gives else "null"
        words += ["--done", step.name, *(["--result", result] if give else ())]
    return words


def _gave_before(view: RunView, name: str) -> str:
    """The last result of a step, which was discarded, as it can be typed."""
    given = "JSON"
    for event in view.events():
        if isinstance(event, StepCompleted) and event.name == name:
            is_short = len(event.result) <= _SHORT and not is_blob_reference(event.result)
            given = event.result if is_short else "JSON"
    return given


def how_to_go_on(view: RunView, why: str = "") -> str:
    """The commands of those, as a hint; of other runs the one that resumes it, and `why`."""
    if view.is_queued:
        return hints.command("wait", short(view.run_id))
    steps = [] if view.held else how_to_decide(view)
    if not steps:
        return hints.command("resume", short(view.run_id)) + (f"    ({why})" if why else "")
    return "\n".join(f"{hints.command(*each.words)}    ({each.purpose})" for each in steps)


def next_commands(view: RunView) -> list[str]:
    """All of them, as they can be pasted."""
    return [hints.command(*each.words) for each in _next_steps(view)]


def _next_steps(view: RunView) -> list[NextStep]:
    """Those without a purpose are for programs only."""
    run = short(view.run_id)
    if view.damage or view.status is Status.UNREADABLE:
        return [NextStep("", ("verify", run)), NextStep("to mend", ("help", "care"))]
    look = [NextStep("", ("inspect", run)), NextStep("", ("logs", run))]
    if answers := ways_to_answer(view):
        from durably_cli.engines.due import is_due

        go_on = [] if view.goes_on or not is_due(view) else [NextStep("to go on", ("resume", run))]
        return [*go_on, *answers, NextStep("", ("wait", run)), *look]
    if view.goes_on:
        follow = NextStep("to watch", ("inspect", run, "--follow"))
        return [NextStep("", ("wait", run)), follow, NextStep("", ("logs", run, "--follow"))]
    if view.state.is_final:
        return [*how_to_redo_failed(view), *look]
    if view.cancel_request():
        return [NextStep("to end it", ("cancel", run)), *look]
    return [*(how_to_decide(view) or [NextStep("to go on", ("resume", run))]), *look]
