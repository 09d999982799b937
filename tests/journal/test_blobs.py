"""Large results: in files of their own, replayed when they are whole, refused when they are not."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from durably_cli.journal.blobs import LIMIT
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project, disk_ends_at
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all, some_quick

JOB = """
    @define_job
    def large(step: Step, payload: dict) -> list[int]:
        size = payload.get("size", 100_000)
        texts = [step.run(f"make-{n}", make, n, size) for n in range(payload.get("count", 2))]
        odd = step.run("odd", lambda: {"$blob": "not a file", "bytes": 5})
        assert odd == {"$blob": "not a file", "bytes": 5}
        if payload.get("fail") and step.attempt == 1:
            raise RuntimeError("not yet")
        return [len(text) for text in texts]

    def make(n: int, size: int) -> str:
        effect(f"made {n}")
        return str(n) * size
"""


@pytest.fixture
def large(project: Project) -> Project:
    project.job(JOB, "large")
    return project


def blobs(project: Project) -> list[Path]:
    journal = Path(json.loads(project.run("inspect", "@last", "--json").out)["run"]["journal"])
    return sorted(journal.with_suffix(".blobs").iterdir())


def test_a_large_result_is_in_a_file_that_the_journal_names(large: Project) -> None:
    large.run("trigger", "large")
    journal = large.journal()
    assert journal.stat().st_size < 5000
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    results = {line["name"]: line["result"] for line in lines if line["type"] == "step.completed"}
    reference = results["make-1"]
    assert reference["bytes"] == 100_002
    assert reference["preview"].startswith('"111')
    path = journal.parent / reference["$blob"]
    assert path.read_text() == json.dumps("1" * 100_000)
    assert path.name == sha256(path.read_bytes()).hexdigest()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(blobs(large)) == 3, "what looks like a reference is in a file as well"


def test_one_that_just_fits_stays_in_the_journal(large: Project) -> None:
    large.run("trigger", "large", "-p", f"size:={LIMIT - 2}")
    assert len(blobs(large)) == 1
    large.run("trigger", "large", "-p", f"size:={LIMIT - 1}")
    assert len(blobs(large)) == 3


def test_it_is_replayed_and_shown(large: Project) -> None:
    large.run("trigger", "large", "-p", "fail:=true", expect=1)
    assert large.run("resume", "@last").out == "[100000,100000]\n"
    assert large.effects == ["made 0", "made 1"]
    assert large.run("inspect", "@last", "--step", "make-1").out == json.dumps("1" * 100_000) + "\n"
    shown = on_a_terminal(large, "inspect", "@last", "--step", "make-1")
    assert ".blobs/" in shown
    assert "preview" in shown
    assert len(shown) < 1000
    assert [step["bytes"] for step in large.inspect()["checkpoints"]] == [100_002, 100_002, 32]
    assert "100.0 kB" in on_a_terminal(large, "inspect", "@last")


@pytest.mark.parametrize("harm", some_quick(["unlink", "truncate", "change", "link", "swap"], 2))
def test_one_that_is_missing_or_changed_is_damage_and_never_a_result(
    large: Project, harm: str
) -> None:
    large.run("trigger", "large", "-p", "fail:=true", expect=1)
    lines = [json.loads(line) for line in large.journal().read_text().splitlines()]
    (name,) = (
        line["result"]["$blob"] for line in lines if "'make-0'" in f"{line}" and "ms" in line
    )
    path = large.journal().parent / name
    data = path.read_bytes()
    other = next(one for one in blobs(large) if one != path)
    path.unlink()
    if harm == "truncate":
        path.write_bytes(data[:-1])
    elif harm == "change":
        path.write_bytes(data.replace(b"0", b"1", 1))
    elif harm == "link":
        (path.parent / "elsewhere").write_bytes(data)
        path.symlink_to(path.parent / "elsewhere")
    elif harm == "swap":
        path.write_bytes(other.read_bytes())
    result = large.run("resume", "@last", expect=None)
    assert result.code == 74
    assert str(path) in result.err
    assert result.out == ""
    assert large.effects == ["made 0", "made 1"]
    found = json.loads(large.run("verify", "--json", expect=74).out)["findings"]
    assert any("the result of step make-0 is lost" in each["detail"] for each in found)
    large.run("inspect", "@last", "--step", "make-0", expect=74)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    assert large.run("resume", "@last").out == "[100000,100000]\n"


@pytest.mark.parametrize("harm", ["unlink", "change"])
def test_a_run_that_lost_one_is_repaired_and_makes_it_again(large: Project, harm: str) -> None:
    large.run("trigger", "large", "-p", "fail:=true", expect=1)
    path = next(path for path in blobs(large) if path.read_bytes()[1:2] == b"1")
    if harm == "unlink":
        path.unlink()
        assert large.runs()[0]["status"] == "damaged"
        large.run("inspect", "@last", expect=74)
        large.run("resume", "@last", expect=74)
    else:
        path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))
        refused = large.run("resume", "@last", expect=74)
        assert "durably help care" in refused.err
    exported = large.run("export", "@last", "-o", "lost.tar.gz")
    assert ("it is damaged at line" in exported.err) == (harm == "unlink")
    repaired = large.run("repair", "@last", "--yes")
    assert "the result of step make-1 is lost" in repaired.err
    assert "with 1 step completed" in repaired.err
    assert large.run("resume", "@last").out == "[100000,100000]\n"
    assert large.effects == ["made 0", "made 1", "made 1"]
    large.run("verify")


def test_they_go_with_their_run(large: Project) -> None:
    large.run("trigger", "large")
    folder = blobs(large)[0].parent
    large.run("delete", "@last")
    assert not folder.exists()


def test_a_disk_that_fills_up_loses_no_acknowledged_result(large: Project) -> None:
    done = large.run("trigger", "large", expect=74, **disk_ends_at(90_000))
    assert "File too large; the result of step 'make-0' was not saved" in done.err
    assert not list(large.data.rglob("*.tmp"))
    assert large.run("resume", "@last").out == "[100000,100000]\n"


@some_or_all(4)
def test_a_run_that_is_killed_anywhere_has_whole_results_or_none(
    large: Project, every: int
) -> None:
    runs = 0
    given = ("-p", "count:=1", "-p", f"pad={LIMIT * 'x'}")

    def args() -> tuple[str, ...]:
        nonlocal runs
        runs += 1
        return ("trigger", "large", *given, "--idempotency-key", f"k{runs}")

    def check(number: int) -> None:
        large.run("verify")
        out = large.run("trigger", "large", *given, "--idempotency-key", f"k{runs}").out
        assert out == "[100000]\n", f"killed at {number}"

    assert killed_everywhere(large, args, check, every) >= 30


PEAK = """
import subprocess, sys
from durably_cli.__main__ import main
sys.argv[0] = "durably"
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print("peak", status.split("VmHWM:")[1].split()[0], file=sys.stderr)
"""


def peak(project: Project, *args: str) -> int:
    """The most memory the command had, in MB, as the kernel counts it."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *args],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    return int(done.stderr.split("peak ")[1]) // 1000


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own count is read from /proc")
@pytest.mark.parametrize(
    ("count", "size"),
    [(30, 4_000_000), pytest.param(64, 16 << 20, marks=pytest.mark.campaign)],
)
@pytest.mark.long
def test_many_large_results_take_the_memory_of_a_few(large: Project, count: int, size: int) -> None:
    job = JOB.replace("return str(n) * size", "return chr(97 + n % 26) * size")
    large.job(job.replace("make, n, size) for", "make, n, size)[:9] for"), "large")
    args = ("-p", f"count:={count}", "-p", f"size:={size}", "-p", "fail:=true")
    bound = 60 + 8 * size // 1_000_000
    assert bound < count * size // 1_000_000 + 60
    assert peak(large, "trigger", "large", *args) < bound
    assert peak(large, "resume", "@last") < bound
    assert len(large.effects) == count
    assert peak(large, "verify") < 60
    assert peak(large, "inspect", "@last") < 60
