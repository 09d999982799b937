"""Reading commands change nothing but a cache, and import no job."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.harness.snapshots import snapshot

READING = (
    "list",
    "list --json -n 0",
    "list --status failed",
    "inspect @last",
    "inspect @last --json",
    "inspect @last --events",
    "logs @last",
    "verify",
    "info",
    "help care",
)


@pytest.mark.parametrize("words", READING)
def test_looking(project: Project, words: str) -> None:
    project.job(
        """
        effect("imported")

        @define_job
        def job(step: Step, payload: dict) -> None:
            step.log.info("line")
            step.run("one", int)
            raise ValueError("no")
        """
    )
    project.run("trigger", "job", expect=1)
    before, imported = snapshot(project.data, project.root), len(project.effects)
    project.run(*words.split())
    assert snapshot(project.data, project.root) == before
    assert len(project.effects) == imported
