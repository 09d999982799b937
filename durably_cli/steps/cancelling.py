"""Ending what tasks of an event loop do: in time, and to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import suppress
from typing import Any

from durably_cli.steps.operation import Raised
from durably_cli.steps.stop import Stop
from durably_cli.system.time_limits import TookTooLong

_AGAIN_SECONDS = 1.0
"""How often a function that takes too long is cancelled again, until it ends."""


async def within(seconds: float, value: Awaitable[Any], stop: Stop) -> Any:
    """What it gives. TookTooLong if it has not ended by itself within the time.

    It is cancelled then, and again each second until it ends: so no two calls overlap. What it
    gives after that does not count, for it may have swallowed the cancellation.
    """
    task = asyncio.create_task(_outcome_of(value))
    try:
        await asyncio.wait((task,), timeout=seconds)
    except asyncio.CancelledError:
        await until_cancelled((task,), stop)
        raise
    if task.done():
        return given_by(task.result()) if not task.cancelled() else await task
    await until_cancelled((task,), stop, again=True)
    error = None if task.cancelled() else task.result()
    cause = error.error if type(error) is Raised else None
    raise TookTooLong().with_traceback(cause.__traceback__ if cause else None) from cause


async def until_cancelled(
    tasks: Collection[asyncio.Task[Any]], stop: Stop, *, again: bool = False
) -> None:
    """Cancel these tasks, and return when they have ended, however often this one is cancelled.

    A second time they are cancelled each second if `again`, or when the attempt is stopped:
    then they may have swallowed it. Else they may tidy up.
    """
    going_on: Collection[asyncio.Task[Any]] = tasks
    is_first = True
    while going_on := [task for task in going_on if not task.done()]:
        if is_first or again or stop.cause is not None:
            for task in going_on:
                task.cancel()
        is_first = False
        with suppress(asyncio.CancelledError):
            await asyncio.wait(going_on, timeout=_AGAIN_SECONDS)


async def _outcome_of(value: Awaitable[Any]) -> Any:
    """What it gives, or Raised: asyncio ends the loop by some exceptions of a task."""
    try:
        return await value
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        return Raised(error)


def given_by(outcome: Any) -> Any:
    """What came of a call in a thread, or a task. What it raised is raised."""
    if type(outcome) is not Raised:
        return outcome
    error = outcome.error
    if isinstance(error, RuntimeError) and "event loop" in str(error):
        error.add_note(
            "a plain function is called in a thread, where there is no event loop: "
            "make it async def"
        )
    raise error
