"""`durably export` and `import`: a run in one file, looked at elsewhere, killed anywhere."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.conftest import Project, disk_ends_at
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all
from tests.journal.test_blobs import JOB


@pytest.fixture
def here(tmp_path: Path) -> Project:
    """A project with a failed run of a key, with large results."""
    (tmp_path / "here").mkdir()
    project = Project(tmp_path / "here")
    project.job(JOB, "large")
    project.run("trigger", "large", "-p", "fail:=true", "--idempotency-key", "k", expect=1)
    return project


@pytest.fixture
def there(tmp_path: Path) -> Project:
    """A project of the same job on another machine, so to say, without any run."""
    (tmp_path / "there").mkdir()
    project = Project(tmp_path / "there")
    project.job(JOB, "large")
    return project


def exported(project: Project, name: str = "run.tar.gz") -> Path:
    path = project.root / name
    project.run("export", "@last", "-o", str(path))
    return path


def names(bundle: Path) -> list[str]:
    with tarfile.open(bundle) as archive:
        return archive.getnames()


def test_a_bundle_holds_all_of_a_run(here: Project) -> None:
    bundle = exported(here)
    run = here.runs()[0]["id"]
    found = names(bundle)
    assert found[:2] == ["bundle.json", f"{run}.jsonl"]
    assert len([name for name in found if name.startswith(f"{run}.blobs/")]) == 3
    assert found[-1] == "source/large.py"
    assert bundle.stat().st_mode & 0o777 == 0o600
    with tarfile.open(bundle) as archive:
        journal = archive.extractfile(f"{run}.jsonl")
        assert journal is not None
        assert journal.read() == here.journal().read_bytes()


def test_an_imported_run_is_looked_at_like_any_other_and_is_read_only(
    here: Project, there: Project
) -> None:
    result = there.run("import", str(exported(here)))
    run = here.runs()[0]
    assert result.out == f"{run['id']}\n"
    assert "it is read-only" in result.err
    assert there.runs() == [run]
    assert there.inspect()["imported"]
    assert there.run("inspect", "@last", "--step", "make-0").out == '"' + "0" * 100_000 + '"\n'
    assert "<h1>large" in there.run("inspect", "@last", "--html", "-").out
    there.run("verify")
    refused = there.run("resume", "@last", expect=77)
    assert "was imported, and is read-only" in refused.err
    assert there.effects == []
    there.run("trigger", "large", "--idempotency-key", "k")
    assert there.effects, "its key is not taken here"
    there.run("delete", run["id"], "--status", "failed")
    assert not list(there.data.rglob(f"{run['id']}*"))


def test_an_adopted_run_goes_on_where_it_was_and_its_key_stands_for_it(
    here: Project, there: Project
) -> None:
    bundle = exported(here)
    there.run("import", str(bundle))
    there.run("import", str(bundle), "--adopt")
    assert not there.inspect()["imported"]
    args = ("trigger", "large", "-p", "fail:=true", "--idempotency-key", "k")
    assert "failed before" in there.run(*args, expect=1).err
    assert there.run("resume", "@last").out == "[100000,100000]\n"
    assert there.effects == []
    assert there.run(*args).out == "[100000,100000]\n"
    there.run("verify")
    conflict = there.run("import", str(bundle), expect=5)
    assert "with another journal" in conflict.err


def test_a_run_that_was_deleted_here_is_adopted_again(here: Project) -> None:
    bundle = exported(here)
    here.run("delete", "@last", "--status", "failed")
    assert "it is read-only" in here.run("import", str(bundle)).err
    here.run("verify")
    here.run("trigger", "large", "--idempotency-key", "k", "-p", "fail:=true", expect=4)
    here.run("import", str(bundle), "--adopt")
    here.run("verify")
    assert here.run("resume", "@last").out == "[100000,100000]\n"
    assert here.effects == ["made 0", "made 1"]
    assert "another journal" in here.run("import", str(bundle), expect=5).err


def test_a_run_that_is_here_is_not_said_to_be_read_only(here: Project) -> None:
    said = here.run("import", str(exported(here))).err
    assert "was here already; it is this project's own" in said


def test_a_key_that_is_taken_is_not_taken_over(here: Project, there: Project) -> None:
    there.run("trigger", "large", "--idempotency-key", "k")
    result = there.run("import", str(exported(here)), "--adopt", expect=5)
    assert "is another run's" in result.err
    assert len(there.runs()) == 1
    there.run("import", str(here.root / "run.tar.gz"))
    assert there.inspect(here.runs()[0]["id"])["imported"], "it is there to be looked at"


def test_a_file_of_the_job_that_has_changed_is_not_taken_for_its_own(here: Project) -> None:
    path = here.root / "jobs" / "large.py"
    path.write_text(path.read_text() + "\n# changed\n")
    target = here.root / "run.tar.gz"
    assert "the job's file is not in it" in here.run("export", "@last", "-o", str(target)).err
    assert not any(name.startswith("source/") for name in names(target))


def test_a_damaged_run_can_be_carried_to_whoever_can_look_at_it(
    here: Project, there: Project
) -> None:
    journal = here.journal()
    data = journal.read_bytes()
    journal.write_bytes(
        data.replace(b'"step.started","name":"odd"', b'"step.started","name":"old"')
    )
    there.run("import", str(exported(here)))
    assert there.runs()[0]["status"] == "damaged"
    there.run("repair", "@last", "-y", expect=77)


def test_nothing_is_written_over(here: Project) -> None:
    target = exported(here)
    before = target.read_bytes()
    assert "exists already" in here.run("export", "@last", "-o", str(target), expect=2).err
    assert target.read_bytes() == before
    missing = here.run("export", "@last", "-o", str(here.root / "no" / "x"), expect=74)
    assert "No such file" in missing.err
    here.run("export", "ffffffff", "-o", "x", expect=4)
    assert not list(here.root.glob(".*"))


def remade(bundle: Path, change: object) -> bytes:
    """The bundle with the function applied to its members' names and bytes."""
    made = io.BytesIO()
    assert callable(change)
    with tarfile.open(bundle) as old, tarfile.open(fileobj=made, mode="w:gz") as new:
        for member in old:
            file = old.extractfile(member)
            assert file is not None
            for name, data in change(member.name, file.read()):
                member.name, member.size = name, len(data)
                new.addfile(member, io.BytesIO(data))
    return made.getvalue()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda b: b"not a tar", "no bundle of a run"),
        (lambda b: b"", "no bundle of a run"),
        (lambda b: b.read_bytes()[:-2000], "no bundle of a run"),
        (lambda b: gzip.compress(b"x" * 5000), "no bundle of a run"),
        (lambda b: remade(b, lambda n, d: [] if n == "bundle.json" else [(n, d)]), "not first"),
        (lambda b: remade(b, lambda n, d: [("../" + n if "jsonl" in n else n, d)]), "not belong"),
        (lambda b: remade(b, lambda n, d: [(n.replace("source/", "/etc/"), d)]), "not belong"),
        (lambda b: remade(b, lambda n, d: [] if "jsonl" in n else [(n, d)]), "no journal in it"),
        (lambda b: remade(b, lambda n, d: [(n, d[::-1] if "blobs" in n else d)]), "is damaged"),
        (
            lambda b: remade(b, lambda n, d: [(n, b"x" + d if "jsonl" in n else d)]),
            "cannot be read",
        ),
        (
            lambda b: remade(
                b,
                lambda n, d: (
                    [(n, json.dumps(json.loads(d) | {"bundle": 9}).encode())]
                    if n == "bundle.json"
                    else [(n, d)]
                ),
            ),
            "format 9",
        ),
    ],
)
def test_what_is_no_bundle_is_refused_and_makes_no_run(
    here: Project, there: Project, harm: object, said: str
) -> None:
    assert callable(harm)
    bundle = exported(here)
    bundle.write_bytes(harm(bundle))
    result = there.run("import", str(bundle), expect=65)
    assert said in result.err
    assert "Traceback" not in result.err
    assert there.runs() == []
    assert there.run("verify").out == "", "it leaves nothing"


