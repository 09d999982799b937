"""Processes that are killed, the file that says what they did, and how many faults there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.crash.kills import FORTY_STEPS as FORTY_STEPS
from tests.crash.kills import check_forty as check_forty

_FAULTS = "faults"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is below this folder, so that one command runs it: `pytest -m crash`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.crash)


@pytest.fixture
def count(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Say through how many faults a test has put the tool; they count if the test passes."""
    return lambda number: record_property(_FAULTS, number)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many faults each part has put the tool through; 0 for what cannot be run here."""
    counts, reasons = Counter[str](), dict[str, str]()
    for report in terminalreporter.getreports("passed"):
        for name, number in getattr(report, "user_properties", ()):
            if name == _FAULTS and report.when == "call":
                counts[_part_of(report.nodeid)] += number
    for report in terminalreporter.getreports("skipped"):
        if "tests/crash/" in report.nodeid:
            counts[_part_of(report.nodeid)] += 0
            reasons[_part_of(report.nodeid)] = str(report.longrepr[-1])
    if not counts:
        return
    terminalreporter.section("faults")
    for part, number in counts.items():
        why = f"  (not all of it could be run: {reasons[part]})" if part in reasons else ""
        terminalreporter.write_line(f"{number:10,}  {part}{why}")
    terminalreporter.write_line(f"{counts.total():10,}  in all")


def _part_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")


@pytest.fixture
def forty(project: Project) -> Project:
    """A project whose job `forty` runs 40 steps, and writes down what it does."""
    project.job(FORTY_STEPS, "forty")
    return project
