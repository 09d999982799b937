"""Descriptors of durably's own."""

from __future__ import annotations

import subprocess

import pytest

from tests.conftest import DURABLY, Project


@pytest.mark.parametrize("most", [12, 20, 64, 1000, 1010])
def test_a_run_needs_few_descriptors(project: Project, most: int) -> None:
    project.job("""
        @define_job
        def work(step: Step, payload: dict) -> int:
            return step.run("one", int)
    """)
    limited = ("bash", "-c", f'ulimit -n {most}; exec "$@"', "bash", *DURABLY, "trigger", "work")
    done = subprocess.run(
        limited, cwd=project.root, env=project.env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done
