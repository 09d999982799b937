"""Processes that are killed, the file that says what they did, and the count of the faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.engines.conftest import database_url as database_url
from tests.engines.conftest import worked as worked
from tests.harness.counting import FAULTS
from tests.harness.kills import FORTY_STEPS as FORTY_STEPS
from tests.harness.kills import check_forty as check_forty


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is below this folder, so that one command runs it: `pytest -m crash`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.crash)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Say through how many faults a test has put the tool; they count if the test passes."""
    return lambda number: record_property(FAULTS, number)


@pytest.fixture
def forty(project: Project) -> Project:
    """A project whose job `forty` runs 40 steps, and writes down what it does."""
    project.job(FORTY_STEPS, "forty")
    return project
