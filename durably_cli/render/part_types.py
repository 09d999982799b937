"""What a program is given with `--json` of all but runs, for the documents of `document_types`."""

from __future__ import annotations

from typing import Any, Literal

from durably_cli.engines.local.check import FileKind, FileState
from durably_cli.engines.plan import What
from durably_cli.render.run_types import DamageFields, RunSummary, Time, TypedDict
from durably_cli.steps.code_now import Verdict


class JobFields(TypedDict):
    """A job; `input` and `output` are JSON Schemas, `source` is file:line."""

    name: str
    doc: str
    source: str
    input: dict[str, Any]
    output: dict[str, Any]
    last_run: RunSummary | None


class BrokenModule(TypedDict):
    """A module of `jobs/` that does not import."""

    path: str
    error: str


class SettingFields(TypedDict):
    """What a thing is set to, null if that cannot be had, and by what."""

    value: str | None
    source: str


class WorkerFields(TypedDict):
    """A worker: how many runs it executes, of how many at once, and since when it is there."""

    id: str
    alive: bool
    host: str
    pid: int
    durably: str
    slots: int
    runs: int
    since: str
    jobs: list[str]


class JobLoadFields(TypedDict):
    """How many runs of a job wait for a worker, are running, and wait for something else."""

    name: str
    queued: int
    running: int
    waiting: int


class EngineFields(TypedDict):
    """The engine of a project: its server, its workers, and jobs with runs that have not ended."""

    name: str
    project: str
    database: str
    server: str
    dbos: str | None
    workers: list[WorkerFields]
    jobs: list[JobLoadFields]


class FindingFields(TypedDict):
    """A file of the store, and what it is worth."""

    kind: FileKind | str
    name: str
    state: FileState | str
    detail: str


ScheduleState = Literal[
    "printed", "installed", "removed", "would-install", "would-remove", "unchanged"
]
"""What came of a schedule; `unchanged` if what was asked for was so before."""


class ScheduledFile(TypedDict):
    """A file for systemd or launchd, or a line for a crontab, which has no path of its own."""

    path: str | None
    text: str


class ScheduleFields(TypedDict):
    """A schedule; of a tick there is no job and no expression. `diff` is what changed, or would
    change with `--yes`. `secret_variables` are read by the job, and not set by cron or systemd.
    """

    name: str
    job: str | None
    expression: str | None
    by: Literal["cron", "systemd", "launchd"]
    files: list[ScheduledFile]
    zone: str
    secret_variables: list[str]
    next_times: list[Time]
    state: ScheduleState | str
    diff: str


class MadeProject(TypedDict):
    """A project, and the files that were made in it; none if it was there already."""

    folder: str
    made: list[str]


class Extent(TypedDict):
    """How much of a journal."""

    lines: int
    steps: int
    bytes: int


class DroppedExtent(TypedDict):
    """How much of a journal that nobody can read."""

    lines: int
    bytes: int


class RepairFields(TypedDict):
    """What of a journal is good and what is to be dropped, and the file that has the original.

    Without damage there is nothing to do; with it, and no `original`, nothing was done yet.
    """

    run: str
    journal: str
    damage: DamageFields | None
    good: Extent | None
    dropped: DroppedExtent | None
    original: str | None


class ExportedRun(TypedDict):
    """A run in a file; `has_source` says whether the job's file is in it."""

    run: str
    job: str
    file: str
    has_source: bool
    damage: DamageFields | None


class ImportedRun(TypedDict):
    """A run that was brought in; `was_here` if it was there already."""

    run: str
    job: str
    was_here: bool
    read_only: bool
    damage: DamageFields | None


class ImportedProject(TypedDict):
    """Where a project was whose runs were brought along, and where those are now."""

    project: str
    store: str


class ArgumentFields(TypedDict):
    """An argument of a command."""

    name: str
    required: bool
    repeated: bool
    help: str | None


class OptionFields(TypedDict):
    """An option; `variable` is the one of the environment that sets it."""

    names: list[str]
    value: str | None
    choices: list[str] | None
    takes_value: bool
    repeated: bool
    default: str | None
    variable: str | list[str] | None
    help: str | None


class CommandFields(TypedDict):
    """A command. `document` is the JSON Schema of what it prints with `--json`; `line` that of each
    line, where it prints many.
    """

    name: str
    summary: str
    help: str
    arguments: list[ArgumentFields]
    options: list[OptionFields]
    document: dict[str, Any] | None
    line: dict[str, Any] | None


class PlannedStepFields(TypedDict):
    """A step, and what becomes of it: `perhaps` is executed if one before it gives another result.

    `ms` is how long it took, `code` what became of its function since.
    """

    name: str
    plan: What | str
    ms: int | None
    code: Verdict | str
    why: str | None


class PlanFields(TypedDict):
    """What a resume or a fork of a run would do; `saved_ms` is what replayed steps took.

    `warnings` are what it would say of maps that had completed, and go on.
    """

    run: str
    replayed: int
    saved_ms: int
    steps: list[PlannedStepFields]
    warnings: list[str]
