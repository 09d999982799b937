"""Values of all kinds in a real run: equal and of equal types in both attempts, or refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import jq
import pytest

from tests.conftest import Project
from tests.values.test_convert import EQUAL, REFUSED

JOB = """
    from durably_cli.values.declared import UNDECLARED
    from tests.values.test_convert import EQUAL, REFUSED, Base

    IN_FILES = [
        ({"$blob": "x.blobs/" + "0" * 64, "bytes": 5}, UNDECLARED),
        (["x" * 70_000, 1.5], UNDECLARED),
        ([Base(x=n) for n in range(9000)], list[Base]),
    ]

    @define_job
    def values(step: Step, payload: dict) -> None:
        for n, (value, declared) in enumerate([*IN_FILES, *EQUAL]):
            got = step.run(f"value {n}", made, value, **returns(declared))
            effect(f"got {n} {type(got).__qualname__} {got!r}")
        for n, (value, declared, path, _) in enumerate(REFUSED):
            try:
                step.run(f"refused {n}", lambda: value, **returns(declared))
            except Exception as error:
                place = f"at {path}," in str(error)  # which is said of parts only
                is_clear = f"'refused {n}'" in str(error) and place is not (path == "$")
                effect(f"refused {n} {'with its place' if is_clear else error}")
        if step.attempt == 1:
            raise RuntimeError("the first attempt fails")

    def returns(declared):
        return {} if declared is UNDECLARED else {"returns": declared}

    def made(value):
        effect("made")
        return value
"""
IN_FILES = 3


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the run of all values has failed once and was resumed."""
    project = Project(tmp_path_factory.mktemp("values"))
    project.job(JOB, "values")
    project.run("trigger", "values", expect=None)
    project.run("resume", "@last", expect=None)
    return project


def test_every_value_is_made_once_and_the_same_on_the_first_run_and_on_the_replay(
    project: Project, count: Callable[[int], None]
) -> None:
    assert [each["outcome"] for each in project.inspect()["attempts"]] == ["failed", "completed"]
    effects = project.effects
    assert effects.count("made") == IN_FILES + len(EQUAL)
    got = [line for line in effects if line.startswith("got ")]
    first, again = got[: len(got) // 2], got[len(got) // 2 :]
    assert first == again
    for line, (value, declared) in zip(first[IN_FILES:], EQUAL, strict=True):
        kind = declared if declared is float else type(value)
        assert line.split()[2] == kind.__qualname__.replace(" ", ""), line
    count(len(first))


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_json_would_change_is_refused_with_its_place(
    project: Project, number: int, count: Callable[[int], None]
) -> None:
    assert project.effects.count(f"refused {number} with its place") == 2
    count(1)


def test_jq_reads_every_line_of_the_journal_as_it_is_read_here(
    project: Project, count: Callable[[int], None]
) -> None:
    program, lines = jq.compile("."), project.journal().read_text("ascii").splitlines()
    for line in lines:
        by_jq = json.dumps(program.input_text(line).first())
        assert json.loads(by_jq, parse_int=_double) == json.loads(line, parse_int=_double)
    count(len(lines))


def _double(digits: str) -> float:
    """The number as jq keeps it."""
    largest = sys.float_info.max
    return max(-largest, min(largest, float(digits)))


def test_large_results_and_those_that_look_like_references_are_in_files(project: Project) -> None:
    journal = project.journal()
    results = [json.loads(line).get("result") for line in journal.open(encoding="ascii")]
    references = [each for each in results if isinstance(each, dict) and "$blob" in each]
    assert len(references) == IN_FILES
    for each in references:
        assert Path(journal.parent, each["$blob"]).stat().st_size == each["bytes"]
