"""Runs that Python code brings about, on every engine."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import Project
from tests.engines.conftest import begin
from tests.engines.jobs import FAILS_UNTIL_MENDED

JOBS = f"""{FAILS_UNTIL_MENDED}
    @define_job
    def asks(step: Step) -> int:
        return step.wait_signal("answer", int) + 1

    @define_job
    def above(step: Step) -> str:
        return step.run("it", lambda: str(work.trigger().status))
"""


def python(place: Project, text: str) -> list[str]:
    """What a program prints that has the jobs."""
    program = f"from jobs.work import *\nimport durably\n{text}"
    command = (sys.executable, "-c", program)
    done = subprocess.run(
        command, cwd=place.root, env=place.env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done
    return done.stdout.splitlines()


def test_a_run_is_triggered_mended_and_resumed(place: Project) -> None:
    place.job(JOBS)
    begin(place)
    said = python(
        place,
        "run = work.trigger(idempotency_key='today', labels={'of': 'me'})\n"
        "print(run.status, run.error.message, run.failed_steps)\n"
        "open('mended', 'w').close()\n"
        "again = work.trigger(idempotency_key='today')\n"
        "print(again.id == run.id, again.status, again.disposition)\n"
        "print(work.resume(run.id).output)\n"
        "print(work.trigger(idempotency_key='today').output)\n",
    )
    assert said == [
        "failed not mended ['bad']",
        "True failed idempotent",
        "['one', 'bad']",
        "['one', 'bad']",
    ]
    assert place.effects == ["one", "bad"]
    assert place.runs()[0]["labels"] == {"of": "me"}


def test_one_that_waits_is_left_answered_and_taken_up(place: Project) -> None:
    place.job(JOBS)
    begin(place)
    said = python(
        place,
        "run = asks.trigger(suspend=True)\n"
        "print(run.status)\n"
        "durably.signal(run.id, 'answer', 41)\n"
        "print(asks.resume(run.id).output)\n",
    )
    assert said == ["waiting", "42"]
