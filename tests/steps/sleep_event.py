"""An event that durably does not have; to import this is all that it takes to have it."""

from __future__ import annotations

from typing import NamedTuple

from durably_cli.journal.registry import event


@event("step.dozing", durable=True)
class StepWaiting(NamedTuple):
    """A step does not go on before `until`."""

    name: str
    at: str
    until: str
