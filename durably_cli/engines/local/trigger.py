"""How a trigger comes to its run, whatever other processes do meanwhile.

The order of locks, which keeps any number of processes from waiting in a circle:

- The idempotency key is looked up first. If its run exists: wait for the run's lock, holding
  nothing else; then take slot and key as its run.created records them.
- Otherwise: slot, key, claim, create. A run that finds the key taken is created while it has the
  slot, and waits as a pending run. If the run proves to exist after all, slot and key are let go
  before it is waited for.
- Resume (module `resume`): run, slot, key.

No job is imported before the run is this process's to execute, or known not to exist, unless the
key was claimed with another text: only the job's model can say whether the inputs are equal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from durably_cli import hints
from durably_cli.engines.execute import execute_in_turn
from durably_cli.engines.keys import of_deleted_run
from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.held_journal import HeldJournal
from durably_cli.engines.local.resume import resume_held
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.turns import Turn, key_taken, slot_taken, turn_of
from durably_cli.engines.local.view import whole_input
from durably_cli.engines.observer import Observer, Runnable
from durably_cli.engines.on_failure import call_on_failure
from durably_cli.engines.payload import ReadyInput
from durably_cli.engines.request import (
    Disposition,
    OnConflict,
    Request,
    canonical_sha256,
    errors_about,
)
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import Busy, Conflict, InvalidInput, JournalError, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.blobs import INPUT
from durably_cli.journal.events import RunCreated
from durably_cli.journal.state import RunState, Status
from durably_cli.journal.writer import Journal
from durably_cli.system import ids
from durably_cli.values.other_input import differing_fields

Load = Callable[[RunCreated | None], Runnable]
"""Gives the job, for a run that is there or that durably 0.1 was to make, or None for a new one."""


def trigger(store: Store, request: Request, load: Load, observer: Observer) -> TriggerResult:
    """Bring about the run that is asked for, and execute it if no one else does or did.

    Conflict if the idempotency key has another input; Busy if the concurrency key is taken and the
    request does not wait; InvalidInput from the job's model, before there is a run.
    """
    return _Trigger(store, request.checked(), load, observer).end()


class _Trigger:
    def __init__(self, store: Store, request: Request, load: Load, observer: Observer) -> None:
        self._store, self._request, self._load, self._observer = store, request, load, observer
        self._claims = Claims(store.root)
        self._input_sha256 = canonical_sha256(request.input)
        self._canonical_sha256: str | None = None
        self._run: LiveRun | None = None

    def end(self) -> TriggerResult:
        run_id = self._claimed_run()
        if run_id is not None and self._exists(run_id):
            with errors_about(run_id):
                return self._join(run_id)
        if run_id is not None:
            with errors_about(run_id):
                self._check_never_was(run_id)
        job = self._load(None if run_id is None else self._of_before(run_id))
        settled = self._settled(job)
        self._request.refuse_secrets(settled.secrets)
        with turn_of(self._store.root, self._request.concurrency_key) as turn:
            result = self._begin(run_id or ids.new(), job, settled, turn)
        call_on_failure(self._run)
        return result

    def _settled(self, job: Runnable) -> ReadyInput:
        """The input as the job's model reads it; with a key its canonical form is known then."""
        has_key = self._request.idempotency_key is not None
        settled = job.settle(self._request.input, is_compared=has_key)
        if has_key:
            self._canonical_sha256 = canonical_sha256(self._request.canonical or settled.canonical)
        return settled

    def _begin(self, run_id: str, job: Runnable, settled: ReadyInput, turn: Turn) -> TriggerResult:
        """Slot, key, claim, create, and wait for the key if another run has it."""
        waiting = turn.take_slot()
        if waiting is not None:
            return self._coalesced(waiting, slot_taken(turn, waiting))
        ahead = turn.take_key(run_id)
        if ahead is not None and self._request.on_conflict is not OnConflict.WAIT:
            return self._coalesced(ahead, key_taken(turn, ahead))
        created = self._request.made_as(self._claim(run_id), settled.input)
        run = self._store.create(created)
        if run is None:
            turn.release()
            with errors_about(created.run):
                return self._join(created.run)
        with run:
            self._check_still_claimed(run, created)
            held = HeldJournal(run)
            owned = LiveRun(held, RunState(created), secrets=settled.secrets, unread=settled.unread)
            self._observer.owns(owned)
            turn.rename_run(created.run)

            def wait() -> None:
                if ahead is not None:
                    self._observer.waits_for_key(ahead, turn.name)
                    turn.wait_for_key(created.run)
                turn.begin(created.run, self._store.path_of, self._observer.waits_for_programs)

            execute_in_turn(owned, job.work(settled.input), self._observer, wait)
            self._run = owned
        return TriggerResult(created.run, Disposition.CREATED, executed=True, look=held.last_look)

    def _join(self, run_id: str) -> TriggerResult:
        """End as the run of the idempotency key ends, executing it if nobody else does."""
        done = TriggerResult(run_id, Disposition.IDEMPOTENT, executed=False)
        with self._store.view(run_id) as view:
            again = self._request.retry_failed and view.status is Status.FAILED and not view.held
            if not view.held and view.state.has_ended and not again:
                view.sync()
                return done
            if view.status is Status.WAITING:
                from durably_cli.engines.due import is_due  # few runs wait

                if not is_due(view):
                    return done
            if view.held:
                if not self._request.wait:
                    return done
                self._observer.waits_for_run(view)
        try:
            is_waiting = self._request.wait
            lock = ownership.hold(view.path, forever=is_waiting, seconds=0)
        except Busy:
            if is_waiting:
                raise
            return done  # another process has come meanwhile
        except FileNotFoundError:  # deleted meanwhile
            self._claimed_run()
            raise NotFound(f"run {ids.short(run_id)} was deleted meanwhile") from None
        return resume_held(
            self._store,
            run_id,
            lock,
            self._load,
            self._observer,
            Disposition.IDEMPOTENT,
            again=again,
        )

    def _claimed_run(self) -> str | None:
        """The run of the idempotency key, if it is claimed."""
        key = self._request.idempotency_key
        claim = None if key is None else self._claims.find(self._request.job, key)
        if claim is None:
            return None
        if claim.deleted:
            raise of_deleted_run(self._request.job, key, claim.deleted)
        is_same = claim.input_sha256 == self._input_sha256 or self._is_of_before(claim)
        if not is_same:
            self._check_is_equal(claim)
        return claim.run

    def _is_of_before(self, claim: Claim) -> bool:
        """Did durably 0.1 make the run of this claim for the same command line?"""
        before = self._request.input_of_before
        if before is None or claim.input_sha256 != canonical_sha256(before):
            return False
        if not self._exists(claim.run):  # its process was killed before it made the run
            return True
        created = self._store.created(claim.run)
        return created is not None and not created.folder

    def _check_is_equal(self, claim: Claim) -> None:
        """Conflict unless the job's model reads the input of the claim as it reads this one.

        InvalidInput if it rejects this one, and what the import of the job raises.
        """
        job = self._load(None)
        settled = self._settled(job)
        is_equal = claim.canonical_sha256 == self._canonical_sha256
        created = None if is_equal else self._store.created(claim.run)
        differs = ""
        if created is not None:  # made by one of before, or the model has another field now
            there = whole_input(self._store.path_of(claim.run), created)
            with suppress(InvalidInput):
                before = job.settle(there, is_compared=True)
                is_equal = canonical_sha256(before.canonical) == self._canonical_sha256
                form = self._request.canonical or settled.canonical
                differs = differing_fields(before.input, settled.input, before.canonical, form)
        if not is_equal:
            raise _used(self._request, claim, settled.secrets.mask(differs))
        self._observer.passes_over(self._request.job, settled.unread)

    def _of_before(self, run_id: str) -> RunCreated | None:
        """The run that durably 0.1 had claimed the key for, and is made as it would have been.

        So the claim fits it, and so do later calls. None if the claim is not one of those.
        """
        claim = self._claims.find(self._request.job, self._request.idempotency_key or "")
        before = self._request.input_of_before
        if before is None or claim is None or claim.input_sha256 != canonical_sha256(before):
            return None
        self._request = self._request._replace(input=before, folder="", input_of_before=None)
        self._input_sha256 = claim.input_sha256
        return self._request.made_as(run_id, before)

    def _check_never_was(self, run_id: str) -> None:
        """JournalError if a claimed run without a journal has left traces: its work was done."""
        for trace in self._store.companions(run_id):
            if INPUT in trace.name:  # it is there before the journal, and no work of the run
                continue
            raise JournalError(
                f"the journal of run {ids.short(run_id)} is gone, and {trace} is there; its work "
                "may have been done",
                hint=f"put {self._store.path_of(run_id).name} back\n"
                f"{hints.command('help', 'care')}    (says how to have the work done again)",
            )

    def _claim(self, run_id: str) -> str:
        """The run of the idempotency key: this one, unless another trigger came first."""
        key = self._request.idempotency_key
        if key is None:
            return run_id
        if not self._claims.make(self._request.job, key, self._new_claim(run_id)):
            run_id = self._claimed_run() or run_id
        self._claims.sync()
        return run_id

    def _new_claim(self, run_id: str) -> Claim:
        return Claim(run_id, self._input_sha256, canonical_sha256=self._canonical_sha256)

    def _check_still_claimed(self, run: Journal, created: RunCreated) -> None:
        """Withdraw a run that was made after another process had executed and deleted it."""
        if self._claims.stands_for(created):
            return
        run.withdraw()
        self._claimed_run()
        raise NotFound(
            f"run {ids.short(created.run)} was deleted meanwhile, and its idempotency key is free",
            hint="trigger it again",
        )

    def _coalesced(self, run_id: str, taken: Busy) -> TriggerResult:
        if self._request.on_conflict is OnConflict.SKIP:
            return TriggerResult(run_id, Disposition.COALESCED, executed=False)
        raise taken

    def _exists(self, run_id: str) -> bool:
        return os.path.lexists(self._store.path_of(run_id))


def _used(request: Request, claim: Claim, differs: str) -> Conflict:
    return Conflict(
        f"the idempotency key {request.idempotency_key!r} of {request.job} was used with another "
        f"input, for run {ids.short(claim.run)}{differs and f': {differs}'}",
        hint=f"{hints.command('inspect', claim.run)}    (or use another key)\n"
        f"{hints.command('help', 'care')}    (says how to free this one)",
        run=claim.run,
    )
