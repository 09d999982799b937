"""Steps that do to their process what a step should not do: each ends in order, and goes on.

The first attempt meets the deed in its second step. What was acknowledged by then is not executed
again, and what the deed leaves of the run is resumed, or refused with a reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import Project, Result
from tests.harness.deeds import ENDS, FILES, FORKS, HELPERS, JOB, SURROUNDINGS, Deed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("deeds"))
    (project.root / "helpers.py").write_text(HELPERS)
    return project


def check_order(result: Result, codes: tuple[int, ...]) -> None:
    """It ended as it may, and said why, in words of its own."""
    assert result.code in codes, result
    frames_of_ours = "durably_cli/" in result.err and "Exception in thread" not in result.err
    assert not frames_of_ours, result


def meet(project: Project, name: str, deed: Deed) -> None:
    """A run that meets the deed, and is resumed."""
    project.job(JOB, "doer")
    project.effects_path.unlink(missing_ok=True)
    begin = "trigger", "doer", "-i", json.dumps(deed.code), "--idempotency-key", name
    met = project.run(*begin, expect=None)
    check_order(met, deed.ends)
    assert deed.said in met.err, met
    acknowledged = {line[4:] for line in project.effects if line.startswith("ack ")}
    assert "first" in acknowledged, met

    before = Counter(project.effects)
    project.job(JOB, "doer")
    resumed = project.run("resume", f"key:doer/{name}", expect=None)
    check_order(resumed, deed.resumes)
    executed = Counter(project.effects) - before
    assert not executed.keys() & acknowledged, f"executed again: {executed}\n{met}\n{resumed}"
    if resumed.code:
        assert resumed.err.startswith("durably: "), resumed
        return
    assert resumed.out == '"done"\n', resumed
    assert met.code != 0 or met.out in ("", resumed.out), met
    assert project.effects.count("first") == 1


@pytest.mark.parametrize("name", FORKS)
def test_a_step_that_makes_processes_and_threads(
    name: str, project: Project, count: Callable[[int], None]
) -> None:
    meet(project, name, FORKS[name])
    count(1)


@pytest.mark.parametrize("name", ENDS)
def test_a_step_that_ends_in_an_odd_way(
    name: str, project: Project, count: Callable[[int], None]
) -> None:
    meet(project, name, ENDS[name])
    count(1)


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_step_that_changes_its_process(
    name: str, project: Project, count: Callable[[int], None]
) -> None:
    meet(project, name, SURROUNDINGS[name])
    count(1)


@pytest.mark.parametrize("name", FILES)
def test_a_step_that_changes_the_files_of_its_run(
    name: str, project: Project, count: Callable[[int], None]
) -> None:
    meet(project, name, FILES[name])
    count(1)
