"""Jobs of many items, which are put into a project to be measured: by map in threads, and in turn.

Their last step fails until there is a file `mended`, so that a resume has all items to replay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel

from durably_cli import Step, define_job


class Items(BaseModel):
    """How many items, how many seconds each takes, and how many at once."""

    count: int
    seconds: float = 0
    concurrency: int = 16


def item_of(seconds: float) -> Callable[[int], int]:
    """What is done with an item."""

    def item(number: int) -> int:
        if seconds:
            time.sleep(seconds)
        return number

    return item


def check_mended() -> None:
    """Fail, unless somebody has mended it."""
    if not Path("mended").exists():
        raise FileNotFoundError("not mended yet")


@define_job
def many_in_threads(step: Step, payload: Items) -> float:
    """The seconds that a map takes."""
    begun = time.perf_counter()
    numbers = range(payload.count)
    step.map("item", item_of(payload.seconds), numbers, concurrency=payload.concurrency)
    took = time.perf_counter() - begun
    step.run("last", check_mended)
    return took


@define_job
def many_in_turn(step: Step, payload: Items) -> float:
    """The seconds that as many steps take, one behind the other."""
    begun = time.perf_counter()
    item = item_of(payload.seconds)
    for number in range(payload.count):
        step.run(f"item-{number}", item, number)
    return time.perf_counter() - begun
