"""Where the project is, and where its journals are."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from durably_cli import hints
from durably_cli.errors import Busy, ConfigError, Forbidden
from durably_cli.journal.events import FORMAT, RunCreated
from durably_cli.project import adoption, places, stores
from durably_cli.system import file_systems, files, folders
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness.pasting import hint_of, paste
from tests.harness.strategies import RUN


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DURABLY_PROJECT", raising=False)
    monkeypatch.setenv("DURABLY_DATA_DIR", str(tmp_path / "data"))


def make_project(folder: Path) -> Path:
    (folder / "jobs").mkdir(parents=True)
    return folder


def test_the_project_is_the_nearest_folder_upwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = make_project(tmp_path / "outer")
    inner = outer / "inner"
    deep = inner / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert places.find_project() == outer
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert places.find_project() == outer
    (inner / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.durably]\n")
    assert places.find_project() == inner


def test_a_project_that_is_named_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = make_project(tmp_path / "here"), make_project(tmp_path / "other")
    monkeypatch.chdir(here)
    monkeypatch.setenv("DURABLY_PROJECT", str(other))
    assert places.find_project() == other
    assert places.find_project(str(here)) == here
    with pytest.raises(ConfigError, match="does not exist"):
        places.find_project(str(tmp_path / "none"))
    monkeypatch.setenv("DURABLY_PROJECT", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="from DURABLY_PROJECT"):
        places.find_project()


def test_outside_of_a_project_it_is_the_one_of_the_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr("sys.prefix", str(project / ".venv"))
    assert places.find_project() == project
    monkeypatch.setattr("sys.prefix", str(empty / ".venv"))
    with pytest.raises(ConfigError, match="there is no project here"):
        places.find_project()


def test_that_it_is_this_one_is_said_once_on_a_terminal(project: Project, tmp_path: Path) -> None:
    project.job("@define_job\ndef flat(step: Step, payload: dict[str, int]) -> None: ...", "flat")
    program = (
        f"import sys; sys.prefix = {str(project.root / '.venv')!r}\n"
        "from durably_cli.__main__ import main; main()"
    )
    for args in (("trigger", "flat", "--nope", "1"), ("nope",), ("jobs", "flat")):
        main, terminal = pty.openpty()
        subprocess.run(
            (sys.executable, "-c", program, *args), stderr=terminal, cwd=tmp_path, env=project.env
        )
        os.close(terminal)
        said = os.read(main, 65536).decode()
        os.close(main)
        assert said.count(f"in {project.root}, by the virtual") == 1, said


def test_projects_of_one_name_have_stores_of_their_own(tmp_path: Path) -> None:
    one, two = make_project(tmp_path / "a" / "app"), make_project(tmp_path / "b" / "app")
    assert stores.store_folder(one) != stores.store_folder(two)
    assert stores.store_folder(one).name.startswith("app-")
    stores.open_store(one, to_write=True)
    stores.open_store(two, to_write=True)


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    stores.open_store(make_project(tmp_path / "app"))
    assert not (tmp_path / "data").exists()


def test_a_store_of_another_project_is_refused(tmp_path: Path) -> None:
    one, two = make_project(tmp_path / "one"), make_project(tmp_path / "two")
    stores.open_store(one, to_write=True)
    os.rename(stores.store_folder(one), stores.store_folder(two))
    with pytest.raises(ConfigError, match=f"belong to the project {one}"):
        stores.open_store(two)


def test_a_copied_project_has_no_claim_on_the_runs_of_the_first(tmp_path: Path) -> None:
    one = make_project(tmp_path / "one" / "app")
    stores.open_store(one, to_write=True)
    copy = make_project(tmp_path / "two" / "app")
    stores.open_store(copy, to_write=True)
    assert stores.store_folder(copy).exists()


def test_adopting_can_be_done_again_after_a_crash_between_its_two_steps(tmp_path: Path) -> None:
    old = make_project(tmp_path / "old")
    stores.open_store(old, to_write=True)
    (stores.store_folder(old) / "runs").mkdir()
    new = tmp_path / "new"
    old.rename(new)
    os.rename(stores.store_folder(old), stores.store_folder(new))
    with pytest.raises(ConfigError, match="belong to the project"):
        stores.open_store(new)
    adoption.adopt(old, new)
    stores.open_store(new, to_write=True)


def test_adopting_never_mixes_two_projects(tmp_path: Path) -> None:
    old, new = make_project(tmp_path / "old"), make_project(tmp_path / "new")
    for project in (old, new):
        stores.open_store(project, to_write=True)
        (stores.store_folder(project) / "runs").mkdir()
    with pytest.raises(ConfigError, match="is still a project"):
        adoption.adopt(old, new)
    (old / "jobs").rmdir()
    with pytest.raises(ConfigError, match="has runs of its own"):
        adoption.adopt(old, new)


def test_runs_that_execute_are_not_adopted(tmp_path: Path) -> None:
    old = make_project(tmp_path / "old")
    store = stores.open_store(old, to_write=True)
    run = store.create(RunCreated(FORMAT, RUN, "job", Json("{}"), "2026-11-23T03:00:00.123Z"))
    assert run is not None
    new = tmp_path / "new"
    old.rename(new)
    with pytest.raises(Busy, match="is executing"):
        adoption.adopt(old, new)
    run.close()
    assert adoption.adopt(old, new) == stores.store_folder(new)


def test_a_data_folder_that_depends_on_where_one_stands_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DURABLY_DATA_DIR", "here")
    with pytest.raises(ConfigError, match="another folder in every working directory"):
        stores.open_store(make_project(tmp_path / "app"))


@pytest.mark.parametrize("name", ["loop", "~no-such-user/x"])
def test_a_folder_that_cannot_be_is_an_error_and_no_bug(project: Project, name: str) -> None:
    project.job("@define_job\ndef work(step: Step, payload: dict) -> None: ...\n")
    os.symlink("loop", project.root.parent / "loop")
    chosen = name if name.startswith("~") else str(project.root.parent / name)
    assert "does not exist" in project.run("-C", chosen, "list", expect=78).err
    for command in (("list",), ("list", "--status", "failed"), ("jobs",), ("trigger", "work")):
        for variable in ("DURABLY_DATA_DIR", "DURABLY_CACHE_DIR"):
            result = project.run(*command, env=project.env | {variable: chosen}, expect=None)
            assert result.code in (0, 74, 78), result
            assert result.code == 0 or chosen in result.err, result


def test_a_folder_that_is_named_must_be_a_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no project"):
        places.find_project(str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="a script is one if it has @define_job"):
        places.find_project(str(tmp_path / "file"))


@pytest.mark.parametrize("name", ["n" * 225, "n" * 246, "n" * 250, "\u00e9" * 125])
def test_a_project_whose_folder_has_a_long_name_is_known_like_any(
    project: Project, name: str
) -> None:
    project.root = project.root.rename(project.root.with_name(name))
    project.job("@define_job\ndef work(step: Step) -> None: ...\n")
    project.run("trigger", "work")
    assert project.runs("--status", "completed")[0]["job"] == "work"
    assert {path.suffix for path in project.cache.iterdir()} == {".json", ".index"}
    link = project.root.with_name("current")
    link.symlink_to(project.root)
    said = [project.run("-C", str(link), "list").err for _ in range(2)]
    assert [" is a symbolic link" in text for text in said] == [True, False]


def test_one_inside_of_a_project_is_answered_with_that(tmp_path: Path) -> None:
    project = make_project(tmp_path / "it's")
    for inside in ("jobs", "jobs/a.py", "jobs/sub", "src"):
        path = project / inside
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
        with pytest.raises(ConfigError, match=f"is no project, but inside of one: {project}") as no:
            places.find_project(str(path))
        hint = no.value.hint or ""
        assert hint.startswith(f"name that, -C {hints.quoted(project)}")
        assert ("or make one" in hint) is (inside == "src")


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    project = make_project(tmp_path / "app")
    stores.open_store(project, to_write=True)
    for folder in (stores.store_folder(project), tmp_path / "data"):
        folder.chmod(mode)
        with pytest.raises(Forbidden, match="can be written by others"):
            stores.open_store(project)
        folder.chmod(0o700)


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "app")
    if os.geteuid() == 0:
        (tmp_path / "data").mkdir()
        os.chown(tmp_path / "data", 12345, 12345)
    else:
        monkeypatch.setenv("DURABLY_DATA_DIR", "/usr")
    with pytest.raises(Forbidden, match=r"belongs to .*, and you are"):
        stores.open_store(project, to_write=True)


def test_a_file_in_the_place_of_an_old_project_is_not_taken_for_a_bundle(project: Project) -> None:
    project.job("@define_job\ndef work(step: Step, payload: dict[str, str]) -> None: ...\n")
    project.run("trigger", "work")
    old, new = project.root, project.root.parent / "it's new"
    old.rename(new)
    old.write_text("not a tar")
    refused = project.run("list", cwd=new, expect=78)
    brought = paste(project, hint_of(refused), new)
    assert f"the project that was at {old}, where a file is now, are now in " in brought.err
    assert project.run("list", cwd=new).out.count("work") == 1
    assert "no bundle" in project.run("import", str(old), cwd=new, expect=65).err


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that root may not write in")
def test_a_user_without_a_home_is_shown_how_to_have_a_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DURABLY_DATA_DIR")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/sys/no-home")
    with pytest.raises(Forbidden, match=r"/sys/no-home\S* cannot be made: ") as caught:
        stores.open_store(make_project(tmp_path / "app"), to_write=True)
    assert "set DURABLY_DATA_DIR" in str(caught.value.hint)


@pytest.mark.skipif(sys.platform != "linux", reason="folders that root may not write in")
@pytest.mark.parametrize(
    ("data", "said", "code"),
    [
        ("/proc/nope", "the data folder /proc/nope cannot be made: No such file", 78),
        ("/dev/null/x", "the data folder /dev/null/x cannot be made: Not a directory", 78),
        ("/sys/kernel", "nothing can be made in the data folder /sys/kernel: ", 77),
    ],
)
def test_a_data_folder_that_will_not_do_is_said_with_its_variable(
    project: Project, data: str, said: str, code: int
) -> None:
    project.job("@define_job\ndef work(step: Step) -> None: ...\n")
    project.env["DURABLY_DATA_DIR"] = data
    refused = project.run("trigger", "work", expect=code)
    assert said in refused.err and "try: set DURABLY_DATA_DIR to a folder" in refused.err


def test_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077 ^ 0o777)
    try:
        files.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(old)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="where mounts are told apart")
def test_every_command_refuses_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "app")
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    kinds = frozenset(line.partition(" - ")[2].split(" ")[0] for line in mounts)
    monkeypatch.setattr(file_systems, "_NETWORK", kinds)  # as if all there is were of the network
    for act in (
        lambda: stores.open_store(project, to_write=True),
        lambda: stores.open_store(project),
        lambda: adoption.adopt(tmp_path / "old", project),
    ):
        with pytest.raises(ConfigError, match="on a network file system"):
            act()
        assert not (tmp_path / "data").exists()


def test_a_local_file_system_is_told_from_a_network_one(tmp_path: Path) -> None:
    assert file_systems.network_file_system(tmp_path) is None


@pytest.mark.parametrize("variable", ["XDG_DATA_HOME", "XDG_CACHE_HOME"])
def test_a_relative_folder_of_an_old_platformdirs_is_refused(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DURABLY_DATA_DIR", "DURABLY_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "here")
    for which in ("user_data_path", "user_cache_path"):  # as they answered before 4.3
        monkeypatch.setattr(platformdirs, which, lambda name: Path("here") / name)
    folder = folders.data_folder if variable == "XDG_DATA_HOME" else folders.cache_folder
    with pytest.raises(ConfigError, match=f"{variable} is here, which is another folder"):
        folder()


def test_a_lock_that_a_copy_shares_is_refused_with_the_way_out(project: Project) -> None:
    project.job("@define_job\ndef work(step: Step, payload: dict[str, str]) -> None: ...\n")
    call = ("trigger", "work", "--concurrency-key", "k")
    project.run(*call)
    subprocess.run(("cp", "-al", project.data, project.data.with_name("copy")), check=True)
    for _ in range(2):  # one file for the run that executes, one for the one that waits
        refused = project.run(*call, expect=None)
        if refused.code:
            assert refused.code == 77
            assert "cp -al" in refused.err
            paste(project, hint_of(refused), project.root)
    project.run(*call)
