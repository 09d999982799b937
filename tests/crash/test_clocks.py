"""Clocks that are wrong, go back, jump and stand still: during runs, between them, for readers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from tests.conftest import Project
from tests.harness.clocks import Clock, needs_library
from tests.harness.kills import check_forty

pytestmark = needs_library


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
        begun = time.perf_counter()
        while time.perf_counter() < begun + 0.002:  # libfaketime does not get time.sleep right
            pass
        with open(os.environ["CLOCK"], "w") as file:
            file.write(clock + "\\n")
        return token
"""

NEGATIVE = re.compile(r"(?<![\w:.\";-])-\d+(\.\d+)? ?(ms|s|m|min|h|d|w|y)\b")
"""A negative time, but for those in quotes: the input's."""
LONG_MS = 60_000
"""No step took so long: a time that is longer was taken by the wall clock."""


class Place(NamedTuple):
    """A project whose runs are of all times, and its clock."""

    project: Project
    clock: Clock


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    project = Project(tmp_path_factory.mktemp("clocks"))
    project.job(JOB, "clocked")
    clock = Clock(project)
    return Place(project, clock)


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


def look(place: Place, run: str) -> int:
    """All that can be read is told, nothing of it is negative; how many commands looked."""
    project, folder = place.project, place.project.root
    texts = [
        project.run(*words).out
        for words in (
            *(("list",), ("list", "--since", "2d"), ("inspect", run), ("logs", run)),
            *(("inspect", run, "--events"), ("verify",)),
        )
    ]
    documents = [
        project.run(*words, "--json").out for words in (("list", "-n", "0"), ("inspect", run))
    ]
    ids = [run["id"] for run in json.loads(documents[0])["runs"]]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids, reverse=True)
    for document in documents:
        check_document(document)
    gone = project.run("prune", "--older-than", "1d", "--dry-run").out.split()
    assert set(gone) <= set(ids)

    page, picture = folder / "run.html", folder / "run.svg"
    project.run("inspect", run, "--html", str(page))
    project.run("inspect", run, "--svg", str(picture))
    ElementTree.parse(picture)
    for path in (page, picture):
        drawn = path.read_text()
        assert not re.search(r'(width|height)[=:]\s*"?-|\b(nan|inf)\b["%]', drawn), path.name
        texts.append(drawn)
        path.unlink()
    for text in texts:
        assert not NEGATIVE.search(text), text
    return len(texts) + len(documents)


def follow(place: Place, name: str, looks: set[str]) -> int:
    """A run that fails and is resumed on its course, looked at with all clocks; the commands."""
    project, clock = place
    course = COURSES[name]
    looked, run = 0, f"key:clocked/{name} {len(looks)}"
    begin = "trigger", "clocked", "-i", json.dumps(course.steps)
    begin = *begin, "--idempotency-key", run.partition("/")[2]
    project.effects_path.unlink(missing_ok=True)
    clock.set(course.begins)
    project.run(*begin, expect=1)
    clock.set(course.steps[2])
    looked += look(place, run)
    clock.set(course.later)
    done = project.run("resume", run)
    assert not NEGATIVE.search(done.err), done
    check_forty(project.effects, json.loads(done.out), len(course.steps))
    for shown in looks:
        clock.set(shown)
        looked += look(place, run)
        assert project.run(*begin).out == done.out, "one key is one run at any time"
    for line in project.run("inspect", run, "--events").out.splitlines():
        check_document(line)
    executions = sum(line.startswith("run ") for line in project.effects)
    assert executions == len(course.steps), "it was executed again"
    return looked + 3 + len(looks)


@pytest.mark.parametrize("name", COURSES)
def test_a_run_is_completed_and_told_of_whatever_the_clock_shows(
    name: str, place: Place, count: Callable[[int], None]
) -> None:
    count(follow(place, name, {random.choice(("-40y", "+150y"))}))


@pytest.mark.campaign
@pytest.mark.parametrize("name", COURSES)
def test_a_run_is_completed_and_told_of_at_all_times(
    name: str, place: Place, count: Callable[[int], None]
) -> None:
    every = {time for course in COURSES.values() for time in (course.begins, *course.steps)}
    count(follow(place, name, every | {"-40y", "+150y"}))


def test_runs_of_all_times_have_ids_of_their_own_and_are_listed_by_their_clocks(
    place: Place, count: Callable[[int], None]
) -> None:
    made: dict[str, str] = {}
    times = [course.begins for course in COURSES.values()] * 2
    for time in times:
        place.clock.set(time)
        result = place.project.run("trigger", "clocked", "-i", "[]", "--json")
        made[json.loads(result.out)["run"]["id"]] = time
    assert len(made) == len(times)
    place.clock.set("+0")
    look(place, next(iter(made)))
    newest = [made[run] for run in sorted(made, reverse=True)[:4]]
    assert newest == ["+100y"] * 2 + ["@2038-01-19 03:14:07"] * 2
    count(len(times))
