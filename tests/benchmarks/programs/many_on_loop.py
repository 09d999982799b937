"""The job of many_in_threads.py on an event loop, for a durably that has async handlers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from pydantic import BaseModel

from durably_cli import AsyncStep, define_job


class Items(BaseModel):
    """How many items, how many seconds each takes, and how many at once."""

    count: int
    seconds: float = 0
    concurrency: int = 64


def check_mended() -> None:
    """Fail, unless somebody has mended it."""
    if not Path("mended").exists():
        raise FileNotFoundError("not mended yet")


@define_job
async def many_on_loop(step: AsyncStep, payload: Items) -> float:
    """The seconds that a map takes."""

    async def item(number: int) -> int:
        if payload.seconds:
            await asyncio.sleep(payload.seconds)
        return number

    begun = time.perf_counter()
    await step.map("item", item, range(payload.count), concurrency=payload.concurrency)
    took = time.perf_counter() - begun
    await step.run("last", check_mended)
    return took
