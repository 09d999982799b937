"""A step that is executed again: whether what came after it still counts.

It does if the new result is equal to the old one. If not, all that began after the step had
completed may have used the old one: none of that is replayed. What came last is said first: an
attempt that is cut short in between leaves no step that has used what counts no more, and the next
one may give the old result again.
"""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli.journal.step_events import StepOutdated
from durably_cli.steps.operation import Past
from durably_cli.system import clock
from durably_cli.values.strict_json import Json


def outdated(past: Past, name: str, result: Json) -> Iterator[StepOutdated]:
    """The steps whose results count no more, now that this one gives that."""
    before = past.redone.pop(name, None)
    if before is None or before.only:
        return
    from durably_cli.values.named_files import result_sha256  # few steps are executed again

    if result_sha256(result) == before.sha256:
        return
    for later in reversed(list(past.order.later(name))):
        if later.name in past.results or later.name in past.failures:
            event = StepOutdated(later.name, name, clock.now(), later.ms)
            past.forget(later.name)
            past.unfinished[later.name] = event
            yield event
