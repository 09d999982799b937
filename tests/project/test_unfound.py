"""Why a job is not there: what a newcomer did in its place is named, and what to do now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from durably_cli.errors import NotFound
from durably_cli.project import discovery, unfound
from tests.conftest import Project
from tests.harness.pasting import hint_of, paste, without_data
from tests.project.conftest import JOB, write

HANDLER = "def report(step, payload): ...\n"
HELPER = "def import_it(user): ...\n"
HIDDEN = """
import functools
from durably_cli import Step, define_job

def timed(fn):
    @functools.wraps(fn)
    def call(*args):
        return fn(*args)
    return call

@timed
@define_job
def report(step: Step, payload: dict) -> None: ...
"""


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("jobs/report.py", HANDLER, "report at jobs/report.py:1 has no @define_job above it"),
        ("jobs/other.py", f"\n{HANDLER}", "report at jobs/other.py:2 has no @define_job above it"),
        ("jobs/report.py", HIDDEN, "report.py:11: write @define_job above all"),
        ("jobs/report.py", JOB.format(name="daily"), "jobs/report.py has daily"),
        ("jobs/sub/report.py", JOB, "jobs/sub/report.py is not looked at, only .* jobs/report.py"),
        ("jobs/a/b/__init__.py", f"# define_job\n{HANDLER}", "b/__init__.py is not .* jobs/b.py"),
        ("jobs/_report.py", JOB, "jobs/_report.py is not looked at, .* move it to jobs/report.py"),
        ("jobs/__init__.py", f"# define_job\n{HANDLER}", "move it to a file of jobs/"),
        ("report.py", JOB, "report.py is not looked at, .* move it to jobs/report.py"),
    ],
)
def test_what_was_written_in_its_place_is_named(
    root: Path, file: str, text: str, said: str
) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    with pytest.raises(NotFound, match=f"there is no job report in {root}/jobs.*: .*{said}"):
        discovery.find_job(root, "report")
    if "daily" not in said and "above all" not in said:
        assert re.search(said, unfound.why_none(root)), "durably jobs says it too"


def test_what_takes_no_step_is_no_handler_and_a_name_that_is_far_is_not_meant(root: Path) -> None:
    write(root, "report.py", f"{JOB.format(name='report')}\n{HELPER}")
    for name in ("import_it", "import_x"):
        with pytest.raises(NotFound) as caught:
            discovery.find_job(root, name)
        assert str(caught.value).endswith("; there are: report")


def test_a_module_that_is_broken_is_passed_over_in_a_line(root: Path) -> None:
    write(root, "broken.py", "def f():\n    raise ValueError('no\\nmore')\nf()\n")
    with pytest.raises(NotFound) as caught:
        discovery.find_job(root, "report")
    assert str(caught.value).endswith("/broken.py:2 does not import: ValueError: no")


def test_the_path_of_a_file_is_answered_with_its_job(root: Path) -> None:
    write(root, "sync_users.py", JOB.format(name="sync-users"))
    for given in ("jobs/sync_users.py", str(root / "jobs" / "sync_users.py")):
        with pytest.raises(NotFound, match="is no job's name; did you mean sync-users"):
            discovery.find_job(root, given)


def test_a_job_without_fields_says_so_in_a_pipe(project: Project) -> None:
    project.job("@define_job\ndef work(step: Step) -> None: ...\n")
    shown = project.run("jobs", "work")
    assert (shown.out, "the input of work is nothing" in shown.err) == ("", True)


def test_a_project_without_a_job_says_so_in_a_pipe_and_how_to_get_one(project: Project) -> None:
    refused = project.run("trigger", "report", expect=4)
    said = project.run("jobs")
    assert said.out == ""
    for text in (refused.err, said.err):
        assert ": it has no module (one that works: durably init" in without_data(text)
    (command,) = re.findall(r"one that works: (.*)\)", said.err)
    paste(project, command, Path("/"))
    assert project.run("jobs").out.startswith("hello\t")
    near = project.run("trigger", "helo", expect=4)
    assert paste(project, hint_of(near), project.root).code == 0
