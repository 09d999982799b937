"""Sending a run a signal: without its job, and whether a process executes the run or none does."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from durably_cli import hints
from durably_cli.engines.local import who
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.errors import Conflict, Forbidden, InvalidInput, NotFound
from durably_cli.journal.state import Status
from durably_cli.journal.wait_events import SIGNAL, StepWaiting
from durably_cli.steps.mail import Sent
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json


class Signalled(NamedTuple):
    """What came of it: what the run has now, and whether this call brought it.

    It is `early` if the run does not wait for it yet.
    """

    run: str
    name: str
    sent: Sent
    early: bool
    sent_before: bool


def send_to_run(
    store: Store, run_id: str, name: str, value: Json, *, even_if_early: bool = False
) -> Signalled:
    """Send a run the signal of this name; the first one counts, and stays.

    Conflict if it was sent with another value, if its deadline is over, or the run has ended;
    InvalidInput if it is of another type; NotFound if a similar name is waited for.
    """
    with store.view(run_id) as view:
        _check_takes(view)
        for received in view.state.signals:
            if received.name == name:
                before = Sent(received.value, received.by, received.sent)
                return _again(view, name, value, before)
        wait = view.state.waits.get(name)
        if wait is None or wait.kind != SIGNAL:
            if not even_if_early:
                _check_is_early(view, name)
        else:
            _check_fits(view, wait, value)
        sent, box = Sent(value, who.user(), clock.now()), SignalsSent(view.path)
        try:
            is_first = box.send(name, sent, store.temporary)
        except FileNotFoundError:
            raise _ended(view) from None
        if not is_first:
            return _again(view, name, value, box.find(name) or sent)
    with store.view(run_id) as view:  # it may have ended meanwhile, without a look
        if view.state.is_final and all(each.name != name for each in view.state.signals):
            raise _ended(view)
    return Signalled(run_id, name, sent, early=wait is None, sent_before=False)


def _check_takes(view: RunView) -> None:
    if view.imported:
        look = hints.command("inspect", short(view.run_id))
        what = f"run {short(view.run_id)} was imported, and takes no signal"
        raise Forbidden(what, hint=look)
    if view.damage:
        raise view.damage
    if view.state.is_final:
        raise _ended(view)


def _ended(view: RunView) -> Conflict:
    run = short(view.run_id)
    what = f"run {run} has {view.status}: it takes no signal any more"
    if not view.state.is_final:
        what = f"run {run} has ended at this moment"
    return Conflict(what, hint=hints.command("inspect", run), code="has-ended", run=view.run_id)


def _check_is_early(view: RunView, name: str) -> None:
    """NotFound if the name is like one that the run waits for: nobody means that to be early.

    Conflict if the run has failed: it comes to no wait unless somebody resumes it.
    """
    import difflib  # only for who has mistyped, or is early

    run, waits = short(view.run_id), view.state.waits
    if view.status is Status.FAILED:
        raise Conflict(
            f"run {run} has failed: it waits for no signal {name!r}",
            hint=f"{hints.command('resume', run)}    (then it may)\n"
            f"{hints.command('signal', run, name, '-i', 'JSON', '--early')}    "
            "(sends it for when the run comes to wait for it)",
            code="has-ended",
            run=view.run_id,
        )
    near = difflib.get_close_matches(name, waits, n=1)
    if near:
        raise NotFound(
            f"run {run} waits for no signal {name!r}, but for {near[0]!r}",
            hint=f"{hints.command('signal', run, near[0], '-i', 'JSON')}\n"
            f"{hints.command('signal', run, name, '-i', 'JSON', '--early')}    "
            "(sends it for when the run comes to wait for it)",
            code="no-such-signal",
            run=view.run_id,
        )


def _check_fits(view: RunView, wait: StepWaiting, value: Json) -> None:
    """Conflict or InvalidInput if it does not count for this wait."""
    if wait.until and clock.now() > wait.until:
        what = f"the deadline of signal {wait.name!r} was at {wait.until}: it is not taken"
        raise Conflict(what, code="has-ended", run=view.run_id)
    from durably_cli.values.json_schema import misfits

    found = misfits(json.loads(value), wait.takes)
    if found:
        said = "\n".join(f"  {each}" for each in found)
        raise InvalidInput(f"signal {wait.name!r} takes another value:\n{said}")


def _again(view: RunView, name: str, value: Json, before: Sent) -> Signalled:
    """It was sent before: the same is fine. Conflict if it was another value."""
    if _said(value) != _said(before.value):
        raise Conflict(
            f"signal {name!r} of run {short(view.run_id)} was sent before, by {before.by}, with "
            f"another value: {before.value:.200}",
            hint=hints.command("inspect", short(view.run_id)),
            code="signal-conflict",
            run=view.run_id,
        )
    return Signalled(view.run_id, name, before, early=False, sent_before=True)


def _said(value: Json) -> Any:
    """What a value says: of an approval that is yes or no, whoever says so and why."""
    found = json.loads(value)
    if isinstance(found, dict) and found.keys() == {"approved", "by", "reason"}:
        return found["approved"]
    return found
