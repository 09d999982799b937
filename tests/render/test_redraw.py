"""Views that are redrawn: never more lines than the window has, and the head stays."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from durably_cli.render.redraw import newest_first, newest_last, redraw
from tests.harness.screen import Screen

LINES = ["job  run", "  took 1 s", "", *(f"line {number}" for number in range(50))]


@pytest.mark.parametrize("height", range(1, 60))
def test_what_is_taller_than_the_window_is_cut_below_its_head(height: int) -> None:
    shown = newest_last(LINES, height)
    assert len(shown) == min(height, len(LINES))
    assert shown[0] == LINES[0]
    if 6 <= height < len(LINES):
        assert shown[:2] == LINES[:2]
        assert shown[2] == f"... {len(LINES) - height + 1} lines ..."
        assert shown[3:] == LINES[3 - height :]


def test_of_a_list_the_newest_stay() -> None:
    assert newest_first(LINES, 4) == LINES[:4]
    assert newest_first(LINES, 99) == LINES


def test_long_lines_do_not_wrap_and_the_terminal_is_given_back() -> None:
    out = io.StringIO()

    def draw(console: Console) -> bool:
        console.print("x" * 1000, soft_wrap=True)
        return False

    redraw(out, draw, newest_first)
    shown = out.getvalue()
    assert shown.index("\x1b[?7l") < shown.index("x" * 1000) < shown.index("\x1b[?7h")
    assert shown.endswith("\x1b[?1049l")


@pytest.mark.parametrize("lines", [2, 4, 5])
def test_a_line_that_fills_its_row_keeps_its_last_cell_and_nothing_old_stays(
    lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "5")
    out, drawn = io.StringIO(), [["old" * 10] * 5, [f"{'n' * 29}!"] * lines]

    def draw(console: Console) -> bool:
        console.print("\n".join(drawn.pop(0)))
        return bool(drawn)

    redraw(out, draw, newest_first)
    sent = out.getvalue().replace("\n", "\r\n")  # as a terminal's driver does
    assert Screen(30, 5).feed(sent).rows == [f"{'n' * 29}!"] * lines
