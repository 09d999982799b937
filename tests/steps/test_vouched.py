"""Files that a result vouches for: on disk before it is acknowledged, and looked at by a replay."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably_cli import File, ValueRefused
from durably_cli.__main__ import main
from durably_cli.steps.vouched import sync_files
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.system_calls import SYNCS, calls_in, watch


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The device and inode of everything that is synced from now on, in order."""
    seen = list[tuple[int, int]]()

    def noting(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(fd: int, *args: int) -> object:
            seen.append((os.fstat(fd).st_dev, os.fstat(fd).st_ino))
            return real(fd, *args)

        monkeypatch.setattr(module, name, call)

    noting(os, "fsync")
    noting(*((fcntl, "fcntl") if sys.platform == "darwin" else (os, "fdatasync")))
    return seen


def identity(path: Path) -> tuple[int, int]:
    return os.stat(path).st_dev, os.stat(path).st_ino


def test_a_file_is_synced_and_then_its_folder(
    tmp_path: Path, synced: list[tuple[int, int]]
) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("x")
    sync_files(map(File, (*paths, *paths)))
    assert sorted(synced[:2]) == sorted(map(identity, paths))
    assert synced[2:] == [identity(tmp_path)]


def test_of_a_link_both_folders_are_synced(tmp_path: Path, synced: list[tuple[int, int]]) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "there" / "a").write_text("x")
    link = tmp_path / "here" / "link"
    link.symlink_to("../there/a")
    sync_files([File(link)])
    assert synced[0] == identity(link)
    folders = {identity(tmp_path / "here"), identity(tmp_path / "there")}
    assert (set(synced[1:]), len(synced)) == (folders, 3)


def test_a_relative_path_is_synced_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[tuple[int, int]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("x")
    sync_files([File("a")])
    assert synced == [identity(tmp_path / "a"), identity(tmp_path)]


def test_nothing_is_synced_for_no_files(synced: list[tuple[int, int]]) -> None:
    sync_files([])
    assert synced == []


def test_a_file_that_has_gone_meanwhile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueRefused, match="gone cannot be brought to disk: No such file"):
        sync_files([File(tmp_path / "gone")])


FILES = """
import json
from pathlib import Path
from durably_cli import File, NotDone

def given() -> str:
    return Path("given").read_text()

def write() -> File:
    effect(f"write {given()}")
    Path("out").write_text(given())
    return File("out")

def use(text: str) -> str:
    return effect(f"use {text}")

@define_job
def files(step: Step) -> File:
    step.run("before", effect, "before")
    out = step.run("write", write)
    step.run("use", use, out.path.read_text())
    step.run("last", effect, "last")
    if not os.path.exists("mended"):
        raise ValueError("not mended")
    return out
"""
DONE = ["before", "write abc", "use abc", "last"]


@pytest.fixture
def files(project: Project, request: pytest.FixtureRequest) -> Project:
    """A run whose steps have all completed, and which has failed; its job is changed so."""
    text = FILES
    for right, other in getattr(request, "param", {}).items():
        assert right in text
        text = text.replace(right, other)
    project.job(text, "files")
    (project.root / "given").write_text("abc")
    project.run("trigger", "files", expect=1)
    assert project.effects == DONE
    return project


def again(project: Project, *words: str, expect: int = 1) -> tuple[list[str], str]:
    """What a resume of the run executes, and what it says."""
    before = len(project.effects)
    said = project.run("resume", "@last", *words, expect=expect).err
    return project.effects[before:], said


def events(project: Project, type: str) -> list[dict[str, Any]]:
    lines = map(json.loads, project.run("inspect", "@last", "--events").out.splitlines())
    return [event for event in lines if event["type"] == type]


def _replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def spoil(path: Path) -> None:
        path.unlink()
        make(path)

    return spoil


