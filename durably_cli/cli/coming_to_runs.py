"""How trigger, resume and fork come to a run to execute."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.cli import document
from durably_cli.cli.execution import execute
from durably_cli.cli.noticing import Notifier
from durably_cli.cli.presenter import Detached, Presenter
from durably_cli.engines.decisions import Decisions
from durably_cli.engines.local.engine import LocalEngine
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.runs import find_run
from durably_cli.engines.local.trigger import trigger
from durably_cli.engines.observer import Runnable
from durably_cli.engines.request import Request
from durably_cli.engines.result import TriggerResult
from durably_cli.errors import NotFound
from durably_cli.journal.events import RunCreated
from durably_cli.project import stores
from durably_cli.project.script_files import is_script
from durably_cli.system.ids import short
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.engines.forking import ForkRequest
    from durably_cli.engines.local.store import Store


def trigger_job(
    project: Path,
    request: Request,
    *,
    quiet: bool,
    as_json: bool,
    timeout: float | None = None,
    suspends: bool = False,
    detached: Detached | None = None,
) -> int:
    """Make a run as the request says, and execute it; the exit code."""
    store = stores.open_store(project, to_write=True, say=None if quiet else _say)
    notifier = Notifier(project, LocalEngine(store).noted)

    def act(presenter: Presenter) -> TriggerResult:
        def load(created: RunCreated | None) -> Runnable:
            if created is None:
                if not is_script(project):
                    os.chdir(project)
            else:
                presenter.enters(created, project)
            return presenter.loads(project, request.job)

        return trigger(store, request, load, presenter)

    return execute(
        store,
        act,
        notifier,
        timeout,
        quiet=quiet,
        as_json=as_json,
        detached=detached,
        suspends=suspends,
    )


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)


def resume_run(
    project: Path,
    run: str,
    decisions: Decisions,
    *,
    quiet: bool,
    as_json: bool,
    kill_leftovers: bool = False,
    timeout: float | None = None,
    suspends: bool = False,
    only_as: int | None = None,
) -> int:
    """Execute a run that is there from where it was left, as was decided; the exit code.

    With `kill_leftovers`, programs of it that still live are ended first; with `only_as`, nothing
    is done unless this is the attempt of that number.
    """
    store = stores.open_store(project)
    notifier = Notifier(project, LocalEngine(store).noted)
    run_id = _found(project, store, run)
    document.about(run_id)

    def act(presenter: Presenter) -> TriggerResult:
        def load(created: RunCreated) -> Runnable:
            presenter.enters(created, project)
            return _job_of(run_id, project, created.job, presenter)

        return resume(
            store,
            run_id,
            load,
            presenter,
            decisions,
            kill_leftovers=kill_leftovers,
            only_as=only_as,
        )

    return execute(store, act, notifier, timeout, quiet=quiet, as_json=as_json, suspends=suspends)


def fork_run(
    project: Path,
    run: str,
    asked: ForkRequest,
    *,
    quiet: bool,
    as_json: bool,
    timeout: float | None = None,
    suspends: bool = False,
) -> int:
    """Make a run of what another one has, and execute it; the exit code."""
    from durably_cli.engines.local.fork import fork  # not for trigger and resume

    store = stores.open_store(project, to_write=True)
    notifier = Notifier(project, LocalEngine(store).noted)
    origin = _found(project, store, run)
    document.about(origin)

    def act(presenter: Presenter) -> TriggerResult:
        found: Runnable | None = None

        def load(created: RunCreated) -> Runnable:
            nonlocal found
            presenter.enters(created, project)
            found = found or _job_of(created.run, project, created.job, presenter)
            return found

        return fork(store, origin, asked, load, presenter)

    return execute(store, act, notifier, timeout, quiet=quiet, as_json=as_json, suspends=suspends)


def _found(project: Path, store: Store, run: str) -> str:
    try:
        return find_run(store, run)
    except NotFound:
        from durably_cli.engines.local.runs import LocalRuns  # only after a mistake
        from durably_cli.project.finding import find_here

        return find_here(project, run, LocalRuns(store))


def _job_of(run_id: str, project: Path, name: str, presenter: Presenter) -> Runnable:
    try:
        return presenter.loads(project, name)
    except NotFound as error:
        raise NotFound(
            f"run {short(run_id)} is of the job {name}, which this project no longer has\n"
            f"{error.what}",
            hint="give a renamed job its old name back, @define_job(name=...), and bring a job "
            "that a script defines into jobs/",
            code="no-such-job",
        ) from None
