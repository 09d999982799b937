"""The live line: it fits, it says what matters most, and it leaves the terminal as it was."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.render.live_line import Facts, laid_out
from tests.conftest import DURABLY, Project
from tests.harness.screen import Screen
from tests.harness.terminals import TerminalWith

RESUMED = Facts("sync-users", "cd38e039", "fetch-users", 0.5, "5/10 users", "1 step, 5 replayed")
TEXTS = st.text(max_size=60).filter(str.isprintable)
FACTS = st.builds(Facts, TEXTS, TEXTS, TEXTS, st.none() | st.floats(0, 1), TEXTS, TEXTS)


@given(FACTS, st.floats(0, 1e6), st.integers(20, 250))
def test_it_is_never_wider_than_there_is_room_and_always_has_its_clock(
    facts: Facts, seconds: float, width: int
) -> None:
    line = laid_out(facts, seconds, width)
    assert line.cell_len <= width
    assert line.plain[0] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
    minutes, second = divmod(int(seconds), 60)
    assert line.plain.endswith(f"{minutes % 60:02}:{second:02}"[minutes < 10 :])


@pytest.mark.parametrize("step", ["fetch-users", "a-name-that-goes-on-" * 9])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_a_resume_has_a_bar_and_the_step_beside_it(step: str, width: int) -> None:
    shown = laid_out(RESUMED._replace(step=step), 4, width).plain
    assert min(shown.count("━"), shown.count("─")) >= 4
    assert step[:9] in shown
    assert "5/10 users" in shown
    assert shown.endswith(" 0:04")
    assert laid_out(RESUMED, 4, 200).plain.endswith(" 1 step, 5 replayed 0:04")


SLOW = """
    @define_job
    def slow(step: Step, payload: dict) -> str:
        step.run("first", print, "printed by the job, " * 20)
        step.progress(1, 2)
        step.run("second", nap)
        return "done"

    def nap() -> None:
        effect("napping")
        time.sleep(payload_seconds())

    def payload_seconds() -> float:
        return float(os.environ["NAP"])
"""


@pytest.fixture
def slow(project: Project) -> Project:
    project.job("import os\n" + SLOW.replace("\n    ", "\n"), "slow")
    return project


def test_ctrl_c_takes_the_line_away_and_the_cursor_was_never_hidden(slow: Project) -> None:
    with TerminalWith(slow, *DURABLY, "trigger", "slow", NAP="60") as terminal:
        terminal.read(until=" second ")
        terminal.type(b"\x03")
        shown = terminal.read()
        assert terminal.process.wait(30) == 130
    assert "printed by the job, " * 20 in shown, "in one piece"
    assert "\r\x1b[Jdurably: stopping; a second signal ends it at once" in shown
    assert "\x1b[?25l" not in shown, "a process that is killed would leave no cursor"
    rows = Screen(80).feed(shown).rows
    assert not any("━" in row or "^C" in row for row in rows)
    assert any("was interrupted" in row for row in rows)


def test_in_a_window_that_became_narrower_it_fits_again(slow: Project) -> None:
    with TerminalWith(slow, *DURABLY, "trigger", "slow", NAP="60") as terminal:
        terminal.read(until="1 step")
        terminal.resize(40)
        before = len(terminal.shown)
        terminal.type(b"x")  # which is shown where the cursor is
        terminal.read(until="x\x1b[J\x1bD")
        terminal.type(b"y")
        terminal.read(until="y\x1b[J\x1bD")
    *_, row = Screen(200).feed(terminal.shown[before : terminal.shown.rindex("y")]).rows
    assert 20 < len(row) < 40


@pytest.mark.parametrize("lines", [24, 4])
def test_what_programs_of_the_job_write_stands_above_the_line(project: Project, lines: int) -> None:
    project.job(
        """
        import subprocess

        WRITES = 'sleep 0.3; echo one; printf two; until [ -e go ]; do sleep 0.1; done'

        @define_job
        def programs(step: Step, payload: dict) -> None:
            step.progress(1, 2)
            step.run("first", subprocess.call, ["sh", "-c", WRITES + "; printf ' and more'"])
            print("by Python")
        """
    )
    with TerminalWith(project, *DURABLY, "trigger", "programs", lines=lines) as terminal:
        terminal.read(until="two\x1b[J\x1bD")  # the line is drawn, and the cursor stays
        (project.root / "go").touch()
        rows = Screen(80, lines).feed(terminal.read()).rows
    assert rows[1:3] == ["one", "two and more"]
    assert rows[3].startswith("✓ first")
    assert rows[4:6] == ["by Python", "null"]
    assert not any("━" in row for row in rows)


@pytest.mark.parametrize(
    ("env", "command"),
    [
        ({"TERM": "dumb"}, [*DURABLY, "trigger", "slow"]),
        ({}, ["bash", "-mc", f"{' '.join(DURABLY)} trigger slow & wait"]),
    ],
    ids=["a terminal that is dumb", "the background of a shell"],
)
def test_no_line_is_drawn_where_nothing_can_be_drawn_over(
    slow: Project, env: dict[str, str], command: list[str]
) -> None:
    with TerminalWith(slow, *command, NAP="0.3", **env) as terminal:
        shown = terminal.read()
    assert "second" in shown
    assert "completed in" in shown
    assert not any(drawn in shown for drawn in ("\x1b[J", "\x1b7", "⠋", "⠙", "━"))
    assert "\x1b" not in shown or "TERM" not in env


def test_without_colours_the_line_has_none(slow: Project) -> None:
    with TerminalWith(slow, *DURABLY, "trigger", "slow", NAP="0.3", NO_COLOR="1") as terminal:
        shown = terminal.read()
    assert "━" in shown
    assert "\x1b[3" not in shown


if sys.platform == "darwin":  # its pty loses what is written last
    pytestmark = pytest.mark.skip("terminals of macOS lose the last bytes")
