"""One idempotency key takes equal inputs, whatever text they are, from Python and from commands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Project

JOB = """
    from datetime import datetime
    from uuid import UUID, uuid4
    from pydantic import Field
    from durably_cli import Secret

    os.environ["TOKEN"] = "hunter2-hunter2"

    class Input(BaseModel):
        tags: set[str] = set()
        at: datetime | None = None
        loud: bool = False
        id: UUID = Field(default_factory=uuid4)
        text: str = ""
        token: Secret | None = None

    @define_job
    def work(step: Step, payload: Input) -> str:
        if payload.text == "die":
            os.kill(os.getpid(), 9)
        return step.run("id", lambda: effect(str(payload.id)))
"""
ONE = {"tags": ["a", "b", "c", "d"], "at": "2026-01-01", "token": "env:TOKEN"}
SAME = {"tags": ["d", "c", "a", "b"], "at": "2026-01-01T00:00", "loud": False, "token": "env:TOKEN"}

WORDS = ("trigger", "work", "--idempotency-key", "k", "-i")


@pytest.fixture
def work(project: Project) -> Iterator[Project]:
    project.job(JOB)
    yield project
    for path in project.data.rglob("keys/*"):
        assert "hunter2" not in path.read_text()


def trigger(project: Project, given: Any, expect: int | None = 0, **popen: Any) -> str:
    text = given if isinstance(given, str) else json.dumps(given)
    result = project.run(*WORDS, text, expect=expect, **popen)
    return result.out or result.err


def forget_the_form(project: Project) -> None:
    """Make the claim one of an earlier durably."""
    (path,) = project.data.rglob("keys/*")
    claim = json.loads(path.read_text())
    assert claim.pop("canonical_sha256")
    path.write_text(json.dumps(claim) + "\n")


def test_sets_moments_and_defaults_are_compared_as_the_model_reads_them(work: Project) -> None:
    first = trigger(work, ONE)
    assert trigger(work, SAME) == first
    other = trigger(work, SAME | {"loud": True}, expect=5)
    assert re.search("another input, for run .{8}: loud was false and is true now\n", other)
    assert "durably help care" in other and "delete" not in other
    assert "used with another input" in trigger(work, ONE | {"id": "0" * 32}, expect=5)
    assert "did you mean 'loud'?" in work.run(*WORDS, json.dumps(SAME | {"luod": True})).err
    assert "loud: Input should be a valid boolean" in trigger(work, ONE | {"loud": 5}, expect=65)
    assert len(work.effects) == 1


def test_a_claim_of_before_is_compared_by_its_run(work: Project) -> None:
    known = {"id": "0" * 32, "text": "x" * 70_000}  # a large input stands in a file of its own
    (work.root / "one.json").write_text(json.dumps(ONE | known))
    (work.root / "same.json").write_text(json.dumps(SAME | known))
    first = trigger(work, "@one.json")
    forget_the_form(work)
    assert trigger(work, "@same.json") == first
    assert "used with another input" in trigger(work, SAME, expect=5)


def test_a_claim_without_its_run_is_completed_by_an_equal_input(work: Project) -> None:
    trigger(work, ONE)
    journal = work.journal()
    journal.unlink()
    trigger(work, SAME | {"loud": True}, expect=5)
    trigger(work, SAME)
    assert work.journal() == journal


def test_a_run_that_was_killed_is_taken_up_by_an_equal_input(work: Project) -> None:
    trigger(work, ONE | {"text": "die"}, expect=-9)
    work.job(JOB.replace('"die"', '"live"'))
    trigger(work, SAME | {"text": "die"})
    assert len(work.runs()) == 1


def test_python_gives_sets_in_any_order_and_factories_make_what_they_like(work: Project) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(work.root)!r})\n"
        "from durably_cli import Secret\n"
        "from jobs.work import Input, work\n"
        "from datetime import datetime\n"
        "given = Input(tags=set('abcd'), at=datetime(2026, 1, 1), token=Secret.env('TOKEN'))\n"
        "print(work.trigger(given, idempotency_key='k').disposition)\n"
    )
    said = []
    for seed in "1", "2", "3":
        done = subprocess.run(
            (sys.executable, "-c", program),
            env=work.env | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        )
        said.append(done.stdout or done.stderr)
    assert said == ["created\n", "idempotent\n", "idempotent\n"]
    assert json.loads(trigger(work, SAME)) == work.effects[0]


def test_no_job_is_imported_for_the_same_text(work: Project) -> None:
    first = trigger(work, ONE)
    work.job("raise RuntimeError('broken')")
    assert trigger(work, ONE) == first
    assert "broken" in trigger(work, SAME, expect=78)
