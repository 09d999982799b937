"""A project that keeps its runs by a name, and one that is known by its path."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from durably_cli import hints
from durably_cli.errors import ConfigError
from durably_cli.project import adoption, naming, stores
from tests.conftest import BIN, Project
from tests.harness.pasting import paste

BILL = """
    @define_job
    def bill(step: Step, payload: dict[str, str]) -> str:
        step.run("charge", effect, "charged")
        if not os.path.exists(os.environ["EFFECTS"] + ".mended"):
            raise RuntimeError("not yet")
        return os.getcwd()
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("DURABLY_PROJECT", "DURABLY_NAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DURABLY_DATA_DIR", str(tmp_path / "data"))


def make_project(folder: Path, *jobs: str) -> Path:
    (folder / "jobs").mkdir(parents=True)
    for job in jobs:
        (folder / "jobs" / f"{job}.py").touch()
    return folder


def with_runs(project: Path) -> Path:
    folder = stores.open_store(project, to_write=True).root
    (folder / "runs").mkdir()
    return folder


def test_a_deploy_keeps_runs_and_keys_and_a_mail_of_before_it_resumes_after_it(
    project: Project, tmp_path: Path
) -> None:
    project.job(BILL, "bill")
    releases = tmp_path / "releases"
    releases.mkdir()
    project.root.rename(releases / "1")
    project.root = tmp_path / "current"
    project.root.symlink_to("releases/1")
    env = project.env | {"DURABLY_NAME": "billing"}
    call = ("-C", str(project.root), "trigger", "bill", "--idempotency-key", "k")
    mail = project.run(*call, "-q", cwd=tmp_path, env=env, expect=1)
    assert "DURABLY_NAME=billing" in mail.err
    (releases / "1").rename(releases / "2")
    make_project(releases / "1", "bill")
    project.root.unlink()
    project.root.symlink_to("releases/2")
    Path(f"{project.effects_path}.mended").touch()
    command = next(line for line in mail.err.splitlines() if " resume " in line)
    resumed = paste(project, command[command.index("DURABLY_") :], Path("/"))
    assert resumed.out == f'"{releases / "2"}"\n', (mail, resumed)
    again = project.run(*call, cwd=tmp_path, env=env)
    assert "which is still there" in again.err
    assert again.out == resumed.out
    assert "still there" not in project.run(*call, cwd=tmp_path, env=env).err
    assert project.effects == ["charged"]


def test_a_path_through_a_link_is_warned_of_once_with_the_line_to_add(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "the shop").mkdir()
    link = tmp_path / "the shop" / "current"
    link.symlink_to(project.root)
    list_ = ("-C", str(link), "list")
    for quiet in ({"DURABLY_QUIET": "1"}, {"DURABLY_NAME": "shop"}):
        assert project.run(*list_, env=project.env | quiet).err == ""
    assert "DURABLY_NAME=the-shop" in project.run("list", env=project.env | {"PWD": str(link)}).err
    assert project.run(*list_).err == ""
    assert not project.data.exists()


