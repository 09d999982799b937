"""Which module a job is found in, and what a broken one does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durably_cli import catalogue, discovery
from durably_cli.errors import ConfigError, JobModuleError, NotFound

JOB = """
from durably_cli import Step, define_job

@define_job(name="{name}")
def job(step: Step, payload: dict) -> str:
    return "{name}"
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "jobs").mkdir()
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(root: Path, file: str, text: str) -> Path:
    path = root / "jobs" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_a_job_is_looked_for_in_the_module_of_its_name_first(root: Path) -> None:
    write(root, "sync_users.py", JOB.format(name="sync-users"))
    write(root, "other.py", "raise RuntimeError('imported')")
    assert discovery.find_job(root, "sync-users").name == "sync-users"
    assert "durably_job_other" not in sys.modules


def test_then_where_it_was_last_time_unless_it_is_there_no_more(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(tmp_path / "cache"))
    first = write(root, "first.py", JOB.format(name="moving"))
    write(root, "other.py", "")
    catalogue.remember(root, [discovery.find_job(root, "moving")])
    forget(root)
    assert discovery.find_job(root, "moving").source == first
    assert "durably_job_other" not in sys.modules

    for left_behind in ("", "raise RuntimeError('no')"):
        forget(root)
        first.write_text(left_behind)
        second = write(root, "second.py", JOB.format(name="moving"))
        assert discovery.find_job(root, "moving").source == second


def forget(root: Path) -> None:
    """As in a new process."""
    for name in [name for name in sys.modules if name.startswith("durably_job_")]:
        del sys.modules[name]


def test_else_in_all_the_others_and_the_broken_ones_are_noted(root: Path) -> None:
    write(root, "a.py", "raise RuntimeError('no')")
    write(root, "b.py", JOB.format(name="hidden"))
    noted: list[str] = []
    assert discovery.find_job(root, "hidden", noted.append).name == "hidden"
    assert noted == [f"passed over {root / 'jobs' / 'a.py'}:1 does not import"]


def test_a_package_is_a_module_and_a_private_one_is_not(root: Path) -> None:
    write(root, "big/__init__.py", JOB.format(name="big"))
    write(root, "_helpers.py", "raise RuntimeError('imported')")
    write(root, "notes.txt", "")
    jobs, broken = discovery.load_all(root)
    assert set(jobs) == {"big"}
    assert broken == []


def test_a_job_that_another_module_imports_is_one_job(root: Path) -> None:
    write(root, "one.py", JOB.format(name="one"))
    write(root, "two.py", "from jobs.one import job as one\n")
    jobs, broken = discovery.load_all(root)
    assert set(jobs) == {"one"}
    assert broken == []


def test_the_projects_folder_is_importable_and_first(root: Path) -> None:
    (root / "helpers.py").write_text("WORD = 'helped'\n")
    write(root, "one.py", "from helpers import WORD\n" + JOB.format(name="one"))
    assert discovery.find_job(root, "one").name == "one"
    assert sys.path[0] == str(root)


def test_a_syntax_error_is_told_with_its_line(root: Path) -> None:
    path = write(root, "bad.py", "x = 1\ny = (\n")
    with pytest.raises(JobModuleError, match=f"{path}:2 does not import"):
        discovery.find_job(root, "bad")


def test_a_module_that_leaves_is_broken_not_the_end(root: Path) -> None:
    write(root, "leaver.py", "import sys\nsys.exit(0)\n")
    with pytest.raises(JobModuleError, match="SystemExit"):
        discovery.find_job(root, "leaver")


def test_an_unknown_job_gets_the_nearest_names_or_all(root: Path) -> None:
    write(root, "one.py", JOB.format(name="sync-users"))
    with pytest.raises(NotFound, match="did you mean sync-users"):
        discovery.find_job(root, "sync-user")
    with pytest.raises(NotFound, match="there are: sync-users"):
        discovery.find_job(root, "elephant")


@pytest.mark.parametrize("definition", ['define_job(name="sync-users")', "def sync_users(a, b): 1"])
def test_a_job_that_a_broken_module_may_define_is_answered_with_its_error(
    root: Path, definition: str
) -> None:
    path = write(root, "broken.py", f"import nothing_of_that_name\n{definition}\n")
    with pytest.raises(JobModuleError, match=f"{path}:1 does not import"):
        discovery.find_job(root, "sync-users")
    with pytest.raises(NotFound, match="passed over"):
        discovery.find_job(root, "elephant")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "1st", "a b", "x" * 65, "a\n"])
def test_a_name_that_no_job_can_have_touches_no_path(root: Path, name: str) -> None:
    with pytest.raises(NotFound, match="no job's name"):
        discovery.find_job(root, name)


def test_no_jobs_folder_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        discovery.load_all(tmp_path)