def _same_size(path: Path) -> None:
    path.write_text("xyz")
    os.utime(path, ns=(0, 0))  # in the very tick in which it was made, its time would be the same


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "gone": (Path.unlink, "out is gone"),
    "changed": (_same_size, "out has changed (its sha256 is another)"),
    "longer": (lambda path: path.write_text("longer"), "out has changed (6 bytes, it had 3)"),
    "a folder": (_replaced(Path.mkdir), "out is a folder now"),
    "a FIFO": (_replaced(os.mkfifo), "out is a FIFO now"),
    "unreadable": (_replaced(lambda path: path.symlink_to("out")), "out cannot be read"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_file_that_is_not_what_it_was_is_made_again(files: Project, how: str) -> None:
    spoil, why = SPOILED[how]
    path = files.root / "out"
    spoil(path)
    job = files.root / "jobs" / "files.py"
    text = 'os.path.isdir("out") and os.rmdir("out"); Path("out").unlink(missing_ok=True)\n    '
    job.write_text(job.read_text().replace("effect(f", text + "effect(f", 1))
    executed, said = again(files)
    assert executed == ["write abc"], "the same is in it again"
    assert f"step write is executed again: {why}" in said
    (discarded,) = events(files, "step.discarded")
    assert (discarded["name"], discarded.get("by")) == ("write", "")
    assert discarded["why"].startswith(why)
    assert again(files)[0] == []


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: os.utime(path, ns=(1, 1)),
        _replaced(lambda path: path.write_text("abc")),
        lambda path: path.rename(path.parent / "x") and path.symlink_to("x"),
    ],
)
def test_the_same_in_it_is_enough(files: Project, touch: Callable[[Path], object]) -> None:
    touch(files.root / "out")
    assert again(files)[0] == []


def test_another_content_has_what_came_after_executed_again(files: Project) -> None:
    (files.root / "out").unlink()
    (files.root / "given").write_text("xyz")
    executed, said = again(files)
    assert executed == ["write xyz", "use xyz", "last"]
    assert "step write gives another result: what 2 steps after it gave is discarded" in said
    assert again(files)[0] == []


@pytest.mark.parametrize("files", [{'File("out")': 'File("out", changed="fail")'}], indirect=True)
def test_one_that_is_to_fail_does_and_nothing_is_executed(files: Project) -> None:
    (files.root / "mended").touch()
    (files.root / "out").rename(files.root / "away")
    for _ in range(2):
        executed, said = again(files)
        assert executed == []
        assert "FileChanged: step 'write' vouches for a file that is not what it was" in said
        assert "out is gone; put it back, or have the step executed again" in said
        assert "--redo write" in said
    (files.root / "away").rename(files.root / "out")
    assert again(files, expect=0)[0] == []


@pytest.mark.parametrize("files", [{'File("out")': 'File("out", changed="fail")'}], indirect=True)
def test_one_that_is_to_fail_is_made_again_by_redo(files: Project) -> None:
    (files.root / "out").unlink()
    (files.root / "given").write_text("xyz")
    assert again(files, "--redo", "write")[0] == ["write xyz", "use xyz", "last"]
    assert again(files)[0] == []


MODEL = """class Made(BaseModel):
    n: int
    files: dict[str, list[File]]

def write() ->"""
NESTED = {
    "a list": {"-> File:\n    effect": "-> list[File]:\n    effect", 'File("out")\n': "[{}]\n"},
    "a model": {
        "def write() ->": MODEL,
        "File:\n    effect": "Made:\n    effect",
        'File("out")\n': 'Made(n=1, files={{"x": [{}]}})\n',
    },
    "a large result": {
        "-> File:\n    effect": "-> tuple[str, File]:\n    effect",
        'File("out")\n': '("x" * 70_000, {})\n',
    },
}
OUT = {"a list": "out[0]", "a model": "out.files['x'][0]", "a large result": "out[1]"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {
                **{right: other.format('File("out")') for right, other in parts.items()},
                "out.path": f"{OUT[name]}.path",
                "return out\n": f"return {OUT[name]}\n",
            },
            id=name,
        )
        for name, parts in NESTED.items()
    ],
    indirect=True,
)
def test_wherever_it_stands_in_a_result(files: Project) -> None:
    (files.root / "out").unlink()
    assert again(files)[0] == ["write abc"]
    (files.root / "out").write_text("other")
    (files.root / "given").write_text("xyz")
    assert "out has changed" in json.dumps(files.inspect()["checkpoints"])
    assert again(files)[0] == ["write xyz", "use xyz", "last"]


def test_of_two_files_one_that_changed_is_enough(project: Project) -> None:
    project.job(
        """
        from pathlib import Path
        from durably_cli import File

        def write() -> list[File]:
            effect("write")
            for name in "ab":
                Path(name).write_text(name)
            return [File("a"), File("b"), File("a")]

        @define_job
        def two(step: Step) -> None:
            step.run("write", write)
            raise ValueError
        """,
        "two",
    )
    project.run("trigger", "two", expect=1)
    (project.root / "b").write_text("x y")
    assert again(project)[0] == ["write"]
    (step,) = project.inspect()["checkpoints"]
    assert [(each["path"], each["change"]) for each in step["files"]] == [("a", None), ("b", None)]


