"""How signal, approve and deny send a run what it waits for, and what is said of that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.arguments import argument_text
from durably_cli.cli.asking import asks_here, confirm, say
from durably_cli.engines import who
from durably_cli.engines.engine import Engine
from durably_cli.engines.family import children_of, head_of
from durably_cli.engines.run_view import RunView
from durably_cli.engines.runs import Runs
from durably_cli.engines.signal import Signalled, answer_in
from durably_cli.engines.takeover import verdict_on
from durably_cli.errors import NotFound, UsageError
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.project.engine import open_engine
from durably_cli.project.finding import find_here
from durably_cli.render import rows
from durably_cli.render.next_steps import next_commands
from durably_cli.render.waits import OpenWait, is_question, open_questions, said_of, waits_of_all
from durably_cli.render.words import local_time
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json, to_json


def signal_run(
    project: Path, run: str, name: str, value: Json, *, early: bool, as_json: bool
) -> int:
    """`durably signal`; the exit code."""
    engine = open_engine(project)
    run_id = find_here(project, run, engine.runs)
    document.about(run_id)
    sent = engine.signal(run_id, argument_text(name), value, even_if_early=early)
    return _said(engine, sent, as_json=as_json)


def answer_run(
    project: Path,
    run: str,
    name: str | None,
    *,
    approved: bool,
    reason: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """`durably approve` and `durably deny`; the exit code."""
    engine = open_engine(project)
    run_id = find_here(project, run, engine.runs)
    document.about(run_id)
    with engine.runs.view(run_id) as view:
        question = _question(view, name, "approve" if approved else "deny")
    if question.is_bool and reason is not None:
        what = f"question {question.name!r} takes no reason: it is answered by true or false"
        raise UsageError(what)
    if asks_here() and not (yes or as_json or question.is_answered):
        verb = "Approve" if approved else "Deny"
        if not confirm(f"{question.shown}\n{verb}?", yes=False):
            say("nothing was sent")
            return 0
    why = None if reason is None else argument_text(reason)
    value: object = {"approved": approved, "by": who.user(), "reason": why}
    if question.is_bool:
        value = approved
    sent = engine.signal(question.run, question.name, Json(to_json(value)))
    return _said(engine, sent, as_json=as_json)


class _Question(NamedTuple):
    """What a run asks, or has asked, that is answered by yes or no; `shown` is what is asked."""

    run: str
    name: str
    is_bool: bool
    shown: str = ""

    @property
    def is_answered(self) -> bool:
        """Has somebody answered it before? Who does so again hears whether it was the same."""
        return not self.shown


def _question(view: RunView, name: str | None, command: str) -> _Question:
    """The one of this name, of this run or a child of it; one with an answer, if none is open."""
    run = short(view.run_id)
    asked = [_asked(view, each) for each in open_questions(view) if is_question(each.wait)]
    found = [each for each in asked if name is None or each.name == name]
    if not found:
        found = [each for each in _answered(view) if name is None or each.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        commands = [hints.command(command, short(each.run), each.name) for each in found]
        raise UsageError(f"run {run} asks several questions", hint="\n".join(commands))
    what = f"run {run} asks no question that is answered by yes or no"
    if name is not None and asked:
        what = f"run {run} asks no question {name!r}"
    hint = [hints.command(command, short(each.run), each.name) for each in asked]
    look = hints.command("inspect", run)
    raise NotFound(what, hint="\n".join(hint) or look, code="no-such-signal", run=view.run_id)


def _asked(view: RunView, asked: OpenWait) -> _Question:
    of = f"run {short(view.run_id)} of {view.state.created.job} asks:"
    shown = f"{of}\n{said_of(asked, local_time)}"
    return _Question(asked.run_id, asked.wait.name, _is_bool(asked.wait), shown)


def _is_bool(wait: StepWaiting) -> bool:
    return wait.takes.get("type") == "boolean"


def _answered(view: RunView) -> Iterator[_Question]:
    """The questions that this run, or a child of it, has the answer of, or is to take that."""
    for each in waits_of_all(view):
        if each.answer is not None and is_question(each.wait):
            yield _Question(each.run_id, each.wait.name, _is_bool(each.wait))
    for child in (None, *children_of(view)):
        of = view if child is None else child.view
        if isinstance(of, RunView):
            for received in of.state.received.standing():
                if answer_in(received.value) is not None:
                    is_bool = received.value in ("true", "false")
                    yield _Question(of.run_id, received.name, is_bool)


def _said(engine: Engine, sent: Signalled, *, as_json: bool) -> int:
    with engine.runs.view(sent.run) as view:
        if as_json:
            document.suggest(*next_commands(view))
            fields = {
                "run": sent.run,
                "name": sent.name,
                "value": json.loads(sent.sent.value),
                "by": sent.sent.by,
                "at": sent.sent.at,
                "early": sent.early,
                "sent_before": sent.sent_before,
            }
            rows.write_json({"signal": fields}, document.on(sys.stdout))
        run, what = short(sent.run), f"signal {sent.name!r}"
        if sent.sent_before:
            say(f"{what} of run {run} was sent before, by {sent.sent.by}")
        elif sent.early:
            say(f"{what} is there when run {run} comes to wait for it")
        else:
            say(f"{what} is sent to run {run}")
    if not engine.has_workers:
        _say_who_goes_on(engine.runs, sent.run)
    return 0


def _say_who_goes_on(runs: Runs, run_id: str) -> None:
    """Where no process is at the run, or at the one that it is a step of: what takes it up."""
    with runs.view(head_of(runs.look, run_id), despite_damage=True) as view:
        if view.held or view.state.has_ended:
            return
        go_on = hints.command("resume", short(view.run_id))
        ticks = verdict_on(view).why is not None
    tick = f", or by the next {hints.command('tick')}" if ticks else ""
    say(f"no process is at it: go on by {go_on}{tick}")
