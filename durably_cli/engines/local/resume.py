"""How a process comes to a run that is there already, and takes it up where it was left.

Of all locks the run's is taken first, then the slot and the key as its run.created records them. No
job is imported before the run is this process's to execute.
"""

from __future__ import annotations

from durably_cli import hints
from durably_cli.engines.again import due_at_once
from durably_cli.engines.decisions import NO_DECISIONS, Decisions
from durably_cli.engines.holder import holder
from durably_cli.engines.live_run import LiveRun
from durably_cli.engines.local.attempt import attempted
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.engines.observer import Load, Observer
from durably_cli.engines.on_failure import call_on_failure
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import Busy
from durably_cli.system import ids
from durably_cli.system.locks import Lock


def resume(
    store: Store,
    run_id: str,
    load: Load,
    observer: Observer,
    decisions: Decisions = NO_DECISIONS,
    *,
    kill_leftovers: bool = False,
    only_as: int | None = None,
) -> TriggerResult:
    """Execute a run from where it was left; one that has ended for good is left as it is.

    `decisions` are journalled first. Programs of it that still live are ended if `kill_leftovers`,
    else Busy names them.
    Busy if another process holds it, or if its concurrency key is taken and waited for, or if the
    attempt with the number `only_as` has been made; NotFound or UsageError if something cannot be
    decided so.
    """
    try:
        lock = store.hold(run_id)
    except (Busy, OSError) as error:
        with store.view(run_id) as view:
            if (
                view.state.is_final and only_as is None
            ):  # a read-only disk keeps no one from its output
                view.sync()
                return TriggerResult(run_id, Disposition.CREATED, executed=False)
            if isinstance(error, Busy):
                raise held_by(view, error) from None
        raise
    return resume_held(
        store,
        run_id,
        lock,
        load,
        observer,
        Disposition.CREATED,
        again=True,
        decisions=decisions,
        kill_leftovers=kill_leftovers,
        only_as=only_as,
    )


def held_by(view: JournalView, busy: Busy) -> Busy:
    """The error with the process in it that holds the run."""
    look = hints.command("wait", ids.short(view.run_id))
    if left := view.heirs():
        look = f"kill {' '.join(map(str, left))}    (ends what the run has left behind)\n{look}"
    return Busy(f"{busy.what}{holder(view)}", hint=busy.hint or look)


def resume_held(
    store: Store,
    run_id: str,
    lock: Lock,
    load: Load,
    observer: Observer,
    disposition: Disposition,
    *,
    again: bool,
    decisions: Decisions = NO_DECISIONS,
    kill_leftovers: bool = False,
    only_as: int | None = None,
) -> TriggerResult:
    """Execute the run whose journal is locked, unless it has ended.

    A failed run has ended, unless it is to be executed `again`. If that fails by nothing but
    failures that were replayed, it has tried nothing new, and one more attempt executes those; no
    step is executed twice so.
    """
    path = store.path_of(run_id)
    run = attempted(
        store,
        path,
        lock,
        load,
        observer,
        again=again,
        decisions=decisions,
        kill_leftovers=kill_leftovers,
        only_as=only_as,
    )
    if run is None:
        return TriggerResult(run_id, disposition, executed=False)
    return followed_up(store, run, load, observer, disposition)


def followed_up(
    store: Store, run: LiveRun, load: Load, observer: Observer, disposition: Disposition
) -> TriggerResult:
    """What came of an attempt, and of the one that follows at once if it has tried nothing new."""
    run_id = run.run_id
    path = store.path_of(run_id)
    tried = set[str]()
    while (due := due_at_once(run, lambda: store.view(run_id))) and tried.isdisjoint(due):
        tried |= due
        try:
            lock = store.hold(run_id)
            run.held.let_go()
            run = attempted(store, path, lock, load, observer, again=True) or run
        except Busy:  # another process has come meanwhile: it has failed all the same
            break
    call_on_failure(run)
    return TriggerResult(run_id, disposition, executed=True, look=run.held.last_look)
