"""Failures of steps that the handler asked for no more, as of a picture that was removed since.

No event says so. What has come further shows it:

Rule 1. A map that completes says which of its items have failed in it: no other failure of an item
        is one any more.
Rule 2. Behind a run that has completed, what failed in an earlier attempt, and was neither begun
        nor replayed in the last one, is no failure of it.

The step stays in what is shown of the run, with its failure, but it is not counted, and no fork
replays it.
"""

from __future__ import annotations

import json

from durably_cli.journal.blobs import is_blob_reference
from durably_cli.journal.state import RunState
from durably_cli.journal.step_events import StepCompleted
from durably_cli.journal.step_names import item_of, map_of
from durably_cli.journal.step_state import StepState, StepStatus

_FAILURES = (StepStatus.FAILED, StepStatus.RETRYING)


def behind_map(state: RunState, event: StepCompleted) -> None:
    """This map has completed."""
    if event.name not in state.maps_with_failures or is_blob_reference(event.result):
        return
    counted = json.loads(event.result)
    if not isinstance(counted, dict) or not isinstance(counted.get("failed"), list):
        return  # given by a person
    failed = {item_of(event.name, str(key)) for key in counted["failed"]}
    for name, step in [*state.unfinished.items()]:
        if map_of(name) == event.name and name not in failed:
            _is_gone(state, step)


def behind_run(state: RunState) -> None:
    """The run has completed."""
    carried = {*state.carried}
    for name, step in [*state.unfinished.items()]:
        if step.attempt < len(state.attempts) and name not in carried:
            _is_gone(state, step)


def _is_gone(state: RunState, step: StepState) -> None:
    if step.status in _FAILURES:
        state.unfinished[step.name] = step._replace(is_gone=True)
        if state.failures is not None:
            state.failures.discarded(step.name)
