"""A job's module that is run as a script says how a job is run, unless the script did it."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Project
from tests.harness.pasting import paste, without_data

JOB = "@define_job\ndef work(step: Step) -> int:\n    return 1\n"
OTHER = "@define_job\ndef other(step: Step) -> None: ...\n"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (JOB, "this defines a job: durably trigger work\n"),
        (JOB + OTHER, "this defines 2 jobs: durably jobs\n"),
        (f"{JOB}if __name__ == '__main__':\n    work.trigger()\n", ""),
        (f"{JOB}if __name__ == '__main__':\n    work(None)\n", ""),
        ("", ""),
    ],
)
def test_a_script_that_used_none_of_its_jobs_says_how_to_run_them(
    project: Project, script: str, said: str
) -> None:
    file = project.job(script)
    done = paste(project, f"{sys.executable} {file}", project.root)
    assert (done.code, done.out, without_data(done.err)) == (0, "", said)
    if said:
        assert paste(project, done.err.partition(": ")[2], project.root).code == 0


def test_what_is_no_module_of_a_project_or_has_failed_says_nothing_of_its_own(
    project: Project,
) -> None:
    file = project.job(f"{JOB}\nif __name__ == '__main__':\n    1 / 0\n")
    failed = paste(project, f"{sys.executable} {file}", project.root)
    assert failed.err.endswith("ZeroDivisionError: division by zero\n")
    file.write_text(file.read_text().replace("1 / 0", "pass"))
    elsewhere = file.rename(project.root / "script.py")
    assert paste(project, f"{sys.executable} {elsewhere}", project.root).err == ""
