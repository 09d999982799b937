"""What README.md shows is what happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from durably_cli import errors
from tests.conftest import Project

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The first block of this language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def shape(text: str) -> list[str]:
    """The lines with ids and times taken out."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f-]{27})?", "ID", text)
    return re.sub(r"\d+\.\d+ s", "TIME", text).splitlines()


def test_the_job_is_killed_and_resumed_as_shown(project: Project) -> None:
    code = block("python")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    (project.root / "jobs" / "thumbnails.py").write_text(code)
    shown = shape(block("console"))

    with project.start("trigger", "thumbnails") as process:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
    at = shown.index("$ durably trigger thumbnails &")
    assert shape("".join(said)) == shown[at + 1 : at + 4]

    (run,) = project.runs()
    assert (run["status"], run["steps"]) == ("interrupted", 2)
    assert run["reason"] == "in doubt: shrink-harbour"

    resumed = project.run("resume", "@last")
    at = shown.index("$ durably resume @last")
    assert sorted(shape(resumed.err + resumed.out)) == sorted(shown[at + 1 :])


def test_the_python_lines_work_as_shown(project: Project) -> None:
    (project.root / "jobs" / "thumbnails.py").write_text(
        block("python").replace("sleep(1)", "sleep(0)")
    )
    program = project.root / "program.py"
    lines = re.findall(r"`(thumbnails[.(].*?)`", README.replace("\n", " "))
    assert len(lines) == 2
    program.write_text(
        "from durably_cli import Step\n"
        "from jobs.thumbnails import Album, thumbnails\n"
        + "".join(f"print({line})\n" for line in lines)
    )
    done = subprocess.run(
        [sys.executable, program], cwd=project.root, env=project.env, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == [
        "{'beach': 5000}",
        "{'beach': 5000, 'forest': 6000, 'harbour': 7000, 'tower': 5000}",
    ], done.stderr


def test_every_exit_code_is_in_the_table() -> None:
    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, (errors.DurablyError, errors.Abort))
        and each is not errors.Interrupted
    }
    rows = re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",")}
    assert codes <= told
    assert {128 + signum for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)} <= told


def test_every_command_and_option_that_is_named_exists(project: Project) -> None:
    help_of = {
        command: project.run(command, "--help").out
        for command in ("trigger", "resume", "list", "inspect", "adopt")
    }
    named = re.findall(r"`durably ([a-z]+)[^`]*?(--[\w-]+)[^`]*`", README)
    assert named
    for command, option in named:
        assert option in help_of[command]
    for text in help_of.values():
        assert "Examples:" in text
