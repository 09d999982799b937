"""Every example in the help of a command and on the pages of `durably help` does what it says."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from shutil import which

import pytest

from durably_cli.cli.app import durably
from durably_cli.cli.commands import COMMANDS, module_of
from durably_cli.cli.help import TOPICS, page
from tests.conftest import Project
from tests.harness.examples import Examples, is_of_workers, shell_lines

OTHERWISE = {
    "durably cancel @last": (5, "and is not cancelled"),
    'durably cancel 3f2a9c1d --reason "wrong month"': (5, "and is not cancelled"),
    'durably cancel @last --reason "wrong month"': (5, "and is not cancelled"),
    "durably list --watch": (2, "draws on a terminal"),
    "durably import /home/ann/old-place/billing": (78, "nothing at /home/ann/old-place/billing"),
    "DURABLY_NAME=billing durably import /srv/billing/releases/1": (78, "there is nothing at"),
}
"""Those that must be refused where they run here: in a pipe, and without a moved project."""


def act_of(command: str) -> object:
    module = import_module(module_of(command))
    return next(act for each in (f"{command}_", command) if (act := getattr(module, each, None)))


def examples_of_help() -> list[str]:
    found = []
    for act in (durably, *map(act_of, COMMANDS)):
        _, heading, lines = (inspect.getdoc(act) or "").partition("Examples:\n")
        assert heading, act
        found += [line.strip() for line in lines.splitlines() if line.strip()]
    return found


def examples_of_pages() -> list[str]:
    return [line for topic in TOPICS for line in shell_lines(page(topic))]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return Examples(Project(tmp_path_factory.mktemp("examples")))


@pytest.mark.long
@pytest.mark.parametrize(
    "example",
    [
        each
        for each in dict.fromkeys((*examples_of_help(), *examples_of_pages()))
        if not is_of_workers(each)
    ],
)
def test_an_example_does_what_it_says(examples: Examples, example: str) -> None:
    code, said = OTHERWISE.get(example, (0, ""))
    result = examples.run(example)
    assert result.code == code, result
    assert said in result.err
    assert "Traceback" not in result.err


@pytest.mark.long
def test_examples_leave_nothing_behind_but_what_they_are_told_to_write(examples: Examples) -> None:
    made = {path.name for path in Path(examples.project.root).iterdir()}
    assert made <= {
        "jobs",
        "org.json",
        *("input.json", "reply.json"),
        *("users.db", "sent.db", "invoice.txt", "printer.txt"),
        "nightly",
        "run.html",
        "run.svg",
    } | {
        *("digest.py", "test_mailing.py", "test_release.py", "__pycache__", ".pytest_cache"),
        *("run.tar.gz", "bundle.tar.gz"),
    }


@pytest.mark.skipif(not which("systemd-analyze"), reason="no systemd here")
def test_the_units_that_are_advised_are_units_and_start_what_they_say(
    examples: Examples, tmp_path: Path
) -> None:
    (text,) = re.findall(r"```ini\n(.*?)```", page("deploying"), re.DOTALL)
    for path, unit in re.findall(r"# (\S+)\n([^#]+)", text):
        whole = re.sub(r"(?<=ExecStart=)\S+", sys.executable, unit)
        (tmp_path / Path(path).name).write_text(whole, encoding="utf-8")
    units = sorted(path.name for path in tmp_path.iterdir())
    assert units == ["billing.service", "billing.timer"]
    verified = subprocess.run(
        ("systemd-analyze", "verify", *(f"./{unit}" for unit in units)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (verified.returncode, verified.stderr) == (0, ""), verified
    (started,) = re.findall(r"ExecStart=\S+/(durably .*)", text)
    assert examples.run(started).code == 0
