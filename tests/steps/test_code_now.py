"""What became of the code of a step is said of its source, which is read, and not executed."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.steps.bytecode import COMPILER
from durably_cli.steps.code import code_of
from durably_cli.steps.code_now import CodeNow, Comparison
from tests.conftest import Project
from tests.steps.test_code import MODULE, load


def state(folder: Path, code: str) -> str:
    return CodeNow(folder).compare(code).verdict.value


@pytest.mark.parametrize(
    "name", ["plain", "decorated", "cached", "partly", "bound", "static", "called", "inner"]
)
def test_what_was_imported_is_the_same_until_it_is_edited(tmp_path: Path, name: str) -> None:
    path = tmp_path / "lib" / "one.py"
    code = code_of(getattr(load(tmp_path, "lib/one.py"), name), str(tmp_path))
    assert state(tmp_path, code) == "same"
    path.write_text("# a comment\n\n" + MODULE.replace("\n\n", "\n\n\n"))
    assert state(tmp_path, code) == "same"
    edited = MODULE.replace("return x", "return 9 + x")
    for number in range(1, 5):
        edited = edited.replace(f"return {number}", f"return {number}0")
    path.write_text(edited.replace("lambda: 4", "lambda: 40"))
    assert state(tmp_path, code) == "changed"
    path.write_text("")
    assert state(tmp_path, code) == "gone"
    path.unlink()
    assert state(tmp_path, code) == "gone"
    shutil.rmtree(path.parent)
    path.parent.write_text("")
    assert state(tmp_path, code) == "gone"


def test_one_of_several_of_a_name_is_enough(tmp_path: Path) -> None:
    text = "import sys\nif sys:\n    def f(): return 1\nelse:\n    def f(): return 2\n"
    code = code_of(load(tmp_path, "one.py", text).f, str(tmp_path))
    assert state(tmp_path, code) == "same"
    (tmp_path / "one.py").write_text(text.replace("return 2", "return 3"))
    assert state(tmp_path, code) == "same"
    (tmp_path / "one.py").write_text(text.replace("return 1", "return 3"))
    assert state(tmp_path, code) == "changed"


def test_nothing_is_executed_and_no_warning_is_given(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.py").write_text("print('executed')\nx = '\\d' is 1\ndef f(): pass\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert state(tmp_path, f"one.py:f:00000000.{COMPILER}") == "changed"
    assert capfd.readouterr() == ("", "")


def test_a_file_is_read_once_in_a_look(tmp_path: Path) -> None:
    code = code_of(load(tmp_path, "one.py").plain, str(tmp_path))
    now = CodeNow(tmp_path)
    assert now.compare(f"one.py:gone:00000000.{COMPILER}").verdict == "gone"
    (tmp_path / "one.py").unlink()
    assert now.compare(code).verdict == "same"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"def f(:\n", "its file does not compile: invalid syntax, line 1"),
        (b"def f(): return '\xff'\n", "does not compile"),
        (b"# coding: no-such\n", "does not compile"),
        (b"x = 1\0\n", "does not compile"),
        (b"x = " + b"(" * 10_000, "does not compile"),
        (b"#" * 10_000_001, "does not compile"),
    ],
)
def test_what_does_not_compile_is_unknown(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "one.py").write_bytes(content)
    said = CodeNow(tmp_path).compare(f"one.py:f:00000000.{COMPILER}")
    assert said.verdict == "unknown"
    assert reason in said.reason


def test_the_encoding_that_a_file_names_is_its_own(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\ndef f():\n    return 'é'\n"
    (tmp_path / "two.py").write_text(text.replace("latin-1", "utf-8"))
    code = code_of(load(tmp_path, "two.py", (tmp_path / "two.py").read_text()).f, str(tmp_path))
    (tmp_path / "two.py").write_bytes(text.encode("latin-1"))
    assert state(tmp_path, code) == "same"


SECRET = "def f():\n    return 1\n"


@pytest.mark.parametrize(
    "file",
    [
        *("../outside.py", "lib/../../outside.py", "link.py", "linked/outside.py", "{root}"),
        *("", ".", "lib", "pipe", "a" * 5000, "a/" * 5000, "one\0.py", "\ud800.py", "/dev/stdin"),
        *("one.py/", "/etc/passwd", "../project/one.py", "lib/.."),
    ],
)
def test_nothing_outside_of_the_project_is_read(tmp_path: Path, file: str) -> None:
    project = tmp_path / "project"
    (project / "lib").mkdir(parents=True)
    (tmp_path / "outside.py").write_text(SECRET)
    (project / "link.py").symlink_to(tmp_path / "outside.py")
    (project / "linked").symlink_to(tmp_path)
    os.mkfifo(project / "pipe")
    file = file.format(root=tmp_path / "outside.py")
    said = CodeNow(project).compare(f"{file}:f:00000000.{COMPILER}")
    assert said.verdict in ("unknown", "gone")
    assert len(said.reason) < 100
    assert (said.verdict == "unknown") == bool(said.reason)


def test_a_file_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "loop.py").symlink_to(tmp_path / "loop.py")
    assert state(tmp_path, f"loop.py:f:00000000.{COMPILER}") == "unknown"


@given(st.text() | st.from_regex(r"\A[./a-z\0]*:[a-z.<>]*:[0-9a-f]*\Z"))
def test_any_text_of_a_journal_is_answered(text: str) -> None:
    assert type(CodeNow("/nowhere").compare(text)) is Comparison


def test_what_is_nested_too_deeply_is_unknown(tmp_path: Path) -> None:
    depth = 60
    (tmp_path / "one.py").write_text(f"f = {'lambda: ' * depth}1\n")
    now = CodeNow(tmp_path)
    limit = sys.getrecursionlimit()
    frames = len(inspect.stack(0))
    assert now.compare(f"one.py:g:00000000.{COMPILER}").verdict == "gone"
    sys.setrecursionlimit(frames + 40)
    try:
        said = now.compare(f"one.py:<lambda>:00000000.{COMPILER}")
    finally:
        sys.setrecursionlimit(limit)
    assert said == ("unknown", "it is nested too deeply")


JOB = """
    from durably_cli.steps.code import code_of
    from lib import helper

    def fetch(org: str, since: int = 3) -> list:
        '''All of them.'''
        assert org
        return [n for n in range(since) if n % 2 or n > 1]

    @define_job
    def work(step: Step, payload: dict) -> list:
        folder = os.getcwd()
        local = lambda: fetch("a")
        found = [fetch, helper.again, local, step.run]
        step.run("fetch", fetch, "a")
        step.run("local", local)
        return [code_of(each, folder) for each in found]