@pytest.mark.parametrize("name", ["Billing", "a/b", "..", "-C", "a b", "é", "x" * 65, "a\n"])
def test_a_name_is_safe_in_a_folder_of_any_system(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_NAME", name)
    with pytest.raises(ConfigError, match="is no name") as refused:
        stores.open_store(make_project(tmp_path / "app"))
    assert refused.value.hint is not None
    monkeypatch.setenv("DURABLY_NAME", refused.value.hint.split("=")[1])
    assert naming.project_name(tmp_path)


def test_a_name_takes_the_runs_along_that_were_there_before_and_gives_them_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (make_project(tmp_path / name, "bill") for name in ("1", "2"))
    with_runs(one)
    with pytest.raises(ConfigError, match="still a project"):
        adoption.adopt(one, two)
    monkeypatch.setenv("DURABLY_NAME", "billing")
    with pytest.raises(ConfigError, match="before it was named billing"):
        stores.open_store(one)
    named = stores.store_folder(two)
    os.rename(stores.folder_of_path(one), named)  # as if it had been killed in between
    with pytest.raises(ConfigError, match="belong to the project"):
        stores.open_store(two)
    assert adoption.adopt(one, two) == named
    assert stores.open_store(two).root == stores.open_store(one).root == named
    monkeypatch.delenv("DURABLY_NAME")
    with pytest.raises(ConfigError, match="filed under its name, billing"):
        stores.open_store(two, to_write=True)
    stores.open_store(one, to_write=True)
    assert adoption.adopt(two, two) == stores.folder_of_path(two)
    assert stores.open_store(two).root == stores.folder_of_path(two)


def test_two_projects_of_one_name_are_refused_but_not_two_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_NAME", "billing")
    billing = make_project(tmp_path / "1", "bill", "remind")
    release = make_project(tmp_path / "2", "bill", "dun", "collect")
    shop = make_project(tmp_path / "shop", "sell", "pack")
    said: list[str] = []
    for project in (billing, release, release):
        stores.open_store(project, to_write=True, say=said.append)
    assert len(said) == 1
    with pytest.raises(ConfigError, match="another project") as refused:
        stores.open_store(shop)
    assert refused.value.hint is not None
    assert refused.value.hint.endswith("DURABLY_NAME=shop")
    shutil.rmtree(release)
    stores.open_store(shop)


def test_a_name_of_a_project_is_no_path_and_no_path_is_too_long(tmp_path: Path) -> None:
    for name in ("n" * 246, "n" * 247, "é" * 125, "n" * 255):
        project = make_project(tmp_path / name)
        assert stores.open_store(project, to_write=True).root.exists()
    assert stores.folder_of_path(tmp_path / ("n" * 246)).name.startswith("n" * 246)


@pytest.mark.parametrize(
    "content",
    [
        '{"inode": %s}',
        '{"inode": %s, "project": 7}',
        '{"inode": %s, "project": "/a\\u0000b"}',
        '{"inode": %s, "project": "\\ud800"}',
        '{"inode": %s, "project": "/gone", "name": ["x"]',
        "[" * 100_000,
        "[]",
    ],
)
def test_a_foreign_project_file_stops_nobody(content: str, tmp_path: Path) -> None:
    project = make_project(tmp_path / "app")
    other = tmp_path / "data" / "other-12345678"
    (other / "runs").mkdir(parents=True)
    status = os.stat(project)
    text = content.replace("%s", f"[{status.st_dev}, {status.st_ino}]")
    (other / "project.json").write_text(text)
    (tmp_path / "data").chmod(0o700)
    stores.open_store(project, to_write=True)
    (stores.store_folder(project) / "project.json").write_text(text)
    stores.open_store(project, to_write=True)
    assert stores.open_store(project).root == stores.store_folder(project)


def test_a_new_folder_of_an_old_inode_number_is_not_taken_for_a_moved_one(tmp_path: Path) -> None:
    old, new = make_project(tmp_path / "old"), tmp_path / "new"
    file = with_runs(old) / "project.json"
    old.rename(new)
    with pytest.raises(ConfigError, match="was moved here"):
        stores.open_store(new)
    os.utime(file, (0, 0))  # as if it had been written before the folder was made
    stores.open_store(new)


def test_a_project_that_never_had_runs_is_never_stopped(tmp_path: Path) -> None:
    old = make_project(tmp_path / "old")
    stores.open_store(old, to_write=True)
    old.rename(tmp_path / "new")
    stores.open_store(tmp_path / "new", to_write=True)


@pytest.mark.parametrize("in_its_place", ["another project", "a link to it"])
def test_a_moved_project_is_known_whatever_stands_in_its_place(
    in_its_place: str, tmp_path: Path
) -> None:
    old, new = make_project(tmp_path / "old"), tmp_path / "new"
    with_runs(old)
    old.rename(new)
    if in_its_place == "a link to it":
        old.symlink_to(new)
    else:
        make_project(old)
    with pytest.raises(ConfigError, match="was moved here"):
        stores.open_store(new)
    assert adoption.adopt(tmp_path / "x" / ".." / "old", new) == stores.store_folder(new)
    stores.open_store(new)


def test_a_run_that_python_triggered_names_its_project_as_it_is_now(
    project: Project, tmp_path: Path
) -> None:
    project.job(BILL, "bill")
    program = (
        "import runpy; bill = runpy.run_path('jobs/bill.py')['bill']\n"
        "try: bill.trigger({}, idempotency_key='k').output\n"
        "except Exception as error: print(error.hint)\n"
    )
    project.env["DURABLY_NAME"] = "billing"
    python = f"{hints.quoted(sys.executable)} -c {hints.quoted(program)}"
    assert f"-C {project.root} resume" in paste(project, python, project.root).out
    release = project.root.rename(tmp_path / "release")
    hint = paste(project, python, release).out
    assert f"DURABLY_NAME=billing {BIN / 'durably'} -C {release} resume" in hint
