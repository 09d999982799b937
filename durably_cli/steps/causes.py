"""Which steps an exception came from.

The exception of a step is marked with the step's name, among its own attributes: there may be a
hundred thousand of them in an attempt, and none is to be held for that.
"""

from __future__ import annotations

from durably_cli.journal.raised import IN_MEMORY_ONLY
from durably_cli.journal.step_names import scopes_of
from durably_cli.values.untrusted import all_of, variables_of

_MARK = IN_MEMORY_ONLY + "step"


def mark(error: BaseException, step: str) -> None:
    """This exception is what the step raised; if an item did, and its map as well, the item."""
    variables = variables_of(error)
    before = dict.get(variables, _MARK)
    if not isinstance(before, str) or step not in scopes_of(before):
        dict.__setitem__(variables, _MARK, step)


def steps_of(error: BaseException | None) -> list[str]:
    """The steps whose exception it is, came from or groups, the nearest first.

    What an exception came from is its cause and what was handled when it was raised, even if it
    was raised `from None`.
    """
    chain = () if error is None else all_of(error)
    marks = (dict.get(variables_of(one), _MARK) for one in chain)
    return list(dict.fromkeys(step for step in marks if isinstance(step, str)))
