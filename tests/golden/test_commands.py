"""What every command prints in a pipe and with --json, to the byte, and how it ends.

After a change on purpose: `python -m tests.golden --write`, and a look at the diff.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.golden.stories import COMMANDS, STORIES, expectation
from tests.golden.transcripts import Stage
from tests.harness.quick import some_quick

REWRITE = "if this is as it should be: python -m tests.golden --write"
EXITS = {0, 1, 2, 3, 4, 5, 65, 74, 75, 77, 78, 124}
"""The exit codes that a command can be brought to without a signal, a bug or a database."""


@pytest.mark.parametrize("story", some_quick(STORIES, 12))
def test_a_story_prints_what_is_stored(story: str, tmp_path: Path) -> None:
    assert Stage(tmp_path).run(STORIES[story]) == expectation(story).read_text("utf-8"), REWRITE


def test_no_other_expectations_are_stored() -> None:
    assert {path.stem for path in expectation("any").parent.iterdir()} == STORIES.keys()


def test_every_command_is_called_and_every_exit_code_met() -> None:
    printed = "".join(expectation(story).read_text("utf-8") for story in STORIES)
    usage = expectation("usage").read_text("utf-8").partition("$ durably --help\n")[2]
    listed = usage.partition("Run:\n")[2].partition("[exit 0]")[0]
    of_workers = {"engine", "worker"}  # they take a server: tests/engines/dbos has them
    assert set(re.findall(r"^  (\w+)  ", listed, re.MULTILINE)) == set(COMMANDS) | of_workers
    assert set(re.findall(r"^\$ durably (\w+)(?! --help)\b", printed, re.MULTILINE)) >= set(
        COMMANDS
    )
    assert {int(code) for code in re.findall(r"^\[exit (\d+)\]$", printed, re.MULTILINE)} == EXITS