def test_a_relative_path_leads_on_from_the_project_whoever_calls_from_where(
    files: Project, tmp_path: Path
) -> None:
    elsewhere = files.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "out").write_text("other")
    files.run("resume", "@last", cwd=elsewhere, expect=1)
    files.run("-C", str(files.root), "resume", "@last", cwd=tmp_path, expect=1)
    assert files.effects == DONE
    assert files.inspect()["checkpoints"][1]["files"][0]["change"] is None


@pytest.mark.parametrize("files", [{'File("out")': 'File(os.path.abspath("out"))'}], indirect=True)
def test_an_absolute_path_is_looked_at_where_it_is(files: Project) -> None:
    path = files.root / "out"
    assert files.inspect()["checkpoints"][1]["files"][0]["path"] == str(path)
    path.unlink()
    assert again(files)[0] == ["write abc"]


def test_a_run_of_python_code_has_its_files_where_the_code_was(
    project: Project, tmp_path: Path
) -> None:
    project.job(FILES, "files")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "given").write_text("abc")
    code = "from jobs.files import files; files.trigger()"
    env = project.env | {"PYTHONPATH": f"{project.root}:{project.env['PYTHONPATH']}"}
    words = (sys.executable, "-c", code)
    subprocess.run(words, cwd=tmp_path / "here", env=env, capture_output=True)
    assert project.effects == DONE
    assert again(project)[0] == []
    (tmp_path / "here" / "out").unlink()
    assert "here/out is gone" in project.inspect()["checkpoints"][1]["files"][0]["change"]
    assert again(project)[0] == ["write abc"]


def test_a_renamed_project_has_its_files_where_it_is_now(project: Project, tmp_path: Path) -> None:
    project.env["DURABLY_NAME"] = "named"
    project.job(FILES, "files")
    (project.root / "given").write_text("abc")
    project.run("trigger", "files", expect=1)
    project.root = project.root.rename(tmp_path / "renamed")
    assert project.inspect()["checkpoints"][1]["files"][0]["change"] is None
    assert again(project)[0] == []
    assert project.inspect()["checkpoints"][1]["files"][0]["change"] is None


@pytest.mark.parametrize(
    "files",
    [
        {
            "def write() ->": "def write(connection) ->",
            'step.run("write", write)': 'step.transaction("write", "a.db", write)',
        }
    ],
    indirect=True,
)
def test_of_a_transaction(files: Project) -> None:
    (files.root / "out").unlink()
    (files.root / "given").write_text("xyz")
    assert again(files)[0] == ["write xyz", "use xyz", "last"]
    assert again(files)[0] == []


STOPS = {'"write", write)': '"write", write, in_doubt="stop")'}
LOOKED = """    if os.path.exists("kill"):
        os.unlink("kill")
        os.kill(os.getpid(), 9)
    return File("out")

def look() -> File:
    effect("look")
    if not os.path.exists("out"):
        raise NotDone
    return File("out")
"""


def test_of_a_function_that_looks(project: Project) -> None:
    text = FILES.replace('    return File("out")\n', LOOKED)
    project.job(text.replace('"write", write)', '"write", write, in_doubt=look)'), "files")
    (project.root / "given").write_text("abc")
    (project.root / "kill").touch()
    project.run("trigger", "files", expect=-9)
    assert again(project)[0] == ["look", "use abc", "last"]
    (project.root / "out").unlink()
    assert again(project)[0] == ["write abc"], "it has completed, and there is no doubt"


@pytest.mark.parametrize("files", [STOPS], indirect=True)
def test_a_step_that_stops_in_doubt_is_not_called_unasked_for_a_file(files: Project) -> None:
    (files.root / "out").rename(files.root / "away")
    for _ in range(2):
        executed, said = again(files)
        assert executed == []
        assert "step 'write' was done, and out is gone: it is not called again unless" in said
        assert "--redo write" in said
    (files.root / "away").rename(files.root / "out")
    assert again(files)[0] == [], "nobody had discarded it"
    (files.root / "out").unlink()
    assert again(files, "--redo", "write")[0] == ["write abc"]
    (files.root / "mended").touch()
    assert again(files, expect=0)[0] == []