def test_a_file_that_does_not_exist_is_a_clear_error(there: Project) -> None:
    assert "nothing.tar.gz" in there.run("import", "nothing.tar.gz", expect=78).err


def test_a_full_disk_is_named_and_leaves_no_half_of_a_run(here: Project, there: Project) -> None:
    target = here.root / "run.tar.gz"
    done = here.run("export", "@last", "-o", str(target), expect=74, **disk_ends_at(500))
    assert f"{target}: File too large" in done.err
    assert not target.exists()
    bundle = exported(here)
    assert "File too large" in there.run("import", str(bundle), expect=74, **disk_ends_at(500)).err
    assert not there.runs()
    there.run("import", str(bundle))
    assert there.runs()[0]["id"] == here.runs()[0]["id"]


def test_an_export_that_is_killed_anywhere_leaves_a_whole_file_or_none(here: Project) -> None:
    target = here.root / "out" / "run.tar.gz"
    target.parent.mkdir()

    def args() -> tuple[str, ...]:
        target.unlink(missing_ok=True)
        return ("export", "@last", "-o", str(target))

    def check(number: int) -> None:
        if target.exists():
            assert len(names(target)) == 6
        assert [path for path in target.parent.iterdir() if path != target] == []

    assert killed_everywhere(here, args, check) >= 4


@some_or_all(4)
def test_an_import_that_is_killed_anywhere_is_finished_by_the_next(
    here: Project, there: Project, every: int
) -> None:
    bundle = exported(here)
    run = here.runs()[0]["id"]

    def args() -> tuple[str, ...]:
        if there.runs():
            there.run("delete", run, "--status", "failed", "--free-keys")
        return ("import", str(bundle), "--adopt")

    def check(number: int) -> None:
        there.run("verify")
        there.run("import", str(bundle), "--adopt")
        assert there.inspect(run)["steps"] == 3, f"killed at {number}"
        assert not there.inspect(run)["imported"]
        assert there.run("inspect", "key:large/k", "--step", "make-1").out.startswith('"111')

    assert killed_everywhere(there, args, check, every) >= 20
    assert os.listdir(there.root) == ["jobs"]
