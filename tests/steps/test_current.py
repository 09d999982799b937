"""What a step's function may ask of its step, without being given one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from durably import Step, StepMisused, idempotency_key


def test_a_key_is_of_the_step_that_asks() -> None:
    step = Step(run_id="0199")
    one = step.run("one", idempotency_key)
    assert one == step.idempotency_key("one")
    assert one.startswith("0199-")
    assert step.run("two", idempotency_key) != one
    assert Step(run_id="0199").run("one", idempotency_key) == one
    assert Step(run_id="0198").run("one", idempotency_key) != one


def test_a_thread_of_the_step_has_the_same() -> None:
    def in_a_thread() -> str:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(idempotency_key).result()

    step = Step()
    assert step.run("one", in_a_thread) == step.idempotency_key("one")


def test_outside_of_a_step_there_is_none() -> None:
    with pytest.raises(StepMisused, match="outside of a step"):
        idempotency_key()