@pytest.mark.parametrize("files", [STOPS], indirect=True)
def test_a_file_that_a_person_gives_is_vouched_for_as_well(files: Project) -> None:
    (files.root / "out").unlink()
    again(files)
    given = json.dumps({"$file": "by hand"})
    words = ("--done", "write", "--result", given)
    executed, said = again(files, *words)
    assert executed == []
    assert "by hand is not there" in said
    (files.root / "by hand").write_text("xyz")
    assert again(files, *words)[0] == ["use xyz", "last"]
    (files.root / "by hand").unlink()
    assert "by hand is gone" in again(files)[1]


def test_tries_are_counted_from_one_again(project: Project) -> None:
    text = FILES.replace("def given", "tried = []\n\ndef given", 1).replace(
        '    Path("out")',
        '    tried.append(1)\n    if len(tried) < 3:\n        raise OSError\n    Path("out")',
    )
    text = text.replace("NotDone", "Retry").replace(
        '"write", write)', '"write", write, tries=Retry(3, delay=0))'
    )
    project.job(text, "files")
    (project.root / "given").write_text("abc")
    project.run("trigger", "files", expect=1)
    (project.root / "out").unlink()
    assert again(project)[0] == ["write abc"] * 3


@pytest.mark.parametrize(
    ("make", "why"),
    [
        ("Path('out').mkdir()", "out is a folder; a File is one file"),
        ("None", "out is not there"),
        ("os.mkfifo('out')", "out is a FIFO; a File is a regular file"),
        ("os.symlink('nowhere', 'out')", "out is not there"),
    ],
)
def test_what_is_no_file_is_refused_and_not_acknowledged(
    project: Project, make: str, why: str
) -> None:
    text = FILES.replace('Path("out").write_text(given())', make)
    project.job(text, "files")
    (project.root / "given").touch()
    assert why in project.run("trigger", "files", expect=1).err
    assert [step["status"] for step in project.inspect()["checkpoints"]] == ["completed", "failed"]


def test_inspect_says_what_became_of_it(files: Project) -> None:
    def lines() -> list[list[str]]:
        rows = files.run("inspect", "@last").out.splitlines()
        return [row.split("\t")[1:] for row in rows if row.startswith("file\t")]

    sha256 = hashlib.sha256(b"abc").hexdigest()
    assert lines() == [["write", "out", "3", sha256, ""]]
    path = files.root / "out"
    path.unlink()
    gone = f"{path} is gone"
    assert lines() == [["write", "out", "3", sha256, gone]]
    steps = {step["name"]: step["files"] for step in files.inspect()["checkpoints"]}
    assert steps.pop("write") == [{"path": "out", "bytes": 3, "sha256": sha256, "change": gone}]
    assert set(map(len, steps.values())) == {0}


def test_a_terminal_shows_it_too(files: Project) -> None:
    assert "as it was" in shown(files)
    (files.root / "out").write_text("longer")
    assert "has changed (6 bytes, it had 3)" in shown(files)


def shown(project: Project) -> str:
    how = How(project.root, project.env | {"COLUMNS": "300"}, terminal_out=True)
    return forking.run(how, "inspect", "@last").out.decode()


def test_of_a_step_that_does_not_come_up_nothing_is_looked_at(files: Project) -> None:
    job = files.root / "jobs" / "files.py"
    text = job.read_text().replace('step.run("write", write)', 'File("given")')
    job.write_text(text)
    (files.root / "out").unlink()
    (files.root / "mended").touch()
    executed, said = again(files, expect=0)
    assert executed == []
    assert "1 journalled step did not come up again: write" in said
    assert "out is gone" in files.inspect()["checkpoints"][1]["files"][0]["change"]


@pytest.mark.parametrize("moment", ["before", "behind"])
def test_killed_before_there_is_another_result(files: Project, moment: str) -> None:
    job = files.root / "jobs" / "files.py"
    text = job.read_text()
    dies = 'os.kill(os.getpid(), 9)\n    return File("out")'
    before = '    os.kill(os.getpid(), 9)\n    effect(f"write'
    job.write_text(
        text.replace('    effect(f"write', before)
        if moment == "before"
        else text.replace('return File("out")', dies)
    )
    (files.root / "out").unlink()
    (files.root / "given").write_text("xyz")
    again(files, expect=-9)
    job.write_text(text)
    assert again(files)[0] == ["write xyz", "use xyz", "last"], "compared with the first result"
    assert len(events(files, "step.discarded")) == 1
    assert again(files)[0] == []


