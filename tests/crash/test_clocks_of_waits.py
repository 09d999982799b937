"""Waits of days and the wall clock: it is set, its zone changes, the machine sleeps or is booted.

What a run waits for is journalled once, and ends by the clock of whoever looks at it.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conftest import Project, Started
from tests.harness.clocks import LIBRARY, Place
from tests.harness.quick import some_quick

Count = Callable[[int], None]

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")

JOB = """
    from durably_cli import AsyncStep

    def called():
        effect("called")

    def sleep(step):
        step.sleep("wait", "3d")

    def until(step):
        step.sleep("wait", until=os.environ["UNTIL"])

    def poll(step):
        step.poll("wait", called, every="1d", timeout="3d")

    def ask(step):
        return step.wait_signal("wait", int, timeout="3d", default=-1)

    def child(step):
        return step.run_job("wait", inner, None)

    @define_job
    def inner(step: Step) -> None:
        step.sleep("wait", "3d")

    class Of(BaseModel):
        kind: str

    @define_job
    def work(step: Step, payload: Of) -> int | str | None:
        step.run("before", effect, "before")
        try:
            given = globals()[payload.kind](step)
        except Exception as error:
            given = type(error).__name__
        step.run("after", effect, "after")
        return given

    @define_job
    async def in_tasks(step: AsyncStep, payload: Of) -> None:
        await step.run("before", effect, "before")
        await step.sleep("wait", "3d")
        await step.run("after", effect, "after")
