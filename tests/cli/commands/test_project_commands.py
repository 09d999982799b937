"""`durably init`, `info` and `help`: the way in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durably_cli.cli.help import TOPICS, page, title
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project
from tests.harness.pasting import hint_of, without_data


def test_init_makes_a_project_that_works(project: Project, tmp_path: Path) -> None:
    made = project.run("init", "my first", cwd=tmp_path)
    assert "durably trigger hello --name Ann" in made.err
    assert "jobs/__init__.py\n" in made.err
    assert "cd 'my first'" in made.err
    project.root = tmp_path / "my first"
    assert (project.root / "jobs" / "__init__.py").read_text() == ""
    result = project.run("trigger", "hello", "--name", "Ann", "--times", "1")
    assert json.loads(result.out) == ["1: hello Ann"]
    assert project.run("trigger", "hello", "--times", "0", expect=65)


@pytest.mark.long
def test_the_test_that_init_makes_runs_with_plain_pytest(project: Project, tmp_path: Path) -> None:
    project.run("init", "first", cwd=tmp_path)
    pytest_ = Path(sys.executable).with_name("pytest")
    done = subprocess.run(
        [pytest_, "-q", "-p", "no:cacheprovider"], cwd=tmp_path / "first", capture_output=True
    )
    assert (done.returncode, b"1 passed" in done.stdout) == (0, True), done.stdout


def test_init_leaves_a_project_alone(project: Project) -> None:
    project.job("")
    before = sorted(project.root.rglob("*"))
    assert "is a project already" in project.run("init").err
    assert sorted(project.root.rglob("*")) == before


def test_init_where_nothing_can_be_made_is_a_clear_error(project: Project, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Traceback" not in project.run("init", str(tmp_path / "file" / "x"), expect=74).err
    project.run("init", str(tmp_path / "file"), expect=2)


def test_info_tells_each_setting_and_where_it_comes_from(project: Project) -> None:
    info = json.loads(project.run("info", "--json").out)["info"]
    assert info["project"] == {"value": str(project.root), "source": "the working directory"}
    assert info["data"] == {"value": str(project.data), "source": "DURABLY_DATA_DIR"}
    assert info["store"]["source"] == "0 runs, 0 B"
    env = project.env | {"DURABLY_PROJECT": str(project.root), "DURABLY_QUIET": "1"}
    del env["DURABLY_DATA_DIR"]
    env["XDG_DATA_HOME"] = str(project.data / "xdg")
    rows = [line.split("\t") for line in project.run("info", env=env, cwd="/").out.splitlines()]
    found = {row[0]: row[1:] for row in rows}
    assert found["project"] == [str(project.root), "DURABLY_PROJECT"]
    assert found["data"] == [str(project.data / "xdg" / "durably"), "this platform's default"]
    assert found["quiet"] == ["1", "DURABLY_QUIET"]
    assert str(project.root) in on_a_terminal(project, "info", columns=200)
    assert not project.data.exists(), "looking makes no folders"


def test_info_works_where_nothing_else_does(project: Project) -> None:
    env = project.env | {"DURABLY_PROJECT": "/nowhere", "DURABLY_DATA_DIR": "relative"}
    info = json.loads(project.run("info", "--json", env=env).out)["info"]
    assert info["project"]["value"] is None
    assert "does not exist" in info["project"]["source"]
    assert info["data"]["value"] is None


def test_help_lists_its_topics_and_shows_each(project: Project) -> None:
    listed = project.run("help").out
    for topic in TOPICS:
        assert f"durably help {topic}" in listed
        assert project.run("help", topic).out == page(topic)
        assert title(topic) in on_a_terminal(project, "help", topic, columns=80)
    assert "jobs, scripts, steps, many, async" in project.run("help", "nothing", expect=4).err
    for typed, wanted in (("exitcodes", "help exit-codes"), ("trigger", "trigger --help")):
        refused = project.run("help", typed, expect=4)
        assert without_data(hint_of(refused)) == f"durably {wanted}"
    for topic in TOPICS:
        assert topic in project.run("help", "--help").out
