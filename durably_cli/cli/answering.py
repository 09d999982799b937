"""How signal, approve and deny send a run what it waits for, and what is said of that."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.arguments import argument_text
from durably_cli.cli.asking import asks_here, confirm, say
from durably_cli.engines.local import who
from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.signal import Signalled, send_to_run
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.errors import NotFound, UsageError
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.project import stores
from durably_cli.render import rows
from durably_cli.render.next_steps import next_commands
from durably_cli.render.waits import is_question, open_questions
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json, to_json


def signal_run(
    project: Path, run: str, name: str, value: Json, *, early: bool, as_json: bool
) -> int:
    """`durably signal`; the exit code."""
    store = stores.open_store(project)
    run_id = find_run(store, run)
    document.about(run_id)
    sent = send_to_run(store, run_id, argument_text(name), value, even_if_early=early)
    return _said(store, sent, as_json=as_json)


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
    store = stores.open_store(project)
    run_id = find_run(store, run)
    document.about(run_id)
    with store.view(run_id) as view:
        asked_of, wait = _question(view, name, "approve" if approved else "deny")
    if asks_here() and not yes:
        verb = "Approve" if approved else "Deny"
        if not confirm(f"{wait.prompt or wait.name}\n{verb}?", yes=False):
            say("nothing was sent")
            return 0
    why = None if reason is None else argument_text(reason)
    value: object = {"approved": approved, "by": who.user(), "reason": why}
    if wait.takes.get("type") == "boolean":
        value = approved
    sent = send_to_run(store, asked_of, wait.name, Json(to_json(value)))
    return _said(store, sent, as_json=as_json)


def _question(view: RunView, name: str | None, command: str) -> tuple[str, StepWaiting]:
    """The run that asks, this one or a child of it, and the wait that it asks by."""
    run = short(view.run_id)
    asked = [(of, wait) for of, wait in open_questions(view) if is_question(wait)]
    found = [each for each in asked if name is None or each[1].name == name]
    if len(found) == 1:
        return found[0]
    if found:
        commands = [hints.command(command, short(of), wait.name) for of, wait in found]
        raise UsageError(f"run {run} asks several questions", hint="\n".join(commands))
    what = f"run {run} asks no question that is answered by yes or no"
    if name is not None and asked:
        what = f"run {run} asks no question {name!r}"
    hint = [hints.command(command, short(of), wait.name) for of, wait in asked]
    look = hints.command("inspect", run)
    raise NotFound(what, hint="\n".join(hint) or look, code="no-such-signal", run=view.run_id)


def _said(store: Store, sent: Signalled, *, as_json: bool) -> int:
    with store.view(sent.run) as view:
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
        if not view.held and not view.state.has_ended:
            parent = view.state.created.parent
            go_on = hints.command("resume", short(parent or sent.run))
            say(f"no process is at it: go on by {go_on}")
    return 0
