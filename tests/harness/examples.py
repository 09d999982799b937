"""A project in which the examples of help and README run as they stand, in a real shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from durably_cli.cli.help import TOPICS, page
from tests.conftest import BIN, Project, Result

REPOSITORY = Path(__file__).parents[2]

_JQ = f"""#!{sys.executable}
import jq, sys
options = [word for word in sys.argv[1:] if word.startswith("-")]
program, *files = (word for word in sys.argv[1:] if not word.startswith("-"))
text = "".join(open(file).read() for file in files) if files else sys.stdin.read()
for found in jq.compile(program).input_text(text):
    is_raw = isinstance(found, str) and any("r" in option for option in options)
    print(found if is_raw else __import__("json").dumps(found))
"""

_FRAGILE = """
    @define_job
    def fragile(step: Step, payload: dict) -> None:
        step.run("fetch", int)
        step.run("fit-1", int)
        step.run("card", fail_at_first, step.attempt)

    def fail_at_first(attempt: int) -> dict[str, str]:
        if attempt == 1:
            raise RuntimeError("the first time")
        return {}
"""


class Examples:
    """The project, and a shell in it that knows `durably` and `jq`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        shutil.copytree(REPOSITORY / "jobs", project.root / "jobs", dirs_exist_ok=True)
        project.job(_FRAGILE, "fragile")
        for topic in TOPICS:
            for path, text in files_of(page(topic)):
                text = text.replace("/srv/durably", str(REPOSITORY))
                (project.root / path).write_text(text)
        (project.root / "org.json").write_text('{"id": "org_123"}')
        (project.root / "input.json").write_text('{"org_id": "org_123"}')
        tools = project.root.parent / "tools"
        tools.mkdir()
        (tools / "jq").write_text(_JQ)
        (tools / "jq").chmod(0o755)
        project.env["PATH"] = f"{BIN}:{tools}:{os.environ['PATH']}"
        (project.root / "reply.json").write_text('{"answer": 42}')
        keyed = ("trigger", "sync-users", "--org-id", "org_123", "--idempotency-key")
        for key in ("2026-11-24", "today"):
            project.run(*keyed, key)
        project.run("trigger", "order")
        project.run("trigger", "rates")

    def run(self, example: str) -> Result:
        """Run one, with a run that failed at hand for @failed, and one that did not for @last."""
        command = example
        if "@failed" in example:
            self.project.run("trigger", "fragile", expect=1)
        if "@last" in example or "3f2a9c1d" in example:
            self.project.run("trigger", "sync-users", "--org-id", "org_123")
            command = example.replace("3f2a9c1d", self.project.runs()[0]["id"][-8:])
        if example == "durably resume @last/release":
            self.project.run("trigger", "release", "--suspend", expect=75)
            self.project.run("approve", "@last/release")
        if example.startswith(("durably approve", "durably deny", "durably signal", "jq .answer")):
            self.project.run("trigger", "release", "--suspend", expect=75)
            command = example.replace("3f2a9c1d", self.project.runs()[0]["id"][-8:])
        command = command.replace("/srv/billing/.venv/bin/", "").replace(r"\%", "%")
        command = command.replace("/srv/billing", str(self.project.root))
        command = command.replace("tick --for 50s", "tick --for 2s")  # it waits as well then
        if "--crash-everywhere" in command and "--limit" not in command:
            command += " --limit 8"  # of the places, which tests/cli/crash_test tries
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.project.root,
            env=self.project.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )
        return Result(done.returncode, done.stdout, done.stderr)


README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """README's blocks of this language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def block(language: str) -> str:
    """README's first block of this language."""
    return blocks(language)[0]


def files_of(markdown: str) -> list[tuple[str, str]]:
    """The Python blocks that begin with the path of a file, and those paths."""
    return [
        (path, text)
        for text, path in re.findall(
            r"```python\n((?:#!.*\n)?# (\S+\.py)\n.*?)```", markdown, re.DOTALL
        )
    ]


_OF_WORKERS = ("pip install 'durably[dbos]'", "export DURABLY", "durably engine", "durably worker")


def is_of_workers(line: str) -> bool:
    """Does the line want a project that has workers? Those are tried in tests/engines/dbos."""
    return line.startswith(_OF_WORKERS)


def shell_lines(markdown: str) -> list[str]:
    """The lines of all `sh` blocks, and the commands of crontab ones."""
    lines = []
    for language, block in re.findall(r"```(sh|crontab)\n(.*?)```", markdown, re.DOTALL):
        for line in block.splitlines():
            is_setting = language == "crontab" and re.match(r"\w+=", line)
            if line.strip() and not line.startswith("#") and not is_setting:
                fields = 1 if line.startswith("@") else 5
                lines.append(line if language == "sh" else line.split(None, fields)[fields])
    return lines
