"""What a terminal shows above the live line: which steps have a line, and where rows end."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.screen import Screen
from tests.harness.terminals import TerminalWith


@pytest.mark.parametrize(("items", "said"), [(30, 0), (31, 1), (70, 1)])
def test_where_steps_are_only_counted_it_says_so_once(
    project: Project, items: int, said: int
) -> None:
    project.job(
        """
        @define_job
        def many(step: Step, payload: dict) -> None:
            step.map("double", abs, range(payload["items"]))
        """
    )
    command = (*DURABLY, "trigger", "many", "-i", f'{{"items": {items}}}')
    with TerminalWith(project, *command, columns=400) as terminal:
        rows = Screen(400, 200).feed(terminal.read()).rows
    assert sum(row.startswith("✓ double[") for row in rows) == 30
    hints = [row for row in rows if row.startswith("… from here on steps are counted")]
    assert len(hints) == said
    for hint in hints:
        run = hint.partition(" inspect ")[2].split()
        assert project.run("inspect", *run).out.count("double[") == items


def test_rows_end_between_words_and_what_is_copied_is_in_one_piece(project: Project) -> None:
    address = "https://example.org/" + "a" * 60
    project.job(
        f"""
        @define_job
        def wordy(step: Step, payload: dict) -> None:
            step.log.info("This is what the handler says of its users and groups, at length")
            step.log.info("See {address} for more")
            step.run("a step whose name is a sentence that is longer than a row is", abs, 1)
            raise ValueError("all the words of an error that nobody has foreseen stand here")
        """
    )
    with TerminalWith(project, *DURABLY, "trigger", "wordy", columns=50) as terminal:
        shown = terminal.read()
    rows = Screen(50).feed(shown).rows
    said = rows.index("info  This is what the handler says of its users")
    assert rows[said + 1] == "and groups, at length"
    assert address in shown
    done = rows.index("✓ a step whose name is a sentence that is longer")
    assert rows[done + 1].startswith("than a row is")
    assert "ValueError: all the words of an error that nobody has foreseen stand here" in shown
    resume = shown.rstrip().rpartition("\n")[2]
    assert "durably resume " in resume or "durably_cli resume " in resume
    assert project.run("list").out.split("\t")[0].endswith(resume.split()[-1])


if sys.platform == "darwin":  # its pty loses what is written last
    pytestmark = pytest.mark.skip("terminals of macOS lose the last bytes")
