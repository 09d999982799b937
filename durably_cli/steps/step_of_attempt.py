"""The `Step` of an attempt: one that hands back what a journal has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.journal.masking import Secrets
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import NO_CODE
from durably_cli.steps.code import code_of
from durably_cli.steps.operation import Past
from durably_cli.steps.step import Step
from durably_cli.steps.stop import Stop

if TYPE_CHECKING:
    from durably_cli.steps.commits import Recording


def step_of_attempt(
    past: Past,
    stop: Stop,
    record: Callable[[Event], object],
    *,
    run_id: str,
    attempt: int,
    created_at: datetime,
    replayed: Callable[[str], object],
    secrets: Secrets,
    programs: Path | None = None,
    project: str = "",
    recording: Recording | None = None,
) -> Step:
    """The step of an attempt: what its journal has is handed back.

    `programs` is their folder, and `project` that of the project whose functions are called. With
    `recording`, which writes and syncs events apart, it is that of an async handler.
    """
    kind = Step
    if recording is not None:
        from durably_cli.steps import loop_step  # and asyncio with it

        kind = loop_step.AsyncStep
    step = kind(
        None,
        record,
        run_id=run_id,
        attempt=attempt,
        created_at=created_at,
        replayed=replayed,
        secrets=secrets,
    )
    step._programs, step._rows_of, step._recording = programs, run_id, recording
    if project:
        step._code_of = lambda fn: code_of(fn, project) or NO_CODE
    step._connect(past, stop)
    return step
