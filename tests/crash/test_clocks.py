"""Clocks that are wrong, go back, jump and stand still: during runs, between them, for readers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.conftest import Project
from tests.harness.clocks import LIBRARY, Place
from tests.harness.kills import check_forty
from tests.harness.quick import some_quick

Count = Callable[[int], None]

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")


class Course(NamedTuple):
    """What the clock shows when a run begins, after each of its steps, and to later attempts."""

    begins: str
    steps: tuple[str, ...]
    later: str


COURSES = {
    "right": Course("+0", ("+0", "+0", "+0", "+0"), "+1h"),
    "30 years behind": Course("-30y", ("-30y",) * 4, "-30y"),
    "100 years ahead": Course("+100y", ("+100y",) * 4, "+100y"),
    "never set": Course("@1970-01-01 00:00:01", ("@1970-01-01 00:00:02",) * 4, "+0"),
    "at the end of 32 bits": Course(
        "@2038-01-19 03:14:07", ("@2038-01-19 03:14:08", "+0", "@2038-01-19 03:14:07", "+0"), "+0"
    ),
    "going back": Course("+0", ("-1m", "-1h", "-3y", "-30y"), "-31y"),
    "going ahead": Course("+0", ("+1m", "+1h", "+10y", "+100y"), "+101y"),
    "to and fro": Course("+10y", ("-10y", "+5y", "-5y", "+0"), "-3h"),
    "hours behind in the second attempt": Course("+0", ("+0",) * 4, "-7h"),
    "standing still": Course("2030-01-01 00:00:00", ("2030-01-01 00:00:00",) * 4, "+0"),
}

JOB = """
    import uuid

    @define_job
    def clocked(step: Step, clocks: list[str]) -> dict:
        tokens = []
        for n, clock in enumerate(clocks):
            step.progress(n, len(clocks))
            tokens.append(step.run(f"step-{n}", once, n, clock))
            effect(f"ack {n} {tokens[-1]} {os.getpid()}")
            step.log.info(f"did {n}")
            if n == 2 and step.attempt == 1:
                step.run("fails", int, "no number")
        return {"tokens": tokens}

    def once(n: int, clock: str) -> str:
        token = uuid.uuid4().hex
        effect(f"run {n} {token} {os.getpid()}")
        time.sleep(0.002)
        with open(os.environ["CLOCK"], "w") as file:
            file.write(clock + "\\n")
        return token
"""

NEGATIVE = re.compile(r"(?<![\w:.\";-])-\d+(\.\d+)? ?(ms|s|m|min|h|d|w|y)\b")
"""A negative time, but for those in quotes: the input's."""
LONG_MS = 60_000
"""No step took so long: a time that is longer was taken by the wall clock."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    project = Project(tmp_path_factory.mktemp("clocks"))
    project.job(JOB, "clocked")
    return Place(project)


def numbers(found: object, name: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a JSON document, with their names."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from numbers(value, key)
    elif isinstance(found, list):
        for value in found:
            yield from numbers(value, name)
    elif isinstance(found, (int, float)):
        yield name, found


def check_document(text: str) -> None:
    for name, number in numbers(json.loads(text)):
        assert number >= 0, f"{name} is {number}"
        assert name != "ms" or number < LONG_MS, f"{name} is {number}, by the wall clock"


READING = (
    *("list", "list --since 2d", "inspect RUN", "logs RUN", "verify", "inspect RUN --events"),
    *("inspect RUN --html -", "inspect RUN --svg -", "list -n 0 --json", "inspect RUN --json"),
)


def look(place: Place, run: str) -> int:
    """All that can be read is told, nothing of it is negative; how many commands looked."""
    for command in READING:
        told = place.run(*(word.replace("RUN", run) for word in command.split())).out
        if command.endswith("--json"):
            check_document(told)
            continue
        assert not NEGATIVE.search(told), told
        if command.endswith("-"):
            assert not re.search(r'(width|height)[=:]\s*"?-|\b(nan|inf)\b["%]', told), told
    ids = [each["id"] for each in json.loads(place.run("list", "-n", "0", "--json").out)["runs"]]
    assert ids == sorted(set(ids), reverse=True)
    gone = place.run("prune", "--older-than", "1d", "--dry-run").out.split()
    assert set(gone) <= set(ids)
    return len(READING) + 2


EVERY = sorted({time for each in COURSES.values() for time in (each.begins, *each.steps)})
EVERY += ["-40y", "+150y"]


@pytest.mark.parametrize("some", [1, pytest.param(len(EVERY), marks=pytest.mark.campaign)])
@pytest.mark.parametrize("name", some_quick(COURSES, 3))
def test_a_run_is_completed_and_told_of_whatever_the_clock_shows(
    name: str, some: int, place: Place, count: Count
) -> None:
    """It fails and is resumed on its course, and is looked at with other clocks."""
    project, course = place.project, COURSES[name]
    key = f"{name} {some}"
    begin = "trigger", "clocked", "-i", json.dumps(course.steps), "--idempotency-key", key
    project.effects_path.unlink(missing_ok=True)
    place.set(course.begins)
    place.run(*begin, expect=1)
    place.set(course.steps[2])
    run = f"key:clocked/{key}"
    looked = 3 + look(place, run)
    place.set(course.later)
    done = place.run("resume", run)
    assert not NEGATIVE.search(done.err), done
    check_forty(project.effects, json.loads(done.out), len(course.steps))
    for time in random.sample(EVERY, some):
        place.set(time)
        looked += look(place, run) + 1
        assert place.run(*begin).out == done.out, "one key is one run at any time"
    for line in place.run("inspect", run, "--events").out.splitlines():
        check_document(line)
    executions = sum(line.startswith("run ") for line in project.effects)
    assert executions == len(course.steps), "it was executed again"
    count(looked)


@pytest.mark.long
def test_runs_of_all_times_have_ids_of_their_own_and_are_listed_by_their_clocks(
    place: Place, count: Count
) -> None:
    made: dict[str, str] = {}
    times = [course.begins for course in COURSES.values()] * 2
    for time in times:
        place.set(time)
        result = place.run("trigger", "clocked", "-i", "[]", "--json")
        made[json.loads(result.out)["run"]["id"]] = time
    assert len(made) == len(times)
    place.set("+0")
    look(place, next(iter(made)))
    newest = [made[run] for run in sorted(made, reverse=True)[:4]]
    assert newest == ["+100y"] * 2 + ["@2038-01-19 03:14:07"] * 2
    count(len(times))
