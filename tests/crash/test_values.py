"""Values of all kinds in a real run: equal and of equal types in both attempts, or refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jq
import pytest

from tests.conftest import Project
from tests.harness import value_job
from tests.harness.value_job import KEPT, REFUSED

Count = Callable[[int], None]
Effects = dict[str, dict[str, Any]]

OTHER_TYPE = {"an int where a float is declared": "float 3.0"}
"""What a step may make, and the equal value that the job gets in its place in both attempts."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in which the run of all values has failed once and was resumed."""
    project = Project(tmp_path_factory.mktemp("values"))
    shutil.copy2(value_job.__file__, project.root / "jobs" / "values.py")
    project.run("trigger", "values", expect=None)
    project.run("resume", "@last", expect=None)
    yield project


@pytest.fixture(scope="module")
def effects(project: Project) -> Effects:
    """What the run said, by what it is of and then by the name of the value."""
    found: Effects = {}
    for line in project.effects:
        what, name, value = json.loads(line)
        assert name not in found.setdefault(what, {}), f"{what} {name}: twice"
        found[what][name] = value
    return found


def test_the_run_fails_once_and_is_completed(project: Project) -> None:
    run = project.inspect()
    assert run["status"] == "completed", run["error"] or run["damage"]
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["failed", "completed"]


def test_every_value_is_made_once(effects: Effects, count: Count) -> None:
    assert effects["made"].keys() == KEPT.keys()
    count(len(KEPT))


def test_every_value_is_the_same_on_the_first_run_and_on_the_replay(
    effects: Effects, count: Count
) -> None:
    for name in KEPT:
        assert effects["got 1"][name] == effects["got 2"][name], name
    count(len(KEPT))


def test_every_value_is_what_its_step_has_made(effects: Effects, count: Count) -> None:
    for name in KEPT:
        assert effects["got 1"][name] == OTHER_TYPE.get(name, effects["made"][name]), name
    count(len(OTHER_TYPE))


@pytest.mark.parametrize("name", REFUSED)
def test_what_json_would_change_is_refused_with_its_place_and_the_fix(
    effects: Effects, name: str, count: Count
) -> None:
    _, _, path, fix = REFUSED[name]
    assert name in effects["refused 1"], "it was taken"
    text = effects["refused 1"][name]
    assert f"'refused: {name}'" in text
    assert path in text
    assert fix in text
    assert "at $," not in text, "that is said of parts only"
    assert effects["refused 2"][name] == text, "refused on the resumed attempt, in other words"
    count(1)


def journal_of(project: Project) -> Path:
    (journal,) = project.data.glob("*/runs/*/*.jsonl")
    return journal


def test_jq_reads_every_line_of_the_journal_as_it_is_read_here(
    project: Project, count: Count
) -> None:
    program, lines = jq.compile("."), journal_of(project).read_text("ascii").splitlines()
    for line in lines:
        by_jq = json.dumps(program.input_text(line).first())
        assert json.loads(by_jq, parse_int=_double) == json.loads(line, parse_int=_double)
    completed = jq.compile('select(.type == "step.completed").name').input_text("\n".join(lines))
    assert completed.all() == list(KEPT)
    count(len(lines))


def _double(digits: str) -> float:
    """The number as jq keeps it."""
    largest = sys.float_info.max
    return max(-largest, min(largest, float(digits)))


def test_large_results_and_those_that_look_like_references_are_in_files(project: Project) -> None:
    journal, in_files = journal_of(project), set()
    for line in map(json.loads, journal.open(encoding="ascii")):
        result = line.get("result")
        if isinstance(result, dict) and "$blob" in result:
            path = journal.parent / result["$blob"]
            assert path.stat().st_size == result["bytes"]
            in_files.add(line["name"])
    assert in_files == {
        *("what looks like a blob", "more than 64 KiB", "more than 64 KiB of models"),
    }


DEEP_JOB = """
    def nest(depth):
        value = []
        for _ in range(depth - 1):
            value = [value]
        return value

    @define_job
    def deep(step: Step, payload: list) -> None:
        for depth in range(900, 1000, 5):
            try:
                step.run(f"step-{depth}", nest, depth)
            except Exception as error:
                assert "nested" in str(error)
        if step.attempt == 1:
            raise RuntimeError("the first attempt fails")
"""


def test_what_was_kept_deep_in_no_stack_is_read_deep_in_one(tmp_path: Path, count: Count) -> None:
    project = Project(tmp_path)
    project.job(DEEP_JOB, "deep")
    script = "from jobs.deep import deep; deep.trigger([])"
    env = project.env | {"PYTHONPATH": f"{project.root}{os.pathsep}{project.env['PYTHONPATH']}"}
    done = subprocess.run((sys.executable, "-c", script), cwd=project.root, env=env, timeout=60)
    assert done.returncode == 0
    assert [run["status"] for run in project.runs()] == ["failed"]
    project.run("verify")
    project.run("inspect", "@last")
    project.run("resume", "@last")
    count(20)


@pytest.mark.parametrize("depth", [100, 960, 970, 1000, 100_000])
def test_an_input_is_taken_or_refused_however_deep_it_is(
    tmp_path: Path, depth: int, count: Count
) -> None:
    project = Project(tmp_path)
    project.job("@define_job\ndef shallow(step: Step, payload: list) -> int:\n    return 1\n")
    result = project.run(
        "trigger", "shallow", "--input", "-", input="[" * depth + "]" * depth, expect=None
    )
    assert result.code in (0, 65), result
    assert [run["status"] for run in project.runs()] == (["completed"] if result.code == 0 else [])
    count(1)
