"""The clean-up example: planned, approved by a person, applied by a run of its own; killed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from durably_cli import Approval, Step
from tests.conftest import Project

JOBS = Path(__file__).parents[2] / "jobs"
sys.path.insert(0, str(JOBS))

from clean_up import CleanedUp, CleanUp, clean_up  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text(name)
    return folder


def test_what_is_approved_is_moved(folder: Path, tmp_path: Path) -> None:
    step = Step(signals={"approval": Approval(approved=True, by="ann")})
    done = clean_up(step, CleanUp(folder=folder, days=0, trash=tmp_path / "trash"))
    assert done == CleanedUp(moved=2, by="ann")
    assert sorted(path.name for path in (tmp_path / "trash").iterdir()) == ["a.txt", "b.txt"]


def test_what_is_denied_or_not_answered_stays(folder: Path, tmp_path: Path) -> None:
    asked = CleanUp(folder=folder, days=0, trash=tmp_path / "trash")
    denied = Step(signals={"approval": Approval(approved=False, by="ann", reason="not yet")})
    assert clean_up(denied, asked) == CleanedUp(moved=0, by="ann", reason="not yet")
    assert clean_up(Step(), asked) == CleanedUp(moved=0, reason="nobody has answered")
    assert len(list(folder.iterdir())) == 2


def test_young_files_need_no_answer(folder: Path, tmp_path: Path) -> None:
    assert clean_up(Step(), CleanUp(folder=folder, days=1, trash=tmp_path)) == CleanedUp(moved=0)


def test_killed_while_it_waits_it_is_approved_and_taken_up_by_a_tick(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    shutil.copy(JOBS / "clean_up.py", project.root / "jobs")
    project.starts_interpreters = True
    flags = ("--folder", str(folder), "--days", "0", "--trash", str(tmp_path / "trash"))
    with project.start("trigger", "clean-up", *flags) as process:
        while [run["status"] for run in project.runs()] != ["waiting"]:
            assert not process.has_ended(0.05)
        assert process.is_killed()
    assert "Move 2 files, 10 bytes" in project.runs()[0]["reason"]
    project.run("approve", "@last", "--reason", "as agreed")
    project.run("tick")
    done = project.inspect("@last/clean-up")
    assert done["output"]["moved"] == 2
    assert done["output"]["reason"] == "as agreed"
    assert [child["job"] for child in done["children"]] == ["remove-files"]
    assert json.loads(project.run("resume", "@last/clean-up").out)["moved"] == 2
