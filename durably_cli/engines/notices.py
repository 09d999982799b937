"""Which jobs fail, for those who are to know when that changes, once each time.

A run is put down before it executes, durably, and crossed out once its end was looked at. So an end
that nobody has looked at, for the process was killed, is found by whoever sweeps next. What fails
is noted once the notice is out: killed in between, it is sent again. Both happen under a lock, so
of any number of processes one sends it. Where that stands is the engine's matter: `Noted`.

What is noted is never believed over a run: one that fails is looked at again once it has changed,
and what cannot be read is as good as not there.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from durably_cli.engines.noted import Failing, Noted, OneFailing
from durably_cli.engines.run_view import RunView
from durably_cli.journal.events import RunCreated
from durably_cli.journal.state import KILLED, RunState, Status
from durably_cli.system import clock

LABEL = "notice"
"""The label that sets runs of a job apart, in place of their concurrency key."""

_DEAD_MINUTES = 15
"""For how long nobody has taken up a run that has died: then it has failed."""


class NoticeKind(StrEnum):
    """What a notice says of a job."""

    FAILURE = "failure"
    RECOVERY = "recovery"


class Change(NamedTuple):
    """A job fails, or does so no more: since when it had, by which run, and `why` if it has not
    failed by itself.
    """

    kind: NoticeKind
    since: str
    failed_run: str
    why: str = ""


Send = Callable[[RunView, Change], str]
"""Sends a notice; empty if that was done, else what came of it."""


class Notices:
    """Those of a project. What another process is sending is waited for, for so many seconds."""

    def __init__(self, noted: Noted, send: Send, patience: float) -> None:
        self._noted, self._send, self._patience = noted, send, patience

    def put_down(self, run_id: str, attempt: int) -> None:
        """The end of this attempt is to be looked at, whatever becomes of this process."""
        self._noted.put_down(run_id, attempt)

    def look_at(self, run_id: str, why: str = "") -> None:
        """Send what there is to say of how a run stands; `why` if it cannot go on by itself."""
        run, attempts = self._noted.look(run_id), 0
        if isinstance(run, RunView):
            with run:
                if self._noted.is_executed(run) or not self._is_said(run, why):
                    return
                attempts = len(run.state.attempts)
        self._noted.cross_out(run_id, attempts)

    def sweep(self, *, retries: bool) -> None:
        """Send what others had to say and did not, for they were killed; or could not, if asked."""
        for run_id in self._noted.left():
            self.look_at(run_id)
        for failing, is_to_be_seen in self._noted.failing():
            if is_to_be_seen or (retries and failing.is_due()):
                self._look_again(failing)

    def _is_said(self, view: RunView, why: str) -> bool:
        """Is there no more to say of this run, until it is executed again?"""
        if view.state.created.parent or view.imported:
            return True
        state = view.state
        if state.status is Status.COMPLETED:
            return self._has_completed(view)
        why = why or ("its journal is damaged" if view.damage else _why_stopped(view))
        if why or has_failed(view):
            return self._fails(view, why)
        if state.has_ended or (state.attempts and state.attempts[-1].outcome not in KILLED):
            return True
        return self._is_long_dead(view)

    def _is_long_dead(self, view: RunView) -> bool:
        """Has its process died so long ago that nobody takes it up?"""
        seen = self._noted.dead(view.run_id)
        try:
            since = clock.parse_time(seen["dead"]) if seen["attempt"] == _last(view.state) else None
        except (TypeError, KeyError, ValueError):
            since = None
        if since is None:
            dead = {"dead": clock.now(), "attempt": _last(view.state)}
            self._noted.note_dead(view.run_id, dead)
            return False
        is_early = clock.utc_now() < since + timedelta(minutes=_DEAD_MINUTES)
        if is_early or view.has_key() is not None:  # another run has its turn
            return False
        return self._fails(view, "its process has died, and nothing has taken it up since")

    def _fails(self, view: RunView, why: str) -> bool:
        job, key = view.state.created.job, state_key(view.state.created)
        with self._noted.one(job, key, self._patience) as one:
            if one is None:
                return False
            since = view.state.ended or _last(view.state)
            failing = one.found
            is_news = failing is None or failing.recovered or self._says_otherwise(failing)
            if failing is None or is_news:
                failing = Failing(job, key, view.run_id, since, self._noted.stamp(view.run_id), why)
            elif not failing.said:
                return True
            self._say(one, failing, view, NoticeKind.FAILURE)
        return True

    def _has_completed(self, view: RunView) -> bool:
        created = view.state.created
        with self._noted.one(created.job, state_key(created), self._patience) as one:
            if one is None:
                return False
            ended, failing = view.state.ended or "", one.found
            if failing and (ended > failing.since or view.run_id == failing.run):
                stamp = self._noted.stamp(failing.run)
                recovered = failing._replace(recovered=view.run_id, stamp=stamp)
                self._say(one, recovered, view, NoticeKind.RECOVERY)
        return True

    def _say(self, one: OneFailing, failing: Failing, view: RunView, kind: NoticeKind) -> None:
        said = self._send(view, Change(kind, failing.since, failing.run, failing.why))
        if kind is NoticeKind.RECOVERY and not said:
            one.remove()
            return
        tries = failing.tries + 1 if said else 0
        one.write(failing._replace(said=said, tries=tries, tried=clock.now()))

    def _look_again(self, failing: Failing) -> None:
        """At a run that failed, for its notice is not out yet, or it has changed."""
        run = self._noted.look(failing.recovered or failing.run)
        if isinstance(run, RunView):
            with run:
                if run.state.status is Status.COMPLETED:
                    self._has_completed(run)
                    return
                if failing.is_due() and has_failed(run):
                    self._fails(run, failing.why)
                    return
        with self._noted.one(failing.job, failing.key, self._patience) as one:
            if one is None or one.found != failing:
                return
            if run is None:  # somebody has removed it, and knows
                one.remove()
            else:
                one.write(failing._replace(stamp=self._noted.stamp(failing.run)))

    def _says_otherwise(self, failing: Failing) -> bool:
        """Has the run that failed completed since, unseen?"""
        run = self._noted.look(failing.run)
        if not isinstance(run, RunView):
            return False
        with run:
            return run.state.status is Status.COMPLETED


def state_key(created: RunCreated) -> str:
    """What sets runs of one job apart: the label for that, else the concurrency key."""
    return created.labels.get(LABEL) or created.concurrency_key or ""


def has_failed(view: RunView) -> bool:
    """Has the run failed, or stopped where it does not go on by itself?"""
    return view.state.status is Status.FAILED or bool(_why_stopped(view))


def _why_stopped(view: RunView) -> str:
    """Of a run that has not ended: why it does not go on by itself, if it is so."""
    state = view.state
    if state.has_ended:
        return ""
    if state.is_out_of_time:
        return "its time limit was over"
    if view.is_given_up:
        return f"it was killed {view.killed_in_vain} times without getting further"
    if state.undecided:
        return "nobody knows whether a step has happened"
    return ""


def _last(state: RunState) -> str:
    """The last sign of life of a run."""
    return state.attempts[-1].last if state.attempts else state.created.at
