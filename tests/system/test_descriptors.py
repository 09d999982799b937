"""Descriptors of durably's own."""

from __future__ import annotations

import os
import subprocess

import pytest

from durably_cli.system.descriptors import with_high_number
from tests.conftest import DURABLY, Project

WORK = """
    @define_job
    def work(step: Step, payload: dict) -> int:
        return step.run("one", int)
"""


def test_a_copy_has_a_number_that_nothing_else_gets_soon() -> None:
    copy = with_high_number(2)
    try:
        assert copy >= 200 and os.path.sameopenfile(copy, 2)
        assert not os.get_inheritable(copy)
    finally:
        os.close(copy)


@pytest.mark.parametrize("most", [12, 20, 64, 1000, 1010])
def test_a_run_needs_few_descriptors(project: Project, most: int) -> None:
    project.job(WORK)
    limited = ("bash", "-c", f'ulimit -n {most}; exec "$@"', "bash", *DURABLY, "trigger", "work")
    done = subprocess.run(
        limited, cwd=project.root, env=project.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done


def test_a_run_has_what_it_needs_though_the_high_numbers_are_taken(project: Project) -> None:
    project.job(WORK)
    taken = " ".join(f"{fd}</dev/null" for fd in range(44, 64))
    limited = f'exec {taken}; ulimit -n 64; exec "$@"'
    done = subprocess.run(
        ("bash", "-c", limited, "bash", *DURABLY, "trigger", "work"),
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done