"""


def called(project: Project) -> list[str]:
    """What a run of the job says of the functions that it calls."""
    (project.root / "lib").mkdir()
    helper = "def again(n):\n    'Words.'\n    assert n\n"
    (project.root / "lib" / "helper.py").write_text(helper)
    project.job(JOB)
    for _ in range(2):  # the second time lib/helper.py comes from a compiled file
        codes: list[str] = json.loads(project.run("trigger", "work").out)
    names = [code.rpartition(":")[0] for code in codes]
    local = "jobs/work.py:work.<locals>.<lambda>"
    assert names == ["jobs/work.py:fetch", "lib/helper.py:again", local, ""]
    return codes


@pytest.mark.usefixtures("interpreters")
def test_what_a_run_called_is_the_same_in_a_look(project: Project) -> None:
    codes = called(project)
    assert [state(project.root, code) for code in codes] == ["same"] * 3 + ["unknown"]
    path = project.root / "jobs" / "work.py"
    path.write_text(path.read_text().replace("n > 1", "n > 2").replace("All of", "Some of"))
    assert [state(project.root, code) for code in codes[:3]] == ["changed", "same", "same"]


@pytest.mark.usefixtures("interpreters")
def test_hashes_of_another_compiler_do_not_compare(project: Project) -> None:
    project.env["PYTHONOPTIMIZE"] = "1"
    program = "from durably_cli.steps.bytecode import COMPILER; print(COMPILER)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=project.env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{COMPILER}.opt-1\n"
    assert state(project.root, called(project)[0]) == "unknown"  # an assert is not there
