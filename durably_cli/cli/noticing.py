"""What is said outside of a run: notices that a job fails or has recovered, and pings.

The project's settings say which. A notice is sent once for each change of a job (module `notices`),
a ping each time. Neither changes how a run ends.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.errors import DurablyError
from durably_cli.journal.state import Status
from durably_cli.project.script_files import home_of
from durably_cli.project.settings import Settings, of_variable, settings_of

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun
    from durably_cli.engines.noted import Noted
    from durably_cli.engines.notices import Change, Notices

IN_NOTICE = "DURABLY_NOTICE"
"""In the environment of whatever a notice's command launches."""

NOTICE_SECONDS = 30.0
"""How long its command may take. With all that it has started it is ended then."""

_SLACK_SECONDS = 15.0


class Notifier:
    """Says what there is to say of the runs of a project that this process executes, or finds.

    ConfigError if the project's settings are none.
    """

    def __init__(self, project: Path, noted: Callable[[], Noted]) -> None:
        self._project, self._of_engine = project, noted
        self._settings: Settings = settings_of(project)
        if IN_NOTICE in os.environ:  # its command has a job do it: how that ended it says itself
            self.say_nothing()
        self._problems = deque[tuple[str, bool]]()
        self._pings_failed = set[str]()
        """By what since one was well, so that it is said once."""

    def say_nothing(self) -> None:
        """Nobody is to hear of the runs of this process."""
        self._settings = Settings()

    @property
    def notifies(self) -> bool:
        """Are there any notices?"""
        return self._settings.notifies

    @property
    def is_needed(self) -> bool:
        """Is there anything that it may have to say?"""
        return bool(self._settings.notifies or self._settings.ping)

    def begins(self, run: LiveRun) -> None:
        """This process executes the run from now on."""
        if self._settings.notifies:
            attempt = len(run.state.attempts) + 1
            self._try("what is to be noticed", lambda: self._notices.put_down(run.run_id, attempt))
        if self._settings.ping:
            from durably_cli.cli.pinging import START

            self._ping(run.state.created.job, START, run.run_id)

    def ended(self, run_id: str, why: str = "") -> None:
        """An attempt at the run is over; `why` if it cannot go on by itself."""
        if self._settings.notifies:
            self._try("a notice", lambda: self._notices.look_at(run_id, why))
        if self._settings.ping:
            self._try("a ping", lambda: self._ping_end(run_id, why))

    def sweep(self, *, retries: bool) -> None:
        """Say what others had to say, and did not; or could not, if `retries`."""
        if self._settings.notifies:
            # What another process is sending at this moment is its matter.
            self._try("a notice", lambda: self._noticed_by(0.0).sweep(retries=retries))

    def problems(self, *, but_pings: bool) -> Iterator[str]:
        """What went wrong with that since this was asked last."""
        with suppress(IndexError):  # there is none more: another thread may have asked
            while True:
                text, is_ping = self._problems.popleft()
                if not (is_ping and but_pings):
                    yield text

    @cached_property
    def _notices(self) -> Notices:
        return self._noticed_by(NOTICE_SECONDS + _SLACK_SECONDS)

    @cached_property
    def _noted(self) -> Noted:
        return self._of_engine()

    def _noticed_by(self, patience: float) -> Notices:
        from durably_cli.engines.notices import Notices  # few projects have any

        return Notices(self._noted, self._send, patience)

    def _send(self, view: RunView, change: Change) -> str:
        name = f"notify_{change.kind}"
        line: str = getattr(self._settings, name)
        if not line:
            return ""
        line, said = of_variable(line)
        said = said or self._called(line, view, change)
        if said:
            job = view.state.created.job
            self._problems.append((f"{name} has failed for {job}: {said}", False))
        return said

    def _called(self, line: str, view: RunView, change: Change) -> str:
        from durably_cli.render.notice import notice_of
        from durably_cli.system.aside import run_aside

        notice = notice_of(view, change, str(self._project))
        try:
            came = run_aside(
                "/bin/sh",
                ("sh", "-c", line),
                notice.document,
                NOTICE_SECONDS,
                folder=str(home_of(self._project)),
                variables=notice.variables,
            )
        except OSError as error:
            return f"it cannot be launched: {error.strerror}"
        return came.said(NOTICE_SECONDS)

    def _ping(self, job: str, what: str, run_id: str) -> None:
        from durably_cli.cli.pinging import ping

        def send() -> None:
            said = ping(self._settings.ping, job, what, run_id, home_of(self._project))
            if not said:
                self._pings_failed.clear()
            elif said not in self._pings_failed:
                self._pings_failed.add(said)
                self._problems.append(
                    (f"the ping{what and f' {what}'} of {job} failed: {said}", True)
                )

        self._try("a ping", send)

    def _ping_end(self, run_id: str, why: str) -> None:
        from durably_cli.cli.pinging import FAILURE, SUCCESS
        from durably_cli.engines.notices import has_failed

        run = self._noted.look(run_id)
        if run is None:
            return
        if isinstance(run, Unreadable):
            raise run.error
        with run as view:
            job, state = view.state.created.job, view.state
            if view.damage:
                raise view.damage
            if self._noted.is_executed(view):
                return
            failed = bool(why) or has_failed(view)
        if failed:
            self._ping(job, FAILURE, run_id)
        elif state.status is Status.COMPLETED:
            self._ping(job, SUCCESS, run_id)

    def _try(self, what: str, act: Callable[[], object]) -> None:
        """What goes wrong is said, and no more."""
        try:
            act()
        except DurablyError as error:
            self._problems.append((f"{what} was not sent: {error.what}", False))
        except Exception as error:  # whatever it is, the run has ended as it has
            self._problems.append((f"{what} was not sent: {type(error).__name__}: {error}", False))
