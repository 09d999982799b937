"""A map of many items, on a terminal, as a picture and as a page: small, and failures are seen."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.browser import in_browser
from tests.harness.screen import Screen
from tests.harness.terminals import TerminalWith
from tests.render.test_page import Checker

JOB = """
    @define_job
    def maps(step: Step, payload: dict) -> None:
        step.map("few", str, ["a", "b"])
        step.map("<many>", fetch, range(payload["items"]), concurrency=4, on_error="collect")

    def fetch(number: int) -> int:
        if number == 7:
            raise ValueError("no <seven>")
        time.sleep(0.001)
        return number
"""


def ran(project: Project, items: int) -> Project:
    project.job(JOB, "maps")
    project.run("trigger", "maps", "-p", f"items:={items}")
    return project


def rows(project: Project, *options: str, columns: int = 90) -> list[str]:
    command = (*DURABLY, "inspect", "@last", *options)
    env = {"NO_COLOR": "1", "COLUMNS": str(columns)}
    with TerminalWith(project, *command, columns=columns, **env) as terminal:
        return Screen(columns, 24).feed(re.sub("\x1b\\[[0-9;]*m", "", terminal.read())).rows


def test_few_items_have_a_row_each_and_many_are_packed_into_lanes(project: Project) -> None:
    shown = rows(ran(project, 60))
    text = "\n".join(shown)
    assert re.search(r"✓  few .*2 items", text)
    assert re.search(r"✓    \[a\] ", text)
    lanes = [row for row in shown if re.match(r" +lane \d ", row)]
    assert len(lanes) == 4
    assert sum("✗" in lane for lane in lanes) == 1
    assert "60 items, 1 failed, 4 at once, median " in text
    assert "✗ <many>[7], attempt 1: ValueError: no <seven>" in text
    assert len(shown) < 40


def test_all_shows_every_item_below_the_lanes(project: Project) -> None:
    text = "\n".join(rows(ran(project, 60), "--all"))
    assert all(f"[{number}]" in text for number in range(60))
    assert "lane 4" in text


@pytest.mark.parametrize("columns", [40, 60, 200])
def test_no_row_is_wider_than_the_terminal(project: Project, columns: int) -> None:
    shown = rows(ran(project, 60), columns=columns)
    at = next(number for number, row in enumerate(shown) if "lane 1" in row)
    assert all("lane" in row for row in shown[at : at + 4]), "none of them is wrapped"


def test_the_picture_of_very_many_items_is_small_and_has_the_failure(project: Project) -> None:
    text = ran(project, 2000).run("inspect", "@last", "--svg", "-").out
    svg = ElementTree.fromstring(text)
    assert len(text) < 200_000
    assert int(svg.get("height", 0)) < 600
    paths = {path.get("class"): path.get("d", "") for path in svg.iter() if path.tag[-4:] == "path"}
    assert paths["failed"].count("M") == 1
    assert paths["cross failed"].count("M") == 1
    texts = [each.text for each in svg.iter() if each.tag.endswith("text")]
    assert {"2,000 items", "1 failed", "4 at once"} <= set(texts)


def test_the_page_of_many_items_lists_them_and_all_of_it_is_text(project: Project) -> None:
    text = ran(project, 2000).run("inspect", "@last", "--html", "-").out
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert not {"many", "seven"} & set(checker.seen)
    assert len(text) < 400_000
    assert "<summary>2,000 calls</summary>" in text
    assert "<td>[1999]</td>" in text


@pytest.mark.long
def test_a_browser_opens_the_list_where_what_is_looked_for_is_in_it(project: Project) -> None:
    path = project.root / "run.html"
    ran(project, 60).run("inspect", "@last", "--html", str(path))
    found = in_browser(
        path,
        """
        const list = document.querySelector("details.items");
        const before = list.open;
        const input = document.getElementById("text");
        const look = (text) => {
            input.value = text;
            input.dispatchEvent(new Event("input"));
            return list.checkVisibility() && list.open;
        };
        const lanes = document.querySelector(".lanes svg").getBoundingClientRect();
        const track = document.querySelector("td.track:not(.lanes)").getBoundingClientRect();
        return [before, look("[33]"), document.getElementById("count").textContent,
            look("few"), Math.abs(lanes.width - track.width) < 2];
        """,
    )
    assert found == [False, True, "1 of 64 rows", False, True]
