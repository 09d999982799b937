"""The examples of README, pages and help that want a project of the engine dbos."""

from __future__ import annotations

import inspect
import re
import signal
import subprocess
import time

import pytest

from durably_cli.cli.commands.engine import engine
from durably_cli.cli.commands.worker import worker
from durably_cli.cli.help import TOPICS, page
from tests.harness.examples import README, is_of_workers, shell_lines
from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

JOBS = """
    @define_job
    def train(step: Step) -> int:
        return step.run("one", int)

    @define_job
    def evaluate(step: Step) -> int:
        return step.run("one", int)
"""


def lines_of_workers() -> list[str]:
    """Each line, but for what installs, and what names the database."""
    texts = [README, *(page(topic) for topic in TOPICS)]
    lines = [line for text in texts for line in shell_lines(text)]
    for act in (engine, worker):
        examples = (inspect.getdoc(act) or "").partition("Examples:\n")[2]
        lines += [line.strip() for line in examples.splitlines()]
    return [line for line in dict.fromkeys(lines) if re.match("durably (engine|worker)", line)]


@pytest.mark.parametrize("line", lines_of_workers())
def test_an_example_of_workers_does_what_it_says(worked: WorkedProject, line: str) -> None:
    worked.job(JOBS)
    assert is_of_workers(line)
    process = subprocess.Popen(
        ("bash", "-c", line.replace("durably worker", "exec durably worker")),
        cwd=worked.root,
        env=worked.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if line.startswith("durably worker") and "--systemd" not in line:
        try:
            assert worked.run("trigger", "train").out == "0\n"
        finally:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 60
    while process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.returncode == 0, process.communicate()
    process.communicate()


def test_the_page_and_readme_begin_alike() -> None:
    (block,) = (
        text for text in re.findall(r"```sh\n(.*?)```", README, re.S) if "engine init" in text
    )
    assert block in page("engines")
