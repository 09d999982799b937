"""What a program is given with `--json`: the type of each document, of each line, and of its parts.

The one declaration of them. Type checkers hold what writes them to it, and `durably help --json`
has the JSON Schemas that pydantic makes of it. Nobody else imports this: it would be paid for at
each start.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field

from durably_cli.error_codes import ErrorCode
from durably_cli.render.crash_types import CrashReport
from durably_cli.render.part_types import (
    BrokenModule,
    CommandFields,
    EngineFields,
    ExportedRun,
    FindingFields,
    ImportedProject,
    ImportedRun,
    JobFields,
    MadeProject,
    OptionFields,
    PlanFields,
    RepairFields,
    ScheduleFields,
    SettingFields,
)
from durably_cli.render.run_types import (
    RunDetails,
    RunGivenBack,
    RunSummary,
    RunTakenUp,
    RunWaitedFor,
    StepWithResult,
    Time,
    TypedDict,
    UnreadableWaitedFor,
    WholeRun,
)

_ExitCode = Annotated[int, Field(gt=0)]


class Failure(TypedDict):
    """What went wrong. `exit` is the exit code; `retryable` says that the same command may succeed
    later with nothing mended; `run` is the id of the run that it is about.
    """

    code: ErrorCode | str
    exit: _ExitCode
    message: str
    hint: str | None
    retryable: bool
    run: str | None
    next: list[str]


class Answer(TypedDict):
    """What every document has; `error` exactly if the exit code is not 0."""

    schema: Literal[1]
    next: list[str]
    error: NotRequired[Failure]


class PlanAnswer(Answer):
    """What `--dry-run` answers."""

    plan: PlanFields


class RunAnswer(Answer):
    """Of trigger, resume, fork and cancel."""

    run: RunGivenBack


class SignalFields(TypedDict):
    """A signal that was sent to a run: its value, by whom and when; `early` if the run does not
    wait for it yet, `sent_before` if that was not by this call.
    """

    run: str
    name: str
    value: Any
    by: str
    at: Time
    early: bool
    sent_before: bool


class SignalAnswer(Answer):
    """Of signal, approve and deny."""

    signal: SignalFields


class RunEndAnswer(Answer):
    """Of wait RUN."""

    run: RunDetails


class RunEndsAnswer(Answer):
    """Of wait RUN RUN."""

    runs: list[RunWaitedFor | UnreadableWaitedFor]


class ListAnswer(Answer):
    """Of list."""

    runs: list[RunSummary]


class TickAnswer(Answer):
    """Of tick; with `--dry-run` those that it would take up. `removed` are runs that were old."""

    runs: list[RunTakenUp]
    removed: list[str]


class ScheduleAnswer(Answer):
    """Of schedule."""

    schedule: ScheduleFields


class StoryAnswer(Answer):
    """Of inspect."""

    run: WholeRun


class StepAnswer(Answer):
    """Of inspect --step."""

    step: StepWithResult


class StepsAnswer(Answer):
    """Of inspect --step with a pattern."""

    steps: list[StepWithResult]


class JobsAnswer(Answer):
    """Of jobs."""

    jobs: list[JobFields]
    broken: list[BrokenModule]


class JobAnswer(Answer):
    """Of jobs JOB."""

    job: JobFields


class InitAnswer(Answer):
    """Of init."""

    project: MadeProject


class InfoAnswer(Answer):
    """Of info."""

    info: dict[str, SettingFields]


class EngineAnswer(Answer):
    """Of engine."""

    engine: EngineFields


_Defs = TypedDict("_Defs", {"$defs": dict[str, Any]})


class HelpAnswer(Answer, _Defs):
    """Of help: `$defs` has what the schemas of the commands refer to."""

    options: list[OptionFields]
    commands: list[CommandFields]


class TopicAnswer(Answer):
    """Of help TOPIC: a page of Markdown."""

    topic: str
    text: str


class CrashTestAnswer(Answer):
    """Of test."""

    test: CrashReport


class VerifyAnswer(Answer):
    """Of verify."""

    findings: list[FindingFields]


class RepairAnswer(Answer):
    """Of repair."""

    repair: RepairFields


class PruneAnswer(Answer):
    """Of prune: the runs that are gone, and those that would go with `--yes`."""

    deleted: list[str]
    would_delete: list[str]
    freed_bytes: int


class DeleteAnswer(Answer):
    """Of delete: the runs that are gone, and the keys that were freed of runs gone before."""

    deleted: list[str]
    freed_keys: list[str]
    freed_bytes: int


class ExportAnswer(Answer):
    """Of export."""

    exported: ExportedRun


class ImportAnswer(Answer):
    """Of import FILE."""

    imported: ImportedRun


class ImportProjectAnswer(Answer):
    """Of import OLD_DIR."""

    imported_project: ImportedProject


class FailedLine(TypedDict):
    """The last line of what failed."""

    schema: Literal[1]
    error: Failure
    next: list[str]
