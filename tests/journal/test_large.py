"""Large inputs, outputs, log lines and errors: in files of their own, and whole where it counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from durably_cli.engines.local.remove import orphans
from durably_cli.engines.local.store import Store
from durably_cli.journal.blobs import LIMIT, Blobs
from durably_cli.system.files import create
from durably_cli.system.locks import acquire
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness.strategies import RUN

JOB = """
    @define_job
    def large(step: Step, payload: dict) -> list[str]:
        if step.attempt == 1:
            step.log.info("begin " + "m" * 100_000 + " end", big="d" * 100_000)
            step.log.warn("small", big="d" * 100_000)
            step.progress(1, message="p" * 100_000)
            raise ValueError("begin " + "e" * 100_000 + " end")
        return [payload["pad"], "o" * 100_000]
"""

PAD = 70_000 * "i"
OUTPUT = f'["{PAD}","{100_000 * "o"}"]\n'


@pytest.fixture
def large(project: Project) -> Project:
    project.job(JOB, "large")
    return project


def trigger(project: Project, expect: int) -> str:
    key = ("--idempotency-key", "k")
    return project.run("trigger", "large", "-p", f"pad={PAD}", *key, expect=expect).out


def files(project: Project, part: str = "") -> list[Path]:
    """The files of large values whose names or bytes have this in them."""
    found = [path for path in project.data.rglob("*") if path.is_file()]
    large = [path for path in found if ".blobs" in str(path) or ".input-" in path.name]
    return [path for path in large if part in path.name or part in path.read_text()]


def test_they_leave_the_journal_small_and_are_whole_for_programs(large: Project) -> None:
    trigger(large, 1)
    failed = large.inspect()
    assert large.run("resume", "@last").out == OUTPUT
    assert trigger(large, 0) == OUTPUT, "the same input under the same key, and its output again"
    assert max(map(len, large.journal().read_bytes().splitlines())) < LIMIT
    shown = large.inspect()
    assert shown["input"] == {"pad": PAD}
    assert json.dumps(shown["output"], separators=(",", ":")) + "\n" == OUTPUT
    logs = [json.loads(line) for line in large.run("logs", "@last", "--json").out.splitlines()]
    assert [log["message"][-4:] for log in logs] == [" end", "mall"]
    assert all(log["data"]["big"] == 100_000 * "d" and "whole" not in log for log in logs)
    assert shown["logs"] == logs
    message = failed["error"]["message"]
    assert message.startswith("begin eee")
    assert message.endswith("eee end")
    assert "of 100,010 characters left out" in message
    (whole,) = files(large, "ValueError")
    assert f"{whole.parent.name}/{whole.name}" in message
    assert len(json.loads(whole.read_text())["message"]) == 100_010
    assert {path.stat().st_mode & 0o777 for path in files(large)} == {0o600}
    large.run("verify")


def test_they_go_where_their_run_goes(large: Project) -> None:
    trigger(large, 1)
    large.run("resume", "@last")
    shown = large.inspect()
    large.run("export", "@last", "-o", "run.tar.gz")
    large.run("delete", "@last")
    assert files(large) == []
    large.run("import", "run.tar.gz", "--adopt")
    assert large.inspect() == shown
    assert trigger(large, 0) == OUTPUT
    large.run("verify")


@pytest.mark.parametrize("harm", ["unlink", "change"])
def test_a_lost_input_or_output_is_never_taken_for_another(large: Project, harm: str) -> None:
    def lose(path: Path) -> bytes:
        data = path.read_bytes()
        path.unlink()
        if harm == "change":
            path.write_bytes(data[:-3] + b"?" + data[-2:])
        return data

    trigger(large, 1)
    (given,) = files(large, ".input-")
    data = lose(given)
    refused = large.run("resume", "@last", expect=74)
    assert f"the input cannot be read: {given}" in refused.err
    assert large.runs()[0]["status"] == "failed", "what it did can be looked at"
    assert "the input is lost" in large.run("verify", expect=74).out
    given.write_bytes(data)
    large.run("resume", "@last")
    (output,) = files(large, "ooo")
    lose(output)
    assert (
        str(output)
        in large.run(
            "trigger", "large", "-p", f"pad={PAD}", "--idempotency-key", "k", expect=74
        ).err
    )
    assert "the output is lost" in large.run("verify", expect=74).out
    large.run("repair", "@last", "--yes")
    assert large.run("resume", "@last").out == OUTPUT


def test_a_lost_log_line_or_error_says_what_is_lost_and_harms_nothing_else(large: Project) -> None:
    trigger(large, 1)
    for path in files(large):
        if ".input-" not in path.name:
            path.unlink()
    first, second = map(json.loads, large.run("logs", "@last", "--json").out.splitlines())
    assert "characters left out" in first["message"]
    assert second["message"].startswith("small (its data, 100.0 kB in ")
    assert first["whole"]["bytes"] > 200_000
    assert "a log line is lost" in large.run("verify", expect=74).out
    assert large.run("resume", "@last").out == OUTPUT


def test_no_secret_is_in_their_files(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret

        @define_job(input=Input)
        def hides(step: Step, payload: Input) -> str:
            text = payload.token.get_secret_value() + "x" * 100_000
            step.log.info(text, of=text)
            raise ValueError(text)
        """,
        "hides",
    )
    project.env["TOKEN"] = "hunter2-hunter2"
    project.run("trigger", "hides", "-p", "token=env:TOKEN", expect=1)
    assert len(files(project, "xxx")) == 2
    assert not files(project, "hunter2")


OLDER = """
from durably_cli.__main__ import main
from durably_cli.journal import events
from durably_cli.journal.registry import TYPES
del TYPES["input.stored"], TYPES["run.completed.large"]
main()
"""


def test_an_older_durably_refuses_to_go_on_with_a_reference(large: Project) -> None:
    trigger(large, 1)
    command = (sys.executable, "-c", OLDER, "resume", "@last")
    done = subprocess.run(command, cwd=large.root, env=large.env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (74, "")
    assert "input.stored" in done.stderr
    large.run("resume", "@last")
    command = (*command[:3], "trigger", "large", "-p", f"pad={PAD}", "--idempotency-key", "k")
    done = subprocess.run(command, cwd=large.root, env=large.env, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (74, "")


def test_the_input_of_a_run_that_is_being_made_is_no_leftover(tmp_path: Path) -> None:
    store = Store(tmp_path)
    journal = store.path_of(RUN)
    journal.parent.mkdir(parents=True)
    Blobs(journal).put_input(Json(f'"{PAD}"'), store.temporary)
    (given,) = journal.parent.iterdir()
    fd, unnamed = create(store.temporary, journal.name)
    lock = acquire(fd)
    assert lock is not None
    assert not list(orphans(store))
    lock.close()
    assert list(orphans(store)) == [given], "its process died"
    unnamed.unlink()
    assert list(orphans(store)) == [given]
