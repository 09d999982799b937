"""A step that is executed again: whether what came after it still counts.

It does if the new result is equal to the old one. If not, all that began after the step had
completed may have used the old one: none of that is replayed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from durably_cli.journal.events import StepOutdated
from durably_cli.steps.operation import Past
from durably_cli.system import clock
from durably_cli.values.strict_json import Json


def outdated(past: Past, name: str, result: Json) -> Iterator[StepOutdated]:
    """The steps whose results count no more, now that this one gives that."""
    before = past.redone.pop(name, None)
    if before is None or before.only or digest(result) == before.sha256:
        return
    for later in past.later(name):
        if later.name in past.results or later.name in past.failures:
            event = StepOutdated(later.name, name, clock.now(), later.ms)
            past.forget(later.name)
            past.unfinished[later.name] = event
            yield event


def digest(result: Json) -> str:
    """The sha256 of a result, the same for equal ones."""
    from hashlib import sha256  # few steps are executed again

    return sha256(json.dumps(json.loads(result), sort_keys=True).encode()).hexdigest()
