"""Which module a job is found in, and what a broken one does."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from durably_cli.errors import ConfigError, JobModuleError, NotFound
from durably_cli.project import discovery, known_jobs, likeness, missing_modules
from tests.conftest import Project
from tests.project.conftest import JOB, write


def test_a_job_is_looked_for_in_the_module_of_its_name_first(root: Path) -> None:
    write(root, "sync_users.py", JOB.format(name="sync-users"))
    write(root, "other.py", "raise RuntimeError('imported')")
    assert discovery.find_job(root, "sync-users").name == "sync-users"
    assert "jobs.other" not in sys.modules


def test_then_where_it_was_last_time_unless_it_is_there_no_more(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(tmp_path / "cache"))
    first = write(root, "first.py", JOB.format(name="moving"))
    write(root, "other.py", "")
    known_jobs.remember_jobs(root, [discovery.find_job(root, "moving")])
    forget(root)
    assert discovery.find_job(root, "moving").source == first
    assert "jobs.other" not in sys.modules

    for left_behind in ("", "raise RuntimeError('no')"):
        forget(root)
        first.write_text(left_behind)
        second = write(root, "second.py", JOB.format(name="moving"))
        assert discovery.find_job(root, "moving").source == second


def test_a_job_that_was_edited_is_known_as_it_is_whatever_time_its_file_has(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(tmp_path / "cache"))
    for doc in ("old", "new"):
        text = JOB.format(name="work").replace("return", f"'''{doc}'''\n    return")
        os.utime(write(root, "work.py", text), (1, 1))
        forget(root)
        known_jobs.remember_jobs(root, [discovery.find_job(root, "work")])
    assert known_jobs.known(root) == {"work": "new"}


def forget(root: Path) -> None:
    """As in a new process."""
    for name in [name for name in sys.modules if name.startswith("jobs.")]:
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


# A module that is not found


def hint_for(root: Path, text: str, file: str = "broken.py") -> str:
    write(root, file, text)
    name = file.removesuffix("/__init__.py").removesuffix(".py")
    with pytest.raises(JobModuleError) as caught:
        discovery.find_job(root, name)
    return caught.value.hint or ""


def test_a_package_that_is_not_there_is_to_be_installed_where_durably_runs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/it's/python")
    hint = hint_for(root, "import nothing_of_that_name.inner")
    assert """'/it'"'"'s/python' -m pip install nothing_of_that_name  """ in hint
    assert "may have another name" in hint


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("jobs/helpers.py", "from jobs import helpers"),
        ("jobs/helpers/a.py", "from jobs import helpers"),
        ("src/helpers.py", "from src import helpers"),
        ("jobs/broken/helpers.py", "from jobs.broken import helpers"),
    ],
)
def test_a_file_of_the_project_is_never_to_be_installed_but_imported_by_its_place(
    root: Path, file: str, line: str
) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("WORD = 1\n")
    hint = hint_for(root, "import helpers\n", "broken/__init__.py")
    assert "pip" not in hint
    assert str(path if path.stem == "helpers" else path.parent) in hint
    assert line in hint
    write(root, "broken/__init__.py", f"{line}\n" + JOB.format(name="broken"))
    assert discovery.find_job(root, "broken").name == "broken"


def test_a_helper_that_a_helper_imports_is_found_beside_it(root: Path) -> None:
    for name, text in (("first", "import second\n"), ("second", "")):
        (root / "lib").mkdir(exist_ok=True)
        (root / "lib" / f"{name}.py").write_text(text)
    assert "from lib import second" in hint_for(root, "from lib import first\n")


def test_an_import_inside_of_a_handler_is_explained_as_one_of_its_module(project: Project) -> None:
    project.job("", "helpers")
    project.job("""
        def fetch():
            import helpers

        @define_job
        def work(step: Step) -> None:
            step.run("fetch", fetch)
    """)
    failed = project.run("trigger", "work", expect=1)
    assert "ModuleNotFoundError: No module named 'helpers'\nhelpers is " in failed.err
    assert "from jobs import helpers" in failed.err
    assert "pip" not in failed.err


def test_a_src_layout_is_to_be_installed_as_a_whole(root: Path) -> None:
    (root / "src" / "billing").mkdir(parents=True)
    (root / "src" / "billing" / "__init__.py").touch()
    (root / "pyproject.toml").write_text("[project]\nname = 'billing'\n")
    assert f"-m pip install -e {root}" in hint_for(root, "import billing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("from durably.jobs import define_job", "from durably import define_job"),
        ("import json.nothing", "and has no nothing"),
        ("import jobs.nothing", "and has no nothing"),
        ("raise ModuleNotFoundError('no')", ""),
        ("raise ModuleNotFoundError('no', name='x; rm -r /')", ""),
        ("raise ModuleNotFoundError('no', name='json')", ""),
        ("raise ModuleNotFoundError('no', name='winreg')", "was built without it"),
        ("import broken", "imports what has its own name"),
    ],
)
def test_what_no_package_brings_is_never_to_be_installed(root: Path, text: str, said: str) -> None:
    hint = hint_for(root, text)
    assert "pip" not in hint
    assert said in hint if said else hint == ""


@pytest.mark.parametrize(
    ("module", "meant"),
    [
        *(
            ("jsn", "json"),
            ("JSON", "json"),
            ("csb", "csv"),
            ("tiem", "time"),
            ("rnadom", "random"),
        ),
        *(
            ("reqeusts", "requests"),
            ("requestz", "requests"),
            ("nunpy", "numpy"),
            ("pydantik.fields", "pydantic"),
        ),
        *(("bilings", "billings"), ("ledgr", "ledger"), ("acme_toolz", "acme_tools")),
    ],
)
def test_what_may_be_a_typing_error_is_never_to_be_installed(
    root: Path, module: str, meant: str
) -> None:
    (root / "billings.py").touch()
    write(root, "ledger.py", "")
    (root / "pyproject.toml").write_text("[project]\ndependencies = ['acme-tools[all] >= 2']\n")
    hint = hint_for(root, f"import {module}")
    assert meant in hint.partition("did you mean ")[2].partition("?")[0].split(" or ")
    assert f"install {module}" not in hint
    is_missing = meant in likeness.PACKAGES and find_spec(meant) is None
    assert (f"-m pip install {likeness.PACKAGES.get(meant)}" in hint) is is_missing


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", "[project]\ndependencies = ['Jsn>=1; python_version>\"3\"']\n"),
        ("pyproject.toml", "[project.optional-dependencies]\nx = ['jsn']\n"),
        ("pyproject.toml", "[dependency-groups]\nx = [{include-group = 'y'}, 'jsn']\n"),
        ("pyproject.toml", "[tool.poetry.dependencies]\njsn = '*'\n"),
        ("requirements-dev.txt", "# what we need\n-r other.txt\njsn==1.0\n"),
    ],
)
def test_what_the_project_declares_is_no_typing_error(root: Path, file: str, text: str) -> None:
    (root / file).write_text(text)
    assert "-m pip install jsn " in hint_for(root, "import jsn")


@pytest.mark.parametrize(
    "text", ["[project]\ndependencies = 5\n", "project = 5\ntool = []\n", "[[", "\udcff"]
)
def test_a_pyproject_that_cannot_be_read_declares_nothing(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "did you mean json" in hint_for(root, "import jsn")


@pytest.mark.parametrize(
    ("module", "package"), [("jwt", "PyJWT"), ("httpx", "httpx"), ("yaml.nodes", "PyYAML")]
)
def test_a_module_of_many_is_installed_by_the_name_of_its_package(
    root: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    monkeypatch.setattr(missing_modules, "find_spec", lambda name: name == "pip" or None)
    hint = hint_for(root, f"raise ModuleNotFoundError('no', name={module!r})")
    assert f"-m pip install {package}\n" in hint


def test_what_python_has_dropped_is_never_to_be_installed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_modules, "_TAKEN_OUT", {"dropped"})
    hint = hint_for(root, "import dropped")
    assert "no longer has it" in hint
    assert "pip" not in hint


def test_a_name_that_is_near_is_shown_and_not_run(root: Path) -> None:
    write(root, "one.py", JOB.format(name="sync-users"))
    with pytest.raises(NotFound) as caught:
        discovery.find_job(root, "sync-user")
    assert (caught.value.hint or "").endswith("durably jobs sync-users")


@pytest.mark.parametrize(
    ("file", "module"),
    [
        *(("lib/helpers_z.py", "helpers_z"), ("app/core/helpers_z.py", "helpers_z")),
        *(("jobs/sub/helpers_z.py", "helpers_z"), ("Helpers_z.py", "helpers_z")),
        *(("helpers-z/__init__.py", "helpers_z"), ("jobs/helpers_z.pyx", "helpers_z")),
        *(("other.py", "Durably"), ("other.py", "durably_cl"), ("other.py", "project")),
    ],
)
def test_nobody_is_told_to_install_a_package_that_the_project_could_be_taken_for(
    project: Project, file: str, module: str
) -> None:
    path = project.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    project.job(f"import {module}\n")
    assert "pip install" not in project.run("trigger", "work", expect=78).err


def test_two_jobs_of_one_name_hide_only_themselves(project: Project) -> None:
    for name in ("one", "two"):
        project.job("@define_job(name='same')\ndef same(step: Step) -> int:\n    return 1\n", name)
    project.job("@define_job\ndef other(step: Step) -> int:\n    return 2\n", "others")
    refused = project.run("trigger", "same", expect=78)
    assert "two jobs are named same" in refused.err
    assert "rename one of them" in refused.err
    assert project.run("trigger", "other").out == "2\n"
    listed = project.run("jobs", expect=78)
    assert listed.out.startswith("other\t")
    assert "two jobs are named same" in listed.err
