"""What a trigger ended up with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from durably_cli import hints
from durably_cli.engines.request import Disposition
from durably_cli.engines.run_view import RunView
from durably_cli.errors import RunFailed
from durably_cli.journal.events import ErrorInfo
from durably_cli.journal.state import Status
from durably_cli.project import places

if TYPE_CHECKING:
    from durably_cli.project.job import Job

O_co = TypeVar("O_co", covariant=True)


class Run(Generic[O_co]):
    """What a trigger ended up with: a run's id, status, disposition, and output or error.

    `failed_steps` are those that the error came from, `attempts` how many there were so far.
    """

    def __init__(self, job: Job[Any, O_co], view: RunView, disposition: Disposition) -> None:
        self.id: str = view.run_id
        self.status: Status = view.status
        self.disposition: Disposition = disposition
        self.error: ErrorInfo | None = view.state.error
        self.failed_steps: list[str] = view.state.causes
        self.attempts: int = len(view.state.attempts)
        self.project = places.project_of_file(job.source)
        """The folder of the project."""
        self._job = job
        self._output = view.output()
        if self._output is None:  # what to type depends on where it was triggered
            self._hint = hints.command_anywhere(hints.project(), "resume", self.id)

    def __repr__(self) -> str:
        return f"<Run {self.id} of {self._job.name}, {self.status}>"

    @property
    def output(self) -> O_co:
        """What the handler returned. RunFailed if the run has none."""
        if self._output is None:
            why = f": {self.error.type}: {self.error.message}" if self.error else ""
            raise RunFailed(
                f"run {self.id} of {self._job.name} has no output ({self.status}{why})",
                hint=self._hint,
            )
        output: O_co = self._job.output.load(self._output)
        return output
