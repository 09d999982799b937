"""What a handler logs and reports between steps is there once, however often it is replayed."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import Project

REPORTING = """
    import logging
    from durably_cli import Secret

    class Input(BaseModel):
        token: Secret | None = None

    @define_job(input=Input)
    def reports(step: Step, payload: Input) -> None:
        logging.basicConfig(format="LOGGING %(message)s")
        step.log.warn("begins", token=payload.token and payload.token.get_secret_value())
        step.log.warn("attempt", number=step.attempt)
        step.log.warn("large " + "x" * 100_000)
        for n in range(2):
            step.run(f"part-{n}", effect, f"part-{n}")
            step.log.warn("a part is done")
            step.progress(n + 1, 4, f"attempt {step.attempt}")
        step.run("flaky", flaky, step)
        step.log.warn("a part is done")
        step.progress(4, 4)

    def flaky(step: Step) -> None:
        step.log.warn("tries")
        step.progress(3, 4)
        effect("flaky")
        if len(open(os.environ["EFFECTS"]).readlines()) < 5:
            raise OSError("not yet")
"""


def _events(project: Project, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, project.journal().read_text().splitlines())
    return [line for line in lines if line["type"] == kind]


def test_a_replay_repeats_no_log_line_and_no_progress(project: Project) -> None:
    project.job(REPORTING.replace("\n    ", "\n"))
    project.env["TOKEN"] = "a-token-of-12"
    first = project.run("trigger", "reports", "--token", "env:TOKEN", expect=1)
    again = project.run("resume", "@last", expect=1)
    last = project.run("resume", "@last")
    logged = [line["message"][:20] for line in _events(project, "log.written")]
    begins = ["begins", "attempt", "large " + "x" * 14]
    parts = ["a part is done"] * 2
    assert logged == [*begins, *parts, "tries", "attempt", "tries", "attempt", "tries", parts[0]]
    reported = [line["current"] for line in _events(project, "progress.reported")]
    assert reported == [1, 2, 3, 3, 3, 4]
    assert "a part is done" in first.err
    for resumed in (again, last):
        assert "LOGGING attempt number" in resumed.err
        assert "begins" not in resumed.err
    assert "a part is done" not in again.err
    assert last.err.count("a part is done") == 1, "behind a step that was executed"


def test_progress_does_not_go_back_when_a_run_is_resumed(project: Project) -> None:
    project.job(
        """
        @define_job
        def halves(step: Step, payload: dict) -> None:
            step.run("first", print)
            if step.attempt == 1:
                step.progress(1, 2)
            raise OSError("not yet")
        """
    )
    project.run("trigger", "halves", expect=1)
    project.run("resume", "@last", expect=1)
    progress = project.inspect()["progress"]
    assert (progress["current"], progress["total"]) == (1, 2)


def test_a_line_is_a_repetition_as_often_as_it_was_logged_before(project: Project) -> None:
    project.job(
        """
        @define_job
        def repeats(step: Step) -> None:
            for _ in range(step.attempt):
                step.log.warn("the same")
            raise OSError("not yet")
        """
    )
    project.run("trigger", "repeats", expect=1)
    for _ in range(2):
        project.run("resume", "@last", expect=1)
    assert len(_events(project, "log.written")) == 3
