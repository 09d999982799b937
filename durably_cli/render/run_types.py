"""What a program is given of a run with `--json`, for the documents of `document_types`."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal, NotRequired

from pydantic import WithJsonSchema

from durably_cli.engines.request import Disposition
from durably_cli.journal.state import Status

if sys.version_info >= (3, 12):
    from typing import TypedDict as TypedDict
else:  # pydantic, which takes no other one on Python 3.11, brings it
    from typing_extensions import TypedDict as TypedDict

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""In UTC, with milliseconds and a Z."""


class ErrorFields(TypedDict):
    """An exception of the user's code."""

    type: str
    message: str
    traceback: str


class ProgressFields(TypedDict):
    """What the latest attempt said last of how far it has come."""

    current: float
    total: float | None
    message: str | None
    at: Time


class RunSummary(TypedDict):
    """A run in a list; what cannot be known of a damaged one is null.

    `seconds` is the time spent in its attempts so far, `steps` how many have completed and
    `steps_failed` have failed, of which a map is none, for its items are; nor does a failure count
    that was not asked for again. `reason` is why it failed or cannot be read, who cancelled it or
    has asked for that, where it stopped, or what it waits for; it is a fork of `origin`, and a step
    of `parent`.
    `undecided` are the steps at which a resume stops until somebody decides. One that waits is
    `due` then; null if not before a signal comes.
    """

    id: str
    job: str | None
    status: Status | str
    created: Time
    ended: Time | None
    seconds: float | None
    steps: int | None
    reason: str | None
    labels: dict[str, str]
    steps_failed: int | None
    origin: str | None
    parent: str | None
    progress: ProgressFields | None
    undecided: list[str]
    due: Time | None


class AttemptFields(TypedDict):
    """One process that tried the run; `kept` is the file that has what a crash left of the last."""

    attempt: int
    started: Time
    ended: Time | None
    outcome: str
    pid: int
    host: str
    versions: dict[str, str]
    source: str | None
    dropped_bytes: int
    kept: str | None
    folder: str | None


class DamageFields(TypedDict):
    """Where a journal is damaged, and how."""

    line: int
    byte: int
    reason: str


class RepairedFields(TypedDict):
    """What somebody had cut off: where that began, how much it was, the file that still has it."""

    by: str
    host: str
    line: int
    byte: int
    reason: str
    lines: int
    bytes: int
    kept: str
    at: Time


Decided = Literal["redo", "done"]


class DecisionFields(TypedDict):
    """What somebody has decided of a step: to have it executed again, or that it was done.

    `result` is what it gave then; null for the others, and if the file of a large one is damaged.
    """

    step: str
    decision: Decided | str
    by: str
    at: Time
    result: Any


class ChildFields(TypedDict):
    """A run that is a step of this one, or of one that is, at that depth; null if it is gone."""

    step: str
    run: str
    job: str | None
    status: Status | str | None
    depth: int


class WaitFields(TypedDict):
    """What a step waits for: a time, a `poll`, a `signal` whose value is as `takes` says, or a
    `run`; `until` is its deadline, `prompt` what a person is asked, and `answered_by` who has sent
    a signal that the run has not taken yet.
    """

    step: str
    kind: Literal["sleep", "poll", "signal", "run"] | str
    since: Time
    until: Time | None
    prompt: str | None
    run: str | None
    takes: NotRequired[dict[str, Any] | None]
    answered_by: NotRequired[str | None]


class RunDetails(RunSummary):
    """A run. `causes` are the steps that its error came from, `carried` those whose failures the
    next attempt replays, `in_doubt` those of which nobody can say whether their effect happened;
    `forks` are made of this run.
    """

    input: Any
    output: Any
    error: ErrorFields | None
    failed_step: str | None
    causes: list[str]
    carried: list[str]
    in_doubt: list[str]
    decisions: list[DecisionFields]
    forks: list[str]
    children: list[ChildFields]
    idempotency_key: str | None
    concurrency_key: str | None
    waits_for: str | None
    waits: list[WaitFields]
    project: str
    folder: str | None
    attempts: list[AttemptFields]
    torn_bytes: int
    damage: DamageFields | None
    repaired: list[RepairedFields]
    unknown_events: list[str]
    imported: bool
    journal: str


class RunGivenBack(RunDetails):
    """A run that was triggered or resumed.

    `disposition` says how the command got it; one that goes on in the background has `detached` in
    its place.
    """

    disposition: NotRequired[Disposition | str]
    detached: NotRequired[Literal[True]]


class RunWaitedFor(RunDetails):
    """A run, and the exit code of its own."""

    exit: int


class UnreadableWaitedFor(RunSummary):
    """A run of whose journal nothing can be read, and the exit code of its own."""

    exit: int


StatusOfStep = Literal[
    "completed",
    "waiting",
    "retrying",
    "failed",
    "running",
    "in doubt",
    "cut short",
    "cancelled",
    "discarded",
    "marked done",
]


class FileFields(TypedDict):
    """A file that a step's result vouches for; `change` says what became of it since, if that is
    something.
    """

    path: str
    bytes: int
    sha256: str
    change: str | None


class StepFields(TypedDict):
    """A step's last word; `bytes` is the size of its result, `files` are those that it vouches for.

    `tries` says how often it was tried, in this run or since that had last failed; `next_try` when
    it will be again.
    """

    name: str
    status: StatusOfStep | str
    attempt: int
    started: Time
    ms: int | None
    bytes: int | None
    error: ErrorFields | None
    tries: int
    next_try: Time | None
    files: list[FileFields]


class StepWithResult(StepFields):
    """A step that has completed, with all of its result."""

    result: Any


Level = Literal["debug", "info", "warn", "error"]


class LogFields(TypedDict):
    """A line that the run has logged.

    `source` is null of a line of step.log, else a logger's name, `py.warnings`, or where it was
    printed: `stdout`, `stderr`, or `output` of a program. `whole` refers to the file that had all
    of it, if that is lost.
    """

    level: Level | str
    message: str
    at: Time
    step: str | None
    data: dict[str, Any]
    source: str | None
    whole: NotRequired[dict[str, Any]]


class RunTakenUp(TypedDict):
    """A run that `tick` took up, or would, `why`, and how it stands now, as in a list.

    `exit` is what its attempt ended with, as `resume` does; null if there was none.
    """

    id: str
    job: str
    why: Literal["due", "signal", "died"] | str
    status: Status | str
    due: Time | None
    exit: int | None
    reason: str | None


class WholeRun(RunDetails):
    """A run with its steps and its logs."""

    checkpoints: list[StepFields]
    logs: list[LogFields]