def planned(project: Project, *words: str) -> dict[str, tuple[str, str]]:
    """What a dry run says of each step, and why."""
    rows = project.run("resume", "@last", "--dry-run", *words).out.splitlines()
    return {name: (what, why) for name, what, _, _, why in (row.split("\t") for row in rows)}


def test_a_dry_run_says_it_and_executes_nothing(files: Project) -> None:
    path = files.root / "out"
    path.unlink()
    assert planned(files) == {
        "before": ("replay", ""),
        "write": ("run", f"{path} is gone"),
        "use": ("perhaps", "if write gives another result"),
        "last": ("perhaps", "if write gives another result"),
    }
    assert files.effects == DONE


@pytest.mark.parametrize("files", [{'File("out")': 'File("out", changed="fail")'}], indirect=True)
def test_a_dry_run_says_that_one_that_is_to_fail_stops(files: Project) -> None:
    path = files.root / "out"
    path.unlink()
    found = planned(files)
    assert found["write"] == ("stop", f"{path} is gone")
    assert found["use"] == ("replay", "")
    assert planned(files, "--redo", "write")["write"] == ("run", "as you say")


@pytest.mark.parametrize("files", [STOPS], indirect=True)
def test_a_dry_run_says_what_is_not_called_unasked(files: Project) -> None:
    given, path = planned(files, "--redo", "before"), files.root / "out"
    assert given["write"] == ("perhaps", "it stops here if before gives another result")
    path.unlink()
    assert planned(files)["write"] == ("stop", f"{path} is gone")
    again(files)
    assert planned(files)["write"] == ("stop", f"{path} is gone")
    assert planned(files, "--redo", "write")["write"] == ("run", "as you say")


def test_an_output_may_be_one_and_a_completed_run_is_final(files: Project) -> None:
    (files.root / "mended").touch()
    output = json.loads(files.run("resume", "@last").out)
    assert (output["$file"], output["size"]) == ("out", 3)
    (files.root / "out").unlink()
    assert json.loads(files.run("resume", "@last").out) == output
    assert files.effects == DONE


def test_a_fork_looks_as_a_resume_does(files: Project) -> None:
    (files.root / "mended").touch()
    files.run("resume", "@last")
    files.run("fork", "@last")
    assert files.effects == DONE
    (files.root / "out").unlink()
    (files.root / "given").write_text("xyz")
    assert json.loads(files.run("fork", "@last").out)["$file"] == "out"
    assert files.effects == [*DONE, "write xyz", "use xyz", "last"]


def in_order(files: Project, name: str, *words: str) -> list[str]:
    """In which order a resume syncs the file of that name, and its folder, and says what."""
    log, path = files.root.parent / "calls", str(files.root / name)

    def act() -> None:
        sys.argv = ["durably", "resume", "@last", *words]
        watch(log)
        main()

    forking.call(How(files.root, files.env), act)
    seen = list[str]()
    for call in calls_in(log):
        if call.name in SYNCS and call.file in (path, str(files.root)):
            seen.append(Path(call.file).name)
        elif call.event in ("step.started write", "step.completed write"):
            seen.append(call.event)
    return seen


def test_it_is_on_disk_before_its_step_is_acknowledged(files: Project) -> None:
    """Here it is the order of calls; a power cut shows the same (tests/crash)."""
    seen = in_order(files, "out", "--redo", "write")
    assert seen == ["step.started write", "out", "project", "step.completed write"]


@pytest.mark.parametrize("files", [STOPS], indirect=True)
def test_so_is_one_that_a_person_gives(files: Project) -> None:
    (files.root / "out").rename(files.root / "by hand")
    again(files)
    words = ("--done", "write", "--result", json.dumps({"$file": "by hand"}))
    assert in_order(files, "by hand", *words) == ["by hand", "project", "step.completed write"]


def test_data_that_looks_like_a_file_is_data(project: Project) -> None:
    project.job(
        """
        from typing import Any

        def answer() -> dict[str, Any]:
            effect("asked")
            return {"$file": "/nowhere/out", "size": 1, "sha256": "0" * 64}

        @define_job
        def asks(step: Step) -> str:
            found = step.run("ask", answer)
            if step.attempt == 1:
                raise ValueError
            return found["$file"]
        """,
        "asks",
    )
    project.run("trigger", "asks", expect=1)
    assert project.run("resume", "@last").out == '"/nowhere/out"\n'
    assert project.effects == ["asked"]
