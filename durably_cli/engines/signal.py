"""Sending a run a signal: without its job, and whether a process executes the run or none does."""

from __future__ import annotations

import json
from typing import NamedTuple, Protocol

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.addressees import addressee, asked_for, wait_for
from durably_cli.engines.results_of import Has, has_result
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Conflict, Forbidden, InvalidInput, NotFound
from durably_cli.journal.state import Status, ended_as
from durably_cli.journal.wait_events import POLL, RUN, SLEEP, StepWaiting
from durably_cli.steps.mail import Closed, Sent, Unusable
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.strict_json import Json

_TAKES_NONE = {SLEEP: "sleeps", POLL: "looks again and again", RUN: "waits for another run"}


class Sender(Protocol):
    """The runs of an engine, of which one is sent a signal."""

    def view(self, run_id: str) -> RunView:
        """The run as it is now. NotFound if there is none; JournalError if it cannot be read."""

    def leave(self, run_id: str, name: str, number: int, sent: Sent) -> bool:
        """Leave a signal there for good; False if there is one of this name and number.

        InvalidInput if it is too long; FileNotFoundError if the run ends at this moment.
        """


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
    sender: Sender, run_id: str, name: str, value: Json, *, even_if_early: bool = False
) -> Signalled:
    """Send a run the signal of this name; the first one counts, and stays.

    A run below it may be the one that waits for it: see `addressee`. Conflict if it was sent with
    another value, if its deadline was before, or the run has ended; InvalidInput if it is of
    another type, or too long; NotFound if a similar name is waited for.
    """
    if not even_if_early:
        with sender.view(run_id) as view:
            _check_is_sound(view)
            run_id = addressee(view, name)
    with sender.view(run_id) as view:
        _check_is_sound(view)
        received = view.state.received.get(name)
        if received is not None:
            return _again(view, name, value, Sent(received.value, received.by, received.sent))
        if view.state.is_final:
            raise _ended(view)
        wait = wait_for(view, name)
        if wait is not None:
            _check_fits(view, wait, value)
        elif not even_if_early:
            _check_may_be_early(view, name)
        sent = Sent(value, who.user(), clock.now())
        before = _send(sender, view, name, sent)
        if before is not None:
            return _again(view, name, value, before)
    with sender.view(run_id) as view:  # it may have gone on meanwhile, or ended without a look
        is_received = view.state.received.get(name) is not None
        if view.state.is_final and not is_received:
            raise _ended(view)
        early = not is_received and wait_for(view, name) is None
    return Signalled(run_id, name, sent, early=early, sent_before=False)


def answer_in(value: Json) -> bool | None:
    """The yes or no that a value says, whoever says so and why; None if it says neither."""
    found = json.loads(value)
    if isinstance(found, dict) and found.keys() <= {"approved", "by", "reason"}:
        found = found.get("approved")
    return found if isinstance(found, bool) else None


def _send(sender: Sender, view: RunView, name: str, sent: Sent) -> Sent | None:
    """Leave it there; the one that was there before, if there was one."""
    number = view.state.received.number(name)
    try:
        while not sender.leave(view.run_id, name, number, sent):
            before = view.mail.find(name, number)  # none, if the run has refused it meanwhile
            if isinstance(before, Closed):
                raise _too_late(view, name, before.at)
            if isinstance(before, Unusable):
                what = f"signal {name!r} of run {short(view.run_id)} was sent before"
                raise Conflict(
                    f"{what}, and the run will refuse that: {before.why}",
                    hint=hints.command("resume", short(view.run_id)),
                    code="signal-conflict",
                    run=view.run_id,
                )
            if before is not None:
                return before
    except FileNotFoundError:
        raise _ended(view) from None
    return None


def _check_is_sound(view: RunView) -> None:
    if view.imported:
        look = hints.command("inspect", short(view.run_id))
        what = f"run {short(view.run_id)} was imported, and takes no signal"
        raise Forbidden(what, hint=look)
    if view.damage:
        raise view.damage


def _ended(view: RunView) -> Conflict:
    run = short(view.run_id)
    what = f"run {run} {ended_as(view.status)}: it takes no signal any more"
    if not view.state.is_final:
        what = f"run {run} has ended at this moment"
    return Conflict(what, hint=hints.command("inspect", run), code="has-ended", run=view.run_id)


def _too_late(view: RunView, name: str, at: str = "") -> Conflict:
    run, when = short(view.run_id), f" at {at}" if at else ""
    return Conflict(
        f"run {run} has waited for signal {name!r} until its deadline{when}: it is not taken",
        hint=hints.command("inspect", run),
        code="has-ended",
        run=view.run_id,
    )


def _check_may_be_early(view: RunView, name: str) -> None:
    """NotFound if nobody means that to be early: the name is like one that the run waits for, or is
    that of a step which takes no signal.

    Conflict if its deadline was before, if the step has a result, as by --done or of the run that
    this is a fork of, or if the run has failed: then it comes to no wait unless it is resumed.
    """
    import difflib  # only for who has mistyped, or is early

    run, waits = short(view.run_id), view.state.waits
    sent_early = hints.command("signal", run, name, "-i", "JSON", "--early")
    sent_early += "    (sends it for when the run comes to wait for it)"
    if view.status is Status.FAILED:
        raise Conflict(
            f"run {run} has failed: it waits for no signal {name!r}",
            hint=f"{hints.command('resume', run)}    (then it may)\n{sent_early}",
            code="has-ended",
            run=view.run_id,
        )
    if (has := has_result(view, name)) is not None and not (
        has is Has.RESULT and view.state.received.is_over(name)
    ):
        raise Conflict(
            f"step {name!r} of run {run} {has}: it takes no signal any more",
            hint=f"{hints.command('inspect', run)}\n{sent_early}",
            code="has-ended",
            run=view.run_id,
        )
    if view.state.received.is_over(name):
        raise _too_late(view, name)
    if name in waits:
        raise NotFound(
            f"step {name!r} of run {run} {_TAKES_NONE[waits[name].kind]}: it takes no signal",
            hint=hints.command("inspect", run),
            code="no-such-signal",
            run=view.run_id,
        )
    asked = asked_for(view)
    near = difflib.get_close_matches(name, asked, n=1)
    if near:
        raise NotFound(
            f"run {run} waits for no signal {name!r}, but for {near[0]!r}",
            hint=f"{_with_a_value(view, asked[near[0]])}\n{sent_early}",
            code="no-such-signal",
            run=view.run_id,
        )


def _check_fits(view: RunView, wait: StepWaiting, value: Json) -> None:
    """Conflict or InvalidInput if it does not count for this wait."""
    if wait.until and clock.now() >= wait.until:
        raise _too_late(view, wait.name, wait.until)
    from durably_cli.values.example import type_said
    from durably_cli.values.json_schema import misfits

    found = misfits(json.loads(value), wait.takes)
    if found:
        said = "\n".join(f"  {each}" for each in found)
        raise InvalidInput(
            f"signal {wait.name!r} takes another value:\n{said}\nit takes {type_said(wait.takes)}",
            hint=_with_a_value(view, wait),
        )


def _with_a_value(view: RunView, wait: StepWaiting) -> str:
    from durably_cli.values.example import words_of

    words = hints.command("signal", short(view.run_id), wait.name, *words_of(wait.takes))
    return f"{words}    (with a value of yours)"


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


def _said(value: Json) -> str:
    """One text for what a value says, in which 1 is neither true nor 1.0."""
    answer = answer_in(value)
    return json.dumps(json.loads(value) if answer is None else answer, sort_keys=True)
