"""Removing runs for good: what commands ask of every engine, and what holds on all of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Protocol

from durably_cli import hints
from durably_cli.engines.family import Look
from durably_cli.engines.old import FINAL, RETENTION_SECONDS, Old
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Busy, NotFound, UsageError
from durably_cli.journal.state import Status
from durably_cli.system import ids


class Removal(Protocol):
    """Removes the runs of a project, as one engine does that."""

    def sweep(self) -> int:
        """Finish the removals that were cut short; how many bytes that freed."""

    def remove(self, run_id: str, statuses: Collection[Status], *, free_key: bool) -> int:
        """Remove a run, if it is of one of these statuses; how many bytes that freed.

        NotFound if there is none; Busy if a process holds it, or is about to; UsageError if it is
        of another status, or a step of a run that goes on. The runs that are a step of it are ended
        for good. Its idempotency key is not used again, unless it is to be freed.
        """

    def old_runs(self, old: Old) -> list[str]:
        """The runs that may go, newest first; behind each those that are steps of it."""

    def free_key(self, job: str, key: str) -> bool:
        """Forget whatever the idempotency key of a job stands for; False if that is nothing."""


def removed(removal: Removal, run_ids: Sequence[str], old: Old) -> Iterator[tuple[str, int]]:
    """Remove them: each with how many bytes that freed, but for those that may not go now."""
    for run_id in run_ids:
        with suppress(Busy, NotFound, UsageError):  # resumed or deleted since it was looked at
            freed = removal.remove(run_id, old.statuses or FINAL, free_key=old.free_keys)
            yield run_id, freed


def removed_for_a_while(removal: Removal, old: Old) -> tuple[list[str], bool]:
    """Remove old runs for some seconds; the ids of what is gone, and whether that were all."""
    found = removal.old_runs(old)  # of 10,000 runs that takes seconds itself
    gone, until = list[str](), time.monotonic() + RETENTION_SECONDS
    for run_id, _ in removed(removal, found, old):
        gone.append(run_id)
        if time.monotonic() > until:
            return gone, False
    return gone, True


def check_may_go(run_id: str, status: Status, statuses: Collection[Status]) -> None:
    """UsageError if the run is of another status than those that are to go."""
    if status not in statuses:
        raise UsageError(
            f"run {ids.short(run_id)} is {status}, and only those that are "
            f"{' or '.join(statuses)} were to go",
            hint=f"{hints.command('inspect', ids.short(run_id))}    (shows what would be lost; "
            "--status names what else may go)",
        )


def check_is_not_needed(look: Look, run_id: str, parent: str) -> None:
    """UsageError if the run is a step of that one, which goes on and would have it made again."""
    view = look(parent) if ids.is_id(parent) else None
    if not isinstance(view, RunView):
        return
    with view:
        if view.state.is_final or not view.state.needs(run_id):
            return
    raise UsageError(
        f"run {ids.short(run_id)} is a step of run {ids.short(parent)}, which has not ended for "
        "good and would do its work again",
        hint=f"{hints.command('cancel', ids.short(parent))}    (ends it for good)",
    )
