"""What can stand in a journal: one immutable class an event, and nothing else.

Named tuples, because every command that reads a journal pays for defining these classes and makes
one object a line: they cost an eighth of a frozen dataclass to define and a third to make.

`@event` is all that an event takes: how it is written, read and synced follows from it. The first
field of a step's event, `step.`, is the step's name.

The order of the fields is their order in the line, but for `at`, which comes last: the time in UTC,
ISO 8601 with milliseconds and a `Z`. `ms` are milliseconds on a monotonic clock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from durably_cli.journal.registry import event
from durably_cli.values.strict_json import Json

FORMAT = 1


class ErrorInfo(NamedTuple):
    """An exception: its type's name, its message, its traceback without durably's own frames."""

    type: str
    message: str
    traceback: str = ""


@event("run.created", durable=True)
class RunCreated(NamedTuple):
    """The run exists. Always line 0, always durable.

    `folder` is the one that the job runs in: the project's, or, if Python code triggered the run,
    the one that the code was in; empty in runs of durably 0.1. With `input_bytes`, the size of an
    input that is in a file of its own, `input` is the reference to that. `parent` is the run of
    which this one is a step.
    """

    format: int
    run: str
    job: str
    input: Json
    at: str
    idempotency_key: str | None = None
    concurrency_key: str | None = None
    labels: dict[str, str] = {}
    project: str = ""
    pid: int = 0
    host: str = ""
    folder: str = ""
    input_bytes: int = 0
    parent: str = ""


@event("input.stored", durable=True, of_attempt=False)
class InputStored(NamedTuple):
    """The input is in a file of its own, as run.created says.

    An older durably, which does not know this event, refuses to resume the run with a reference in
    the input's place.
    """

    at: str


@event("run.forked", durable=True, of_attempt=False)
class RunForked(NamedTuple):
    """The lines before this one are of another run, `origin`; somebody wanted one made of them.

    The failures among them are replayed. Of steps in doubt `keys` has the run whose keys they have,
    in databases and requests, and how many results of them count no more there.
    """

    origin: str
    by: str
    at: str
    keys: dict[str, Any] = {}


@event("run.started", of_attempt=False)
class RunStarted(NamedTuple):
    """A process began an attempt, all its locks held.

    `source` is the sha256 of the job's file; `dropped` the bytes of a torn tail that were left
    behind, and `kept` the name of the file that still has them, if a whole line was among them;
    `folder` the one that the attempt runs in, if it is not the run's.
    """

    attempt: int
    pid: int
    host: str
    at: str
    versions: dict[str, str] = {}
    source: str | None = None
    dropped: int = 0
    kept: str | None = None
    folder: str = ""


TRACEBACK = "traceback"
"""The name among the data of a log line that an exception's traceback has."""


OF_PROGRAMS = "output"
"""The source of what was printed past Python's streams: by the job's programs, or by C code."""

PRINTED = ("stdout", "stderr", OF_PROGRAMS)
"""The sources of what was printed."""


@event("log.written")
class LogWritten(NamedTuple):
    """A line of the run's log; `level` is debug, info, warn or error.

    `source` is where it comes from if not from `step.log`: the name of a logger, `py.warnings`, or
    one of PRINTED. If it was shortened, `whole` is the reference to the
    file that has its message and data.
    """

    level: str
    message: str
    at: str
    step: str | None = None
    data: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    source: str | None = None

    @property
    def values(self) -> str:
        """The data as text that goes on behind the message, without a traceback."""
        return "".join(f" {key}={value}" for key, value in self.data.items() if key != TRACEBACK)

    @property
    def traceback(self) -> list[str]:
        """The lines of the exception's traceback among the data; none if there is none."""
        return str(self.data[TRACEBACK]).split("\n") if TRACEBACK in self.data else []


@event("progress.reported")
class ProgressReported(NamedTuple):
    """A call of `step.progress`."""

    current: float
    at: str
    total: float | None = None
    message: str | None = None


@event("run.completed", durable=True)
class RunCompleted(NamedTuple):
    """The handler returned; the run has ended for good."""

    output: Json
    at: str


@event("run.completed.large", durable=True)
class RunCompletedLarge(NamedTuple):
    """The same, of a run whose output is in a file of its own: `output` is the reference to it.

    An older durably, which does not know this event, prints no reference in the output's place.
    """

    output: Json
    at: str


@event("run.failed", durable=True)
class RunHasFailed(NamedTuple):
    """The handler raised. May be resumed.

    `step` is the step that the exception came from, if one; `steps` are all of them, if several.
    If the error was shortened, `whole` is the reference to the file that has all of it.
    """

    error: ErrorInfo
    at: str
    step: str | None = None
    steps: list[str] = []
    whole: dict[str, Any] = {}


@event("run.interrupted")
class RunInterrupted(NamedTuple):
    """A signal ended the attempt. Informative: a run that lacks it is interrupted all the same."""

    signal: str
    at: str


@event("run.cancelled", durable=True, of_attempt=False)
class RunCancelled(NamedTuple):
    """The run was given up, by whom and why; it has ended for good.

    `attempt` is the one that was going on, 0 if none was.
    """

    at: str
    reason: str | None = None
    by: str = ""
    attempt: int = 0


@event("run.repaired", durable=True, of_attempt=False)
class RunRepaired(NamedTuple):
    """Somebody had what was damaged cut off.

    `line` and `byte` say where the damage began, `lines` and `bytes` how much was dropped, and
    `kept` which file beside the journal still has it.
    """

    by: str
    host: str
    line: int
    byte: int
    reason: str
    lines: int
    bytes: int
    kept: str
    at: str


class Unknown(NamedTuple):
    """An event of a type that this durably does not know; a newer one wrote it."""

    type: str
    at: str
    line: str
