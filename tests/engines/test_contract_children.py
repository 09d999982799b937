"""Runs that are steps of other runs, on every engine: what commands and effects say of them."""

from __future__ import annotations

import json
import time

from tests.conftest import Project
from tests.engines.conftest import begin

JOBS = """
    class Load(BaseModel):
        name: str
        fails: bool = False

    def last(name):
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect(f"last {name}")

    @define_job
    def load(step: Step, payload: Load) -> str:
        step.run("first", effect, f"first {payload.name}")
        return step.run("last", last, payload.name) if payload.fails else payload.name

    @define_job
    def both(step: Step, *, fails: bool = False) -> list[str]:
        one = step.run_job("one", load, Load(name="one"))
        two = step.run_job("two", load, Load(name="two", fails=fails))
        return [one, two, step.run("behind", effect, "behind")]
"""

ASKS = """
    @define_job
    def ask(step: Step) -> int:
        step.run("asked", effect, "asked")
        return step.wait_signal("answer", int)

    @define_job
    def above(step: Step) -> int:
        return step.run_job("question", ask, None) + 1
"""


def newest(place: Project, job: str) -> str:
    """The id of the newest run of this job."""
    return str(place.runs("--job", job)[0]["id"])


def test_a_run_that_is_a_step_gives_its_output(place: Project) -> None:
    place.job(JOBS)
    begin(place)
    assert json.loads(place.run("trigger", "both").out) == ["one", "two", "behind"]
    assert place.effects == ["first one", "first two", "behind"]
    jobs = sorted((run["job"], run["status"]) for run in place.runs())
    assert jobs == [("both", "completed"), ("load", "completed"), ("load", "completed")]


def test_one_that_fails_is_resumed_with_the_run_above_it(place: Project) -> None:
    place.job(JOBS)
    begin(place)
    failed = place.run("trigger", "both", "--fails", expect=1)
    assert "not mended" in failed.err
    (place.root / "mended").touch()
    above = newest(place, "both")
    assert json.loads(place.run("resume", above).out) == ["one", "last two", "behind"]
    assert place.effects == ["first one", "first two", "last two", "behind"]
    assert len(place.runs()) == 3, "none was made again"


def test_it_is_cancelled_with_the_run_above_it(place: Project) -> None:
    place.job(ASKS)
    begin(place)
    with place.start("trigger", "above") as waiting:
        place.wait_for_effects(1)
        above = newest(place, "above")
        place.run("cancel", above, "--reason", "wrong month", "--timeout", "60s")
        assert waiting.result().code == 3
    below = newest(place, "ask")
    place.run("wait", below, "--timeout", "60s", expect=3)
    assert {run["status"] for run in place.runs()} == {"cancelled"}


def test_a_signal_to_the_run_above_reaches_it(place: Project) -> None:
    place.job(ASKS)
    begin(place)
    with place.start("trigger", "above") as waiting:
        place.wait_for_effects(1)
        above = newest(place, "above")
        while place.inspect(above)["status"] != "waiting":
            time.sleep(0.1)
        place.run("signal", above, "answer", "-i", "41")
        assert waiting.result().out == "42\n"
    assert place.effects == ["asked"]


def test_a_step_that_is_redone_has_a_new_one(place: Project) -> None:
    place.job(JOBS)
    begin(place)
    place.run("trigger", "both", "--fails", expect=1)
    (place.root / "mended").touch()
    above = newest(place, "both")
    place.run("resume", above, "--redo", "one")
    assert place.effects.count("first one") == 2
    assert len(place.runs()) == 4
