"""A new run that starts with what another one has: its events are there before its first attempt.

They are rows of attempt 0, written with the run: whoever reads its events finds them first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.enqueue import insert_run
from durably_cli.engines.dbos.resumes import limit_attempts
from durably_cli.engines.dbos.stored import line_at
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.forking import Forked, ForkRequest, check_may_fork, forked
from durably_cli.engines.steps_of_origin import StepsOfOrigin
from durably_cli.journal.fold import fold
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.payload import ReadyInput

_BEFORE_ALL = 0
"""The attempt that they are of: the first one of the run itself is 1."""


def make_fork(
    database: RunDatabase,
    origin: str,
    asked: ForkRequest,
    settle: Callable[[Json], ReadyInput],
    seconds: float | None = None,
) -> Forked:
    """Make a run of what this one has, for a worker to execute: see `forked` and `check_may_fork`.

    Each attempt may take so many seconds.

    Busy if a worker executes that one.
    """
    view, steps = DatabaseView(database, origin), StepsOfOrigin()
    view.refuse_if_taken_up()
    state = fold(steps.noting(view.events()))
    check_may_fork(view.where, state)
    made = forked(steps, state, view.input(), view, asked, settle)
    lines = [line_at(place, event) for place, event in enumerate(made.events, 1)]
    run_id = made.created.run
    with database.transaction():
        insert_run(database, made.created)
        if seconds is not None:
            limit_attempts(database, run_id, seconds)
        database.change("insert into durably.forks values (%s, %s)", origin, run_id)
        database.change(
            "insert into durably.talk select %s, %s, * from unnest(%s::int[], %s::text[])",
            *(run_id, _BEFORE_ALL, list(range(1, len(lines) + 1)), lines),
        )
    return made
