"""What commands print with `--json` of runs that workers execute is as `help --json` promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.documents import Contract
from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

JOBS = """
    def bad():
        raise RuntimeError("bad")

    @define_job
    def good(step: Step) -> int:
        step.log.info("logged", n=1)
        return step.run("one", int)

    @define_job
    def fails(step: Step) -> None:
        step.run("bad", bad)

    @define_job
    def waits(step: Step) -> int:
        return step.wait_signal("answer", int)
"""

CASES = [
    ("trigger good", 0),
    ("trigger fails", 1),
    ("trigger nothing", 4),
    ("trigger waits --suspend", 75),
    ("trigger good --detach", 0),
    ("resume @last/good", 0),
    ("resume @last/fails", 1),
    ("resume @last/fails --dry-run", 0),
    ("fork @last/good", 0),
    ("list", 0),
    ("list --engine local", 0),
    ("inspect @last/good", 0),
    ("inspect ffff", 4),
    ("wait @last/fails", 1),
    ("signal @last/waits answer -i 1", 0),
    ("signal @last/good answer -i 1", 5),
    ("cancel @last/good", 5),
    ("export @last/good -o FILE", 0),
    ("prune --older-than 1d --yes", 0),
    ("delete @last/good", 0),
    ("verify", 2),
    ("engine status", 0),
    ("engine init", 0),
]


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[WorkedProject]:
    """A project that has a run of each job."""
    project = WorkedProject(tmp_path_factory.mktemp("documents"), database_url)
    try:
        project.job(JOBS)
        project.work()
        for job, code in (("good", 0), ("fails", 1)):
            project.run("trigger", job, expect=code)
        project.run("trigger", "waits", "--suspend", expect=75)
        yield project
    finally:
        project.end()


@pytest.fixture(scope="module")
def contract(peopled: WorkedProject) -> Contract:
    return Contract(json.loads(peopled.run("help", "--json").out))


def test_each_document_is_as_promised(
    peopled: WorkedProject, contract: Contract, tmp_path: Path
) -> None:
    for line, code in CASES:
        words = line.replace("FILE", str(tmp_path / "bundle")).split()
        printed = peopled.run(*words, "--json", expect=code).out
        document = contract.check_document(words[0], printed, code)
        for command in document["next"]:
            assert "durably" in command, (line, command)


def test_lines_are_as_promised(peopled: WorkedProject, contract: Contract) -> None:
    peopled.run("trigger", "good")
    contract.check_lines("logs", peopled.run("logs", "@last/good", "--json").out, 0)
    contract.check_lines("inspect", peopled.run("inspect", "@last/good", "--events").out, 0)
