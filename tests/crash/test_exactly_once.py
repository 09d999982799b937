"""What a transaction of a step does happens once, wherever durably is killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Project
from tests.crash.exactly_once import STEPS, database_of, trial
from tests.harness.postgresql import NONE_HERE, server


@pytest.mark.parametrize(
    ("kind", "way", "every"),
    [
        pytest.param("SQLite", "transaction", 3, marks=pytest.mark.long),
        pytest.param("SQLite", "transaction", 1, marks=pytest.mark.campaign),
        pytest.param("SQLite", "plain", 1, marks=pytest.mark.campaign),
        pytest.param("PostgreSQL", "transaction", 1, marks=pytest.mark.campaign),
        pytest.param("PostgreSQL", "plain", 1, marks=pytest.mark.campaign),
    ],
)
def test_killed_at_every_call_that_changes_the_disk(
    project: Project, kind: str, way: str, every: int, count: Callable[[int], None]
) -> None:
    """A plain step is the control: of each of them one kill comes before its line is written."""
    with server() as url:
        if kind == "PostgreSQL" and url is None:
            pytest.skip(NONE_HERE)
        found = trial(project, way, *database_of(kind, way, project, url or ""), every)
    count(found.kills)
    assert found.kills > 10 * STEPS // (2 * every - 1)
    assert (found.twice, found.missing) == (STEPS if way == "plain" else 0, 0)
