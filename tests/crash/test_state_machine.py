"""Runs that are made, taken up, crashed, damaged, repaired and removed in any order.

A model keeps what was acknowledged; whatever was done to the files, the store must say the same.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.harness.run_machine import Runs


def rules_executed(examples: int, steps: int) -> int:
    """Let hypothesis try so many sequences of so many rules; how many rules it executed."""
    Runs.rules_executed = 0
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=False,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Runs.rules_executed


def test_whatever_happens_to_runs_they_are_what_was_acknowledged_or_are_refused(
    count: Callable[[int], None],
) -> None:
    executed = rules_executed(examples=40, steps=30)
    assert executed >= 300
    count(executed)


@pytest.mark.campaign
def test_whatever_happens_to_runs_for_long_they_are_what_was_acknowledged_or_are_refused(
    count: Callable[[int], None],
) -> None:
    executed = rules_executed(examples=1500, steps=50)
    assert executed >= 30_000
    count(executed)
