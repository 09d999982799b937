"""A step that is executed again: whether what came after it still counts.

It does if the new result is equal to the old one. If not, all that began after the step had
completed may have used the old one: none of that is replayed. What came last is said first: an
attempt that is cut short in between leaves no step that has used what counts no more, and the next
one may give the old result again.
"""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli.journal.step_events import DATABASE, StepFailed, StepOutdated
from durably_cli.steps.operation import Past
from durably_cli.system import clock
from durably_cli.values.strict_json import Json


def outdated(past: Past, name: str, result: Json) -> Iterator[StepOutdated]:
    """The steps whose results count no more, now that this one gives that."""
    before = past.redone.pop(name, None)
    if before is None or before.only:
        return
    from durably_cli.values.named_files import result_sha256  # few steps are executed again

    if result_sha256(result) != before.sha256:
        with past.changing:
            found = [*_later(past, name)]
        yield from found


def owe(past: Past, name: str) -> None:
    """A redone step has failed: if the job lives on, what came after it counts no more.

    It is written once the job asks for another step; else nothing has come of the failure.
    """
    before = past.redone.get(name)
    if before is not None and not before.only:
        with past.changing:
            past.owed.extend(_later(past, name))


def _later(past: Past, name: str) -> Iterator[StepOutdated]:
    for later in past.order.later(name):
        if _has_something(past, later.name):
            event = StepOutdated(later.name, name, clock.now(), later.ms)
            past.outdate(event)
            yield event


def _has_something(past: Past, name: str) -> bool:
    """Has this step a result, or what comes near one, that may be of what counts no more?"""
    last = past.unfinished.get(name)
    was_refused = isinstance(last, StepFailed) and bool(last.refused)
    has_row = past.in_doubt.get(name) == DATABASE  # perhaps
    return name in past.results or name in past.failures or was_refused or has_row
