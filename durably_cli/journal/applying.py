"""What each event does to the state of a run: a function for each class, registered here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState

Apply = Callable[[RunState, Any], None]

APPLY: dict[type[Event], Apply] = {}
"""What an event does to the state; one that is not here does nothing."""


def folds(kind: type[Event]) -> Callable[[Apply], Apply]:
    """Register what events of this class do."""

    def register(apply: Apply) -> Apply:
        APPLY[kind] = apply
        return apply

    return register
