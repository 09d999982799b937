"""How far a map is: what is done, what failed, how fast it goes, and how long it still takes."""

from __future__ import annotations

from durably_cli.render.live_map import LiveMap
from tests.conftest import DURABLY, Project
from tests.harness.terminals import TerminalWith


def made(done: int, *, failed: int = 0, seconds: float = 10) -> LiveMap:
    """A map of which so many items have ended, one behind the other, in so long."""
    found = LiveMap("fetch", 0.0)
    for number in range(done):
        found.begun(f"fetch[{number}]")
        now = seconds * (number + 1) / done
        found.ended(f"fetch[{number}]", now, goes_on=False, has_failed=number < failed)
    return found


def test_it_says_how_many_of_how_many_how_fast_and_how_long_still() -> None:
    found = made(100, failed=2)
    assert found.how_far(10).share is None
    assert found.how_far(10).of == "100 items"
    found.reported(100, 1100, 10)
    found.begun("fetch[a]")
    far = found.how_far(10)
    assert (far.share, far.of) == (100 / 1100, "100/1,100")
    assert far.more == (
        "✗ 2 failed",
        "1 m 40 s left",
        "10/s",
        "1 in flight",
    )


def test_the_rate_is_that_of_the_last_seconds() -> None:
    found = made(100, seconds=10)
    for number in range(40):
        found.ended(f"fetch[{number}]", 10 + number / 2, goes_on=False, has_failed=False)
    assert "1.9/s" in found.how_far(30).more


def test_replayed_items_are_done_and_say_nothing_of_the_rate() -> None:
    found = LiveMap("fetch", 0.0)
    for _ in range(1000):
        found.replayed()
    found.ended("fetch[a]", 2, goes_on=False, has_failed=False)
    far = found.how_far(2)
    assert (far.of, far.more) == ("1,001 items", ("0.5/s",))


def test_what_pauses_is_not_in_flight_and_is_no_failure() -> None:
    found = LiveMap("fetch", 0.0)
    found.begun("fetch[a]")
    found.pauses("fetch[a]")
    assert found.how_far(0.5).more == ("1 pausing",)
    found.begun("fetch[a]")
    assert found.how_far(0.5).more == ("1 in flight",)


MANY = """
    @define_job
    def many(step: Step, payload: dict) -> None:
        step.map("fetch", fetch, range(200), concurrency=4, on_error="collect")

    def fetch(number: int) -> int:
        if number == 5:
            raise ValueError("no")
        if number > 150:
            while not os.path.exists("go"):
                time.sleep(0.02)
        time.sleep(0.01)
        return number
"""


def test_the_live_line_says_how_far_a_map_is_and_the_end_how_many_items_it_had(
    project: Project,
) -> None:
    project.job("import os\n" + MANY.replace("\n    ", "\n"), "many")
    with TerminalWith(project, *DURABLY, "trigger", "many", columns=110) as terminal:
        terminal.read(until="4 in flight")
        terminal.read(until="✗ 1 failed")
        terminal.read(until="151/200")
        (project.root / "go").touch()
        shown = terminal.read()
    assert "200 items, 1 failed" in shown


def test_off_a_terminal_nothing_moves(project: Project) -> None:
    project.job("import os\n" + MANY.replace("\n    ", "\n"), "many")
    (project.root / "go").touch()
    err = project.run("trigger", "many").err
    assert "in flight" not in err
    assert "\x1b" not in err
    assert "progress 200 of 200 fetch, 1 failed" in err
