"""The folder that a job runs in, and how paths that are typed are read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.working_folder import from_project, inside
from tests.conftest import Project
from tests.harness.quick import some_quick
from tests.harness.sample_journals import resealed

WHERE = """
    from pathlib import Path

    class Input(BaseModel):
        file: Path | None = None
        files: list[Path] = []
        text: str = ""

    (IMPORTED := os.getcwd())

    @define_job
    def where(step: Step, payload: Input) -> list[str]:
        first = step.run("first", os.getcwd)
        if os.environ.get("FAIL"):
            raise RuntimeError("not yet")
        if os.environ.get("DIE"):
            os.kill(os.getpid(), 9)
        return [IMPORTED, first, step.run("second", os.getcwd)]
"""


@pytest.fixture
def where(project: Project) -> Project:
    project.job(WHERE, "where")
    return project


@pytest.fixture
def elsewhere(where: Project) -> Path:
    folder = where.root.parent / "elsewhere"
    folder.mkdir()
    return folder


def of_before(journal: Path) -> None:
    """Make this journal one of durably 0.1: its lines tell no folder."""
    lines = journal.read_bytes().splitlines(keepends=True)
    for number in range(1, len(lines) + 1):
        lines = resealed(lines, number, without_folder, run=journal.stem)
    journal.write_bytes(b"".join(lines))


def without_folder(body: bytes) -> bytes:
    head, found, rest = body.partition(b',"folder":"')
    return head + rest.partition(b'"')[2] if found else body


def test_a_job_runs_in_its_project_whoever_calls_from_wherever(
    where: Project, elsewhere: Path
) -> None:
    inner = where.root / "jobs" / "inner"
    inner.mkdir()
    for folder, args in ((where.root, ()), (inner, ()), (elsewhere, ("-C", str(where.root)))):
        found = where.run(*args, "trigger", "where", "--text", "x", cwd=folder)
        assert json.loads(found.out) == [str(where.root)] * 3
    found = where.run(*args, "jobs", "where", cwd=elsewhere)
    assert where.inspect()["folder"] == str(where.root)


def test_a_resume_from_elsewhere_goes_on_in_the_project(where: Project, elsewhere: Path) -> None:
    where.run("trigger", "where", env=where.env | {"FAIL": "1"}, expect=1)
    found = where.run("-C", str(where.root), "resume", "@last", cwd=elsewhere)
    assert json.loads(found.out) == [str(where.root)] * 3
    assert "the last attempt ran in" not in found.err


def test_a_resume_after_a_move_goes_on_in_the_project_as_it_is_now(where: Project) -> None:
    where.run("trigger", "where", env=where.env | {"FAIL": "1"}, expect=1)
    moved = where.root.with_name("moved")
    where.root.rename(moved)
    where.run("import", str(where.root), cwd=moved)
    found = where.run("resume", "@last", cwd=moved)
    assert json.loads(found.out)[2] == str(moved)
    assert f"the last attempt ran in {where.root}, this one runs in {moved}" in found.err


def triggered_from(
    where: Project, folder: Path, key: str | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    program = (
        f"import sys; sys.path.insert(0, {str(where.root)!r})\n"
        "from jobs.where import Input, where\n"
        f"print(where.trigger(Input(), idempotency_key={key!r}).status)\n"
    )
    return subprocess.run(
        (sys.executable, "-c", program),
        cwd=folder,
        env=where.env | env,
        capture_output=True,
        text=True,
    )


def test_a_run_that_python_triggered_goes_on_in_the_folder_it_began_in(
    where: Project, elsewhere: Path
) -> None:
    assert triggered_from(where, elsewhere, FAIL="1").stdout == "failed\n"
    assert where.inspect()["folder"] == str(elsewhere)
    found = where.run("resume", "@last")
    assert json.loads(found.out) == [str(elsewhere)] * 3


def test_a_run_whose_folder_is_gone_goes_on_in_the_project_and_says_so(
    where: Project, elsewhere: Path
) -> None:
    triggered_from(where, elsewhere, FAIL="1")
    elsewhere.rmdir()
    found = where.run("resume", "@last")
    assert json.loads(found.out) == [str(where.root), str(elsewhere), str(where.root)]
    (said,) = (line for line in found.err.splitlines() if "is gone" in line)
    assert str(elsewhere) in said and str(where.root) in said


@pytest.mark.parametrize("folder", [b"/no\\u0000thing", b"/" + b"long" * 100, b"/etc/hosts"])
def test_so_does_one_whose_folder_can_be_on_no_machine(where: Project, folder: bytes) -> None:
    def moved(body: bytes) -> bytes:
        head, found, rest = body.partition(b'"folder":"')
        return head + found + folder + rest[rest.index(b'"') :]

    where.run("trigger", "where", env=where.env | {"FAIL": "1"}, expect=1)
    journal = where.journal()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(resealed(lines, 1, moved, run=journal.stem)))
    found = where.run("resume", "@last")
    assert json.loads(found.out)[2] == str(where.root)
    assert "is gone" in found.err


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_inside_of_a_project_moves_with_it(where: Project, there: bool) -> None:
    inner = where.root / "inner"
    inner.mkdir()
    triggered_from(where, inner, FAIL="1")
    moved = where.root.with_name("moved")
    where.root.rename(moved)
    where.run("import", str(where.root), cwd=moved)
    if not there:
        (moved / "inner").rmdir()
    found = where.run("resume", "@last", cwd=moved)
    assert json.loads(found.out)[2] == str(moved / "inner" if there else moved)
    assert ("is gone" in found.err) == (not there)


def test_a_folder_whose_name_is_not_utf_8_is_found_again(where: Project, elsewhere: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(elsewhere) + b"/\xff\xfe"))
    odd.mkdir()
    where.job(
        """
        Input = dict

        @define_job
        def where(step: Step, payload: dict) -> str:
            if os.environ.get("FAIL"):
                raise RuntimeError("not yet")
            return os.getcwdb().hex()
        """,
        "where",
    )
    assert triggered_from(where, odd, FAIL="1").stdout == "failed\n"
    found = where.run("resume", "@last")
    assert json.loads(found.out) == os.fsencode(odd).hex(), found


def test_python_in_a_folder_that_is_gone_makes_a_run_of_the_project(
    where: Project, elsewhere: Path, tmp_path: Path
) -> None:
    program = (
        f"import os, sys; sys.path.insert(0, {str(where.root)!r}); os.chdir({str(elsewhere)!r})\n"
        f"import jobs.where as module; os.rmdir({str(elsewhere)!r})\n"
        "print(module.where.trigger(module.Input()).status)\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", program), cwd="/", env=where.env, capture_output=True, text=True
    )
    assert done.stdout == "failed\n", done  # as os.getcwd fails there
    found = where.run("-C", str(where.root), "resume", "@last", cwd=tmp_path)
    assert json.loads(found.out) == [str(where.root)] * 3


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes setpriv")
def test_a_folder_that_nobody_may_enter_is_named_and_nothing_is_executed(
    where: Project, elsewhere: Path
) -> None:
    triggered_from(where, elsewhere, FAIL="1")
    elsewhere.chmod(0)
    before = where.journal().read_bytes()
    rights = "--bounding-set -dac_override,-dac_read_search --inh-caps -all"
    command = f"setpriv {rights} {sys.executable} -m durably_cli resume @last"
    refused = subprocess.run(
        command.split(), cwd=where.root, env=where.env, capture_output=True, text=True
    )
    elsewhere.chmod(0o700)
    assert refused.returncode == 78 and str(elsewhere) in refused.stderr, refused
    assert where.journal().read_bytes() == before


def test_python_is_left_where_it_is_and_the_attempt_says_so(
    where: Project, elsewhere: Path
) -> None:
    given = json.dumps({"file": None, "files": [], "text": ""})
    command = ("trigger", "where", "--idempotency-key", "k", "-i", given)
    where.run(*command, env=where.env | {"DIE": "1"}, expect=-signal.SIGKILL)
    assert triggered_from(where, elsewhere, key="k").stdout == "completed\n"
    found = where.inspect()
    assert found["output"][1:] == [str(where.root), str(elsewhere)]
    assert [each["folder"] for each in found["attempts"]] == [None, str(elsewhere)]


def test_a_run_of_before_goes_on_where_the_command_is_called(
    where: Project, elsewhere: Path
) -> None:
    where.run("trigger", "where", env=where.env | {"FAIL": "1"}, expect=1)
    of_before(where.journal())
    found = where.run("-C", str(where.root), "resume", "@last", cwd=elsewhere)
    assert json.loads(found.out) == [str(elsewhere), str(where.root), str(elsewhere)]
    (attempt,) = [each for each in where.inspect()["attempts"] if each["attempt"] == 2]
    assert attempt["folder"] == str(elsewhere)


@pytest.mark.parametrize("flag", some_quick(["--files", "--file"], 1))
def test_a_path_flag_is_read_where_it_is_typed(where: Project, elsewhere: Path, flag: str) -> None:
    inner = where.root / "inner"
    inner.mkdir()
    cases = [
        (where.root, "data.csv", "data.csv"),
        (inner, "data.csv", "inner/data.csv"),
        (inner, "../data.csv", "data.csv"),
        (inner, str(where.root / "data.csv"), "data.csv"),
        (elsewhere, "data.csv", str(elsewhere / "data.csv")),
        (elsewhere, "../project/data.csv", "data.csv"),
        (where.root, "/etc/hosts", "/etc/hosts"),
        (elsewhere, "-", "-"),
        (elsewhere, "~/data.csv", "~/data.csv"),
    ]
    for folder, typed, expected in cases:
        where.run("-C", str(where.root), "trigger", "where", flag, typed, cwd=folder)
        found = where.inspect()["input"][flag.removeprefix("--")]
        assert found == ([expected] if flag == "--files" else expected), typed


def test_a_path_in_a_union_is_read_where_it_is_typed_and_a_number_stays_one(
    project: Project, elsewhere: Path
) -> None:
    project.job(
        """
        from pathlib import Path

        class Input(BaseModel):
            source: Path | str
            limit: Path | int

        @define_job
        def work(step: Step, payload: Input) -> list[str]:
            return [repr(payload.source), repr(payload.limit)]
        """
    )
    command = ("-C", str(project.root), "trigger", "work", "--source", "data.csv", "--limit")
    project.run(*command, "5", cwd=elsewhere)
    assert project.inspect()["input"] == {"source": str(elsewhere / "data.csv"), "limit": 5}
    project.run(*command, "./5", cwd=elsewhere)
    assert project.inspect()["input"]["limit"] == str(elsewhere / "5")


def test_a_text_flag_is_no_path(where: Project, elsewhere: Path) -> None:
    where.run("-C", str(where.root), "trigger", "where", "--text", "data.csv", cwd=elsewhere)
    assert where.inspect()["input"]["text"] == "data.csv"


def test_a_path_in_json_is_relative_to_the_project(where: Project, elsewhere: Path) -> None:
    (elsewhere / "input.json").write_text('{"file": "data.csv"}')
    command = ("-C", str(where.root), "trigger", "where", "-i", "@input.json")
    where.run(*command, cwd=elsewhere)
    assert where.inspect()["input"]["file"] == "data.csv"


def test_another_release_takes_the_same_input(where: Project) -> None:
    inputs: list[Any] = []
    for release in "41", "42":
        folder = where.root.parent / "releases" / release
        shutil.copytree(where.root, folder)
        where.run("trigger", "where", "--file", f"{folder}/data.csv", cwd=folder)
        inputs.append(json.loads(where.run("inspect", "@last", "--json", cwd=folder).out))
    assert inputs[0]["run"]["input"] == inputs[1]["run"]["input"]


def test_behind_a_link_a_path_leads_where_the_system_leads_it(
    where: Project, elsewhere: Path
) -> None:
    (where.root / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(where.root)
    with inside(where.root):
        assert from_project("link/data.csv", where.root) == "link/data.csv"
        assert from_project("link/../data.csv", where.root) == str(elsewhere.parent / "data.csv")
    with inside(elsewhere):
        assert from_project("back/data.csv", where.root) == "data.csv"


@pytest.mark.parametrize("typed", ["data.csv", "inner/../data.csv"])
def test_the_same_line_after_an_upgrade_is_no_other_input(
    where: Project, elsewhere: Path, typed: str
) -> None:
    (elsewhere / "inner").mkdir()
    command = ("-C", str(where.root), "trigger", "where", "--idempotency-key", "today")
    as_before = json.dumps({"file": typed})
    where.run(*command, "-i", as_before, env=where.env | {"DIE": "1"}, cwd=elsewhere, expect=None)
    assert where.run(*command, "--file", typed, cwd=elsewhere, expect=5).code == 5
    of_before(where.journal())
    found = where.run(*command, "--file", typed, cwd=elsewhere)
    assert json.loads(found.out)[2] == str(elsewhere), "it goes on where it would have"
    assert len(where.runs()) == 1


def test_a_key_that_was_claimed_before_and_had_no_run_yet_makes_it_as_before(
    where: Project, elsewhere: Path
) -> None:
    command = ("-C", str(where.root), "trigger", "where", "--idempotency-key", "today")
    as_before = json.dumps({"file": "data.csv"})
    where.run(*command, "-i", as_before, env=where.env | {"DIE": "1"}, expect=None)
    where.journal().unlink()
    found = where.run(*command, "--file", "data.csv", cwd=elsewhere)
    assert json.loads(found.out)[1:] == [str(elsewhere)] * 2, "where it would have run"
    assert where.inspect()["input"]["file"] == "data.csv"
    again = where.run(*command, "--file", "data.csv", cwd=elsewhere)
    assert again.out == found.out
    where.run(*command, "--file", "other.csv", cwd=elsewhere, expect=5)
    assert len(where.runs()) == 1


def test_a_command_in_a_folder_that_is_gone_can_name_its_project(
    where: Project, elsewhere: Path
) -> None:
    script = 'rmdir "$PWD" && "$@"'
    command = (sys.executable, "-m", "durably_cli", "-C", str(where.root), "trigger", "where")
    done = subprocess.run(
        ("bash", "-c", script, "bash", *command, "--text", "x"),
        cwd=elsewhere,
        env=where.env,
        capture_output=True,
        text=True,
    )
    assert json.loads(done.stdout) == [str(where.root)] * 3


@pytest.mark.parametrize(
    "command",
    [
        "-C . list",
        "-C .. info",
        "-C {project} trigger where -i @input.json",
        "-C {project} export @last -o run.tar.gz",
        "-C {project} inspect @last --html run.html",
        "-C {project} import run.tar.gz",
        "-C {project} import old",
        "init",
        "init new",
    ],
)
def test_what_needs_a_folder_that_is_gone_says_so(
    where: Project, elsewhere: Path, command: str
) -> None:
    where.run("trigger", "where")
    words = command.format(project=where.root).split()
    done = subprocess.run(
        ("bash", "-c", 'rmdir "$PWD" && "$@"', "bash", sys.executable, "-m", "durably_cli", *words),
        cwd=elsewhere,
        env=where.env,
        capture_output=True,
        text=True,
    )
    said = done.stdout if "info" in words else done.stderr
    assert "the working directory no longer exists" in said, done
    assert done.returncode == (0 if "info" in words else 78)
    assert "info" in words or "try: cd somewhere else" in said


def test_inside_a_folder_and_back(tmp_path: Path) -> None:
    before = os.getcwd()
    with pytest.raises(KeyError), inside(tmp_path):
        assert os.getcwd() == str(tmp_path)
        raise KeyError
    assert os.getcwd() == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="takes setpriv")
def test_a_working_directory_that_cannot_be_read_is_not_needed(where: Project) -> None:
    closed = where.root.parent / "closed"
    closed.mkdir()
    command = (sys.executable, "-m", "durably_cli", "-C", str(where.root), "trigger", "where")
    rights = "--bounding-set -dac_override,-dac_read_search --inh-caps -all"
    script = f'cd "$1" && shift && chmod 0 . && exec setpriv {rights} "$@"'
    done = subprocess.run(
        ("bash", "-c", script, "bash", str(closed), *command),
        cwd=where.root,
        env=where.env,
        capture_output=True,
        text=True,
    )
    closed.chmod(0o700)
    assert json.loads(done.stdout) == [str(where.root)] * 3, done


def test_a_path_that_a_job_could_read_as_something_else_stays_absolute(where: Project) -> None:
    with inside(where.root):
        for name in "-", "~root":
            assert from_project(f"./{name}", where.root) == str(where.root / name)
