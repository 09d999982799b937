"""What `durably test --json` says: the types of a report, for type checkers and `help --json`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from durably_cli.render.run_types import TypedDict

FaultKind: TypeAlias = Literal[
    "twice",
    "more",
    "less",
    "other",
    "order",
    "gone",
    "left",
    "result",
    "output",
    "asked",
    "fails",
    "stuck",
]


class CrashFinding(TypedDict):
    """Something to mend: of a step, and of so many others that the same line asks for.

    Without a `step` it is what the handler does between its steps. `function` is what the step
    calls, and `call` where it is asked for, both as file:line of the project. `said` is what is
    otherwise, at the watched `path` if that is not null. It was `killed` there, one of so many
    `trials` with this finding.
    """

    kind: FaultKind
    step: str | None
    others: int
    function: str | None
    call: str | None
    path: str | None
    said: str
    mend: str
    killed: str
    trials: int


class CrashTried(TypedDict):
    """How often runs were killed at the steps that one line of code asks for, and how many held.

    Of those that held, so many `stopped` at a step that is not called again unasked.
    """

    step: str | None
    others: int
    function: str | None
    call: str | None
    trials: int
    held: int
    stopped: int


class CrashReport(TypedDict):
    """What was tried of a job, what was found, and what was not seen.

    An undisturbed run of it ended with this status, and could be killed at so many `places`. If it
    failed, for the `reason`, what it would have done after that was not tried.
    """

    job: str
    status: str
    reason: str | None
    places: int
    trials: int
    held: int
    seconds: float
    watched: list[str]
    tried: list[CrashTried]
    findings: list[CrashFinding]
    unseen: list[str]
