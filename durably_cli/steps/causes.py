"""Which steps an exception came from.

The exception of a step is marked with the step's name, among its own attributes: there may be a
hundred thousand of them in an attempt, and none is to be held for that.
"""

from __future__ import annotations

from collections import deque

from durably_cli.journal.raised import IN_MEMORY_ONLY
from durably_cli.values.untrusted import members_of, origins_of, variables_of

_MARK = IN_MEMORY_ONLY + "step"


def mark(error: BaseException, step: str) -> None:
    """This exception is what the step raised."""
    dict.__setitem__(variables_of(error), _MARK, step)


def steps_of(error: BaseException | None) -> list[str]:
    """The steps whose exception it is, came from or groups, the nearest first.

    What an exception came from is its cause and what was handled when it was raised, even if it
    was raised `from None`.
    """
    found, seen = dict[str, None](), set[int]()
    pending = deque([error])
    while pending:
        one = pending.popleft()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        step = dict.get(variables_of(one), _MARK)
        if isinstance(step, str):
            found[step] = None
        pending += (*origins_of(one), *members_of(one))
    return list(found)