"""

KINDS = {"sleep": None, "poll": "WaitTimeout", "ask": -1, "child": None, "in-tasks": None}
"""What comes of each kind of wait if nothing but time does."""


def job_of(kind: str) -> str:
    return kind if kind == "in-tasks" else "work"


each_kind = pytest.mark.parametrize("kind", some_quick(KINDS, 1))


@pytest.fixture
def place(project: Project) -> Place:
    project.job(JOB)
    return Place(project)


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < ends, "it never comes to be so"
        time.sleep(0.02)


def sits(place: Place, kind: str) -> Started:
    """A process that sits by a wait."""
    process = place.project.start("trigger", job_of(kind), "--kind", kind)
    wait_until(lambda: len(waits_of(place)) == 1 + (kind == "child"))
    return process


def waits_of(place: Place) -> list[dict[str, Any]]:
    """The waits that runs have begun, as the journals have them: one a run."""
    lines = [
        json.loads(line)
        for path in sorted(place.project.data.glob("*/runs/*/*.jsonl"))
        for line in path.read_text().splitlines(keepends=True)
        if line.endswith("\n")
    ]
    return [line for line in lines if line["type"] == "step.waiting"]


def planned(place: Place) -> list[str]:
    """Why a tick would take runs up now."""
    found = json.loads(place.run("tick", "--dry-run", "--json").out)["runs"]
    return [run["why"] for run in found]


def check_waited(place: Place, kind: str, begun: list[dict[str, Any]]) -> None:
    """What was done has been done once, and all of it by the wait that was begun first."""
    done = [line for line in place.project.effects if line != "called"]
    assert done == ["before", "after"]
    assert waits_of(place) == begun
    assert place.project.runs()[-1]["status"] == "completed"
    assert place.project.inspect(f"@last/{job_of(kind)}")["output"] == KINDS[kind]
    place.run("verify")


@each_kind
def test_set_forward_past_the_deadline_a_process_that_sits_goes_on(
    kind: str, place: Place, count: Count
) -> None:
    with sits(place, kind) as process:
        begun = waits_of(place)
        place.set("+4d")
        assert process.result().code == 0
    check_waited(place, kind, begun)
    count(1)


@each_kind
def test_set_back_a_process_that_sits_waits_for_the_deadline_that_was_journalled(
    kind: str, place: Place, count: Count
) -> None:
    with sits(place, kind) as process:
        begun = waits_of(place)
        for moment in ("-2d", "-30y", "+2d"):
            place.set(moment)
            assert not process.has_ended(0.3)
        place.set("+73h")
        assert process.result().code == 0
    check_waited(place, kind, begun)
    count(4)


@each_kind
def test_set_to_and_fro_between_attempts_there_is_one_wait_with_one_deadline(
    kind: str, place: Place, count: Count
) -> None:
    place.run("trigger", job_of(kind), "--kind", kind, "--suspend", expect=75)
    begun = waits_of(place)
    polls = kind == "poll"
    for moment in ("-2d", "+2d", "-1h"):
        place.set(moment)
        assert planned(place) == (["due"] if polls and moment == "+2d" else [])
        place.run("resume", f"@last/{job_of(kind)}", "--suspend", expect=75)
        assert waits_of(place) == begun
    place.set("+4d")
    assert planned(place) == ["due"]
    place.run("tick")
    check_waited(place, kind, begun)
    count(4)


SHORT = {
    "sleep": ("step.sleep('wait', 1)", None),
    "poll": ("step.poll('wait', lambda: None, every=0.3, timeout=1, returns=int)", "WaitTimeout"),
    "ask": ("step.wait_signal('wait', int, timeout=1)", "WaitTimeout"),
    "default": ("step.wait_signal('wait', int, timeout=1, default=-1)", -1),
}
"""Short waits of each kind, and what comes of them."""


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("kind", SHORT)
def test_a_short_wait_ends_though_the_clock_is_set_back(
    kind: str, is_async: bool, place: Place, count: Count
) -> None:
    asked, given = SHORT[kind]
    place.project.job(f"""
        from durably_cli import AsyncStep

        @define_job
        {"async " * is_async}def short(step: {"Async" * is_async}Step) -> int | str | None:
            try:
                return {"await " * is_async}{asked}
            except Exception as error:
                return type(error).__name__
    """)
    with place.project.start("trigger", "short") as process:
        wait_until(lambda: waits_of(place))
        place.set("-30d")
        assert process.result().code == 0
    assert place.project.inspect()["output"] == given
    assert len(waits_of(place)) == 1
    count(1)


@each_kind
def test_a_closed_lid(kind: str, place: Place, count: Count) -> None:
    with sits(place, kind) as process:
        begun = waits_of(place)
        process.send_signal(signal.SIGSTOP)
        assert process.has_stopped()
        place.set("+4d")
        assert planned(place) == [], "its process lives"
        process.send_signal(signal.SIGCONT)
        assert process.result().code == 0
    check_waited(place, kind, begun)
    count(2)


@each_kind
def test_after_a_reboot_a_tick_goes_on_with_what_sat(kind: str, place: Place, count: Count) -> None:
    """One soon after it, and one behind the deadline."""
    with sits(place, kind) as process:
        assert process.is_killed()
    begun = waits_of(place)
    for moment in ("+25h", "+4d"):
        assert waits_of(place) == begun
        assert place.project.runs()[-1]["status"] == "waiting"
        place.set(moment)
        place.run("tick")
    check_waited(place, kind, begun)
    count(1)


@pytest.mark.parametrize("broken", ["1 / 0", "os.kill(os.getpid(), 9)"])
def test_a_tick_that_goes_on_tries_again_later_what_could_not_begin(
    broken: str, place: Place, count: Count
) -> None:
    """A service of systemd may go on for a month."""
    place.run("trigger", "work", "--kind", "sleep", "--suspend", expect=75)
    place.set("+4d")
    place.project.job(broken)
    with place.project.start("tick", "--for", "1d") as tick:
        assert tick.stdout is not None
        assert "due\twaiting" in tick.stdout.readline()
        place.project.job(JOB)
        place.set("+97h")
        assert "due\tcompleted" in tick.stdout.readline()
        tick.terminate()
    count(1)


@pytest.mark.parametrize("is_late", [False, True])
def test_an_answer_to_a_stopped_process_counts_if_it_was_in_time(
    is_late: bool, place: Place, count: Count
) -> None:
    with sits(place, "ask") as process:
        process.send_signal(signal.SIGSTOP)
        assert process.has_stopped()
        if is_late:
            place.set("+4d")
        place.run("signal", "@last/work", "wait", "-i", "7", expect=5 if is_late else 0)
        place.set("+4d")
        process.send_signal(signal.SIGCONT)
        assert process.result().out == ("-1\n" if is_late else "7\n")
    count(2)


@pytest.mark.parametrize(
    ("given", "local", "deadline"),
    [
        ("2027-03-28T02:30", "2027-03-28 03:30:00+02:00", "2027-03-28T01:30:00.000Z"),
        ("2027-03-28T03:00", "2027-03-28 03:00:00+02:00", "2027-03-28T01:00:00.000Z"),
        ("2027-10-31T02:30", "2027-10-31 02:30:00+02:00", "2027-10-31T00:30:00.000Z"),
        ("2027-10-31T03:00", "2027-10-31 03:00:00+01:00", "2027-10-31T02:00:00.000Z"),
    ],
    ids=["in the gap", "behind the gap", "twice there", "behind that"],
)
def test_a_local_time_where_the_hours_change_is_one_moment_wherever_one_looks(
    given: str, local: str, deadline: str, place: Place, count: Count
) -> None:
    place.project.env |= {"TZ": "Europe/Berlin", "UNTIL": given}
    place.set(moved_to(deadline, -24 * 3600))
    suspended = place.run("trigger", "work", "--kind", "until", "--suspend", expect=75)
    assert f"is taken as local: {local}" in suspended.err
    begun = waits_of(place)
    assert [wait["until"] for wait in begun] == [deadline]
    for zone in ("Europe/Berlin", "UTC", "Pacific/Auckland"):
        place.project.env["TZ"] = zone
        place.set(moved_to(deadline, -600))
        assert planned(place) == []
        place.set(moved_to(deadline, 1))
        assert planned(place) == ["due"]
    place.run("tick")
    check_waited(place, "sleep", begun)
    count(6)


def test_a_day_has_24_hours_also_where_the_hours_change(place: Place, count: Count) -> None:
    place.project.env["TZ"] = "Europe/Berlin"
    place.project.job("""
        @define_job
        def day(step: Step) -> None:
            step.sleep("wait", "1d")
    """)
    begins = "2027-03-27T12:00:00.000Z"
    place.set(moved_to(begins, 0))
    place.run("trigger", "day", "--suspend", expect=75)
    (begun,) = waits_of(place)
    waited = datetime.fromisoformat(begun["until"]) - datetime.fromisoformat(begun["at"])
    assert abs(waited.total_seconds() - 24 * 3600) < 1
    count(1)


def moved_to(moment: str, seconds: int) -> str:
    """What sets the clock to so many seconds behind this moment."""
    left = datetime.fromisoformat(moment) - datetime.now(UTC)
    return f"{round(left.total_seconds()) + seconds:+d}"
