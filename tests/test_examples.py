"""Every example in the help of a command and on the pages of `durably help` does what it says."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from durably_cli.cli.app import app
from durably_cli.cli.help import TOPICS, page
from tests.conftest import Project
from tests.harness.examples import Examples, shell_lines

OTHERWISE = {
    "durably list --watch": (2, "draws on a terminal"),
    "durably import /home/ann/old-place/billing": (78, "nothing at /home/ann/old-place/billing"),
}
"""Those that must be refused where they run here: in a pipe, and without a moved project."""


def examples_of_help() -> list[str]:
    found = []
    for each in (*app.registered_commands, app.registered_callback):
        assert each is not None
        _, heading, lines = (inspect.getdoc(each.callback) or "").partition("Examples:\n")
        assert heading, each.callback
        found += [line.strip() for line in lines.splitlines() if line.strip()]
    return found


def examples_of_pages() -> list[str]:
    return [line for topic in TOPICS for line in shell_lines(page(topic))]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    return Examples(Project(tmp_path_factory.mktemp("examples")))


@pytest.mark.parametrize("example", [*examples_of_help(), *examples_of_pages()])
def test_an_example_does_what_it_says(examples: Examples, example: str) -> None:
    code, said = OTHERWISE.get(example, (0, ""))
    result = examples.run(example)
    assert result.code == code, result
    assert said in result.err
    assert "Traceback" not in result.err


def test_examples_leave_nothing_behind_but_what_they_are_told_to_write(examples: Examples) -> None:
    made = {path.name for path in Path(examples.project.root).iterdir()}
    assert made <= {
        "jobs",
        "org.json",
        "input.json",
        "users.db",
        "nightly",
        "run.html",
        "run.svg",
    } | {
        *("run.tar.gz", "bundle.tar.gz"),
    }
