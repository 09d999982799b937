"""Which jobs fail, for those who are to know when that changes, once each time.

    notices/<run id>           a run whose next end is still to be looked at
    notices/<sha256>.json      what fails: a job, with a key that its runs have

A run is put down before it executes, durably, and crossed out once its end was looked at. So an end
that nobody has looked at, for the process was killed, is found by whoever sweeps next. What fails
is written once the notice is out: killed in between, it is sent again. Both happen under a lock, so
of any number of processes one sends it.

What is written is never believed over a journal: of a run that fails the journal is looked at again
once it has changed, and what cannot be read is as good as not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from durably_cli.engines.local.failing import FOLDER, Failing, failing_in, failing_of, read_written
from durably_cli.engines.local.stamps import stamp_of
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.journal.events import RunCreated
from durably_cli.journal.state import KILLED, RunState, Status
from durably_cli.system import clock, files, ids
from durably_cli.values.strict_json import to_json

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


Send = Callable[[JournalView, Change], str]
"""Sends a notice; empty if that was done, else what came of it."""


class Notices:
    """Those of a store. What another process is sending is waited for, for so many seconds."""

    def __init__(self, store: Store, send: Send, patience: float) -> None:
        self._store, self._send, self._patience = store, send, patience
        self._folder = store.root / FOLDER

    def put_down(self, run_id: str) -> None:
        """The end of this run is to be looked at, whatever becomes of this process."""
        files.make_folder(self._folder)
        os.close(files.open_or_make(self._folder / run_id))
        files.sync_folder(self._folder)

    def look_at(self, run_id: str, why: str = "") -> None:
        """Send what there is to say of how a run stands; `why` if it cannot go on by itself."""
        run = self._store.look(run_id)
        if isinstance(run, JournalView):
            with run:
                if run.held or not self._is_said(run, why):
                    return
        self._cross_out(run_id)

    def sweep(self, *, retries: bool) -> None:
        """Send what others had to say and did not, for they were killed; or could not, if asked."""
        for name in files.names(self._folder):
            if ids.is_id(name) and not self._store.is_held(name):
                self.look_at(name)
        for failing in failing_in(self._store):
            has_changed = failing.stamp != stamp_of(self._store.path_of(failing.run))
            is_due = retries and failing.is_due()
            if is_due or (has_changed and not self._store.is_held(failing.run)):
                self._look_again(failing)

    def _is_said(self, view: JournalView, why: str) -> bool:
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

    def _is_long_dead(self, view: JournalView) -> bool:
        """Has its process died so long ago that nobody takes it up?"""
        path = self._folder / view.run_id
        seen = read_written(path)
        try:
            since = clock.parse_time(seen["dead"]) if seen["attempt"] == _last(view.state) else None
        except (TypeError, KeyError, ValueError):
            since = None
        if since is None:
            dead = {"dead": clock.now(), "attempt": _last(view.state)}
            self._write(path, to_json(dead))
            return False
        if clock.utc_now() < since + timedelta(minutes=_DEAD_MINUTES) or self._is_in_turn(view):
            return False
        return self._fails(view, "its process has died, and nothing has taken it up since")

    def _fails(self, view: JournalView, why: str) -> bool:
        job, key = view.state.created.job, state_key(view.state.created)
        with self._failing(job, key) as (path, failing, is_mine):
            if not is_mine:
                return False
            since = view.state.ended or _last(view.state)
            is_news = failing is None or failing.recovered or self._says_otherwise(failing)
            if failing is None or is_news:
                failing = Failing(job, key, view.run_id, since, stamp_of(view.path), why)
            elif not failing.said:
                return True
            self._say(path, failing, view, NoticeKind.FAILURE)
        return True

    def _has_completed(self, view: JournalView) -> bool:
        created = view.state.created
        with self._failing(created.job, state_key(created)) as (path, failing, is_mine):
            if not is_mine:
                return False
            ended = view.state.ended or ""
            if failing and (ended > failing.since or view.run_id == failing.run):
                stamp = stamp_of(self._store.path_of(failing.run))
                recovered = failing._replace(recovered=view.run_id, stamp=stamp)
                self._say(path, recovered, view, NoticeKind.RECOVERY)
        return True

    def _say(self, path: Path, failing: Failing, view: JournalView, kind: NoticeKind) -> None:
        said = self._send(view, Change(kind, failing.since, failing.run, failing.why))
        if kind is NoticeKind.RECOVERY and not said:
            path.unlink(missing_ok=True)
            return
        tries = failing.tries + 1 if said else 0
        tried = failing._replace(said=said, tries=tries, tried=clock.now())
        self._write(path, to_json(tried._asdict()))

    def _is_in_turn(self, view: JournalView) -> bool:
        """Does it wait for its concurrency key, which another run has?"""
        key = view.state.created.concurrency_key
        if key is None:
            return False
        from durably_cli.engines.local.turns import has_key  # few runs have one

        return has_key(self._store.root, key) is not None

    def _look_again(self, failing: Failing) -> None:
        """At a run that failed, for its notice is not out yet, or its journal has changed."""
        run = self._store.look(failing.recovered or failing.run)
        if isinstance(run, JournalView):
            with run:
                if run.state.status is Status.COMPLETED:
                    self._has_completed(run)
                    return
                if failing.is_due() and has_failed(run):
                    self._fails(run, failing.why)
                    return
        with self._failing(failing.job, failing.key) as (path, now, is_mine):
            if is_mine and now == failing and run is None:  # somebody has removed it, and knows
                path.unlink(missing_ok=True)
            elif is_mine and now == failing:
                stamp = stamp_of(self._store.path_of(failing.run))
                self._write(path, to_json(failing._replace(stamp=stamp)._asdict()))

    def _says_otherwise(self, failing: Failing) -> bool:
        """Has the run that failed completed since, unseen?"""
        run = self._store.look(failing.run)
        if not isinstance(run, JournalView):
            return False
        with run:
            return run.state.status is Status.COMPLETED

    @contextmanager
    def _failing(self, job: str, key: str) -> Iterator[tuple[Path, Failing | None, bool]]:
        """What is written of a job, with the file, for this process only; False if another one has
        it for too long.
        """
        name = sha256(to_json([job, key]).encode()).hexdigest()
        path = self._folder / f"{name}.json"
        lock = self._store.lock(f"notice-{name}", seconds=self._patience)
        try:
            yield path, failing_of(read_written(path)) if lock else None, lock is not None
        finally:
            if lock is not None:
                lock.close()

    def _write(self, path: Path, text: str) -> None:
        files.make_folder(path.parent)
        os.rename(files.written(self._store.temporary, path.name, text.encode("ascii")), path)
        files.sync_folder(path.parent)

    def _cross_out(self, run_id: str) -> None:
        (self._folder / run_id).unlink(missing_ok=True)
        if self._store.is_held(run_id):  # it was taken up at this moment, and put down before
            self.put_down(run_id)


def state_key(created: RunCreated) -> str:
    """What sets runs of one job apart: the label for that, else the concurrency key."""
    return created.labels.get(LABEL) or created.concurrency_key or ""


def has_failed(view: JournalView) -> bool:
    """Has the run failed, or stopped where it does not go on by itself?"""
    return view.state.status is Status.FAILED or bool(_why_stopped(view))


def _why_stopped(view: JournalView) -> str:
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
