"""Seeing a run execute, for a command: what its talk says of it, and which job it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from durably_cli.cli import document
from durably_cli.cli.printed import Printed, PrintingJob
from durably_cli.engines.local.attempt import Runnable
from durably_cli.engines.local.live_run import BoundHandler, LiveRun
from durably_cli.engines.local.view import RunView
from durably_cli.engines.local.working_folder import enter_for
from durably_cli.journal.events import RunCreated
from durably_cli.journal.masking import NO_SECRETS
from durably_cli.journal.registry import Event
from durably_cli.project import known_jobs
from durably_cli.project.discovery import find_job
from durably_cli.project.listening_job import ListeningJob
from durably_cli.project.script_files import home_of
from durably_cli.render.lines import Talk, not_read
from durably_cli.system import garbage, signals
from durably_cli.values.strict_json import Json


class Detached(NamedTuple):
    """What is asked of a process that was detached: to say which run there is.

    It prints the id of a run in place of its output, if nobody was to wait for that.
    """

    report: Callable[[str], None]
    prints_id: bool


class Presenter:
    """Passes on to Talk what an observer sees, and remembers the run that is executed."""

    def __init__(
        self,
        talk: Talk,
        detached: Detached | None,
        printed: Printed | None,
        timeout: float | None,
        begins: Callable[[LiveRun], object],
        *,
        suspends: bool = False,
    ) -> None:
        self.run: LiveRun | None = None
        self.recorded: Callable[[Event], None] = talk.recorded
        self.replayed, self.child_waits = talk.replayed, talk.child_waits
        if printed is not None:
            self.recorded = printed.noting(talk.recorded)
        self.waits_for_key = talk.waits_for_key
        self.waits_for_programs = talk.waits_for_programs
        self.passes_over = talk.passes_over
        self._talk, self._detached, self._printed = talk, detached, printed
        self._timeout, self._suspends, self._begins = timeout, suspends, begins

    def owns(self, run: LiveRun) -> None:
        """This process owns the run from now on."""
        self.run = run
        run.stop.suspends = self._suspends
        document.about(run.run_id)
        self._talk.owns(run)
        self._report(run.run_id)
        self._begins(run)

    def waits_for_run(self, view: RunView) -> None:
        """Another process executes the run."""
        self._talk.waits_for_run(view)
        self._report(view.run_id)

    def _report(self, run_id: str) -> None:
        if self._detached is not None:
            self._detached.report(run_id)
            if self._detached.prints_id:
                self._talk.hush()

    def report(self, view: RunView, resume: str, failed_before: str = "") -> str:
        """The report of a run that did not complete, for who reads nothing else of it."""
        from durably_cli.render.report import report  # only after a failure

        return report(
            view,
            self._printed.spool.file if self._printed else None,
            resume,
            (self.run.secrets if self.run else NO_SECRETS).mask,
            self._talk.time,
            failed_before=failed_before,
            not_read=not_read(self.run.state.created.job, self.run.unread) if self.run else [],
        )

    def enters(self, created: RunCreated, project: Path) -> None:
        """Go to the folder of a run; if it is another one than it was, that is said."""
        enter_for(created, project, home_of(project), self._talk.say)

    def loads(self, project: Path, name: str) -> Runnable:
        """The job, imported; what is to be said of that is said."""
        found = find_job(project, name, self._talk.say)
        job: Runnable = ListeningJob(found, project, all_threads=True)
        if self._timeout is not None:
            job = _LimitedJob(job, self._timeout)
        garbage.collect_as_usual()
        signals.shield_forks()  # now that the job's modules have registered what they do there
        known_jobs.remember_jobs(project, [found])
        return job if self._printed is None else PrintingJob(job, self._printed)


class _LimitedJob:
    """Executes the job it is made of, in so many seconds an attempt, whatever the job says."""

    def __init__(self, job: Runnable, timeout: float) -> None:
        self._timeout, self._job, self.settle = timeout, job, job.settle

    def work(self, input: Json) -> BoundHandler:
        """The handler with this input bound."""
        return self._job.work(input)._replace(timeout=self._timeout)
