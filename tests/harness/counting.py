"""How many faults the campaign has put the tool through, told at the end of a test run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

FAULTS = "faults"
"""The property of a test that says how many there were."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, and how many faults each part has put the tool through, which may be 0."""
    _say_left_out(terminalreporter)
    counts, reasons = Counter[str](), dict[str, str]()
    for report in terminalreporter.getreports("passed"):
        for name, number in getattr(report, "user_properties", ()):
            if name == FAULTS and report.when == "call":
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


def _say_left_out(terminalreporter: pytest.TerminalReporter) -> None:
    """How many tests could not be run here, and what they take."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(str(report.longrepr[-1]).removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("left out")
    for reason, number in reasons.items():
        terminalreporter.write_line(f"{number:10,}  {reason}")


def _part_of(nodeid: str) -> str:
    return Path(nodeid.partition("::")[0]).stem.removeprefix("test_").replace("_", " ")
