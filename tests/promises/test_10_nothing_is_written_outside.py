"""durably itself writes nothing outside its data and cache folders."""

from __future__ import annotations

from tests.conftest import Project
from tests.harness.snapshots import snapshot


def test_whatever_is_called(project: Project) -> None:
    project.job("@define_job\ndef job(step: Step, payload: dict) -> int:\n    return 1\n")
    home = project.root.parent
    ours = (project.data, project.cache)
    before = snapshot(home, but=ours)
    for words in ("trigger job", "trigger job -q --idempotency-key k", "resume @last", "jobs"):
        project.run(*words.split())
    for words in ("list", "inspect @last", "verify", "info", "delete @last", "help"):
        project.run(*words.split())
    assert snapshot(home, but=ours) == before
