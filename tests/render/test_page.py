"""A run as a page: all of it is there, nothing of it is markup, and a real browser filters it."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.browser import in_browser
from tests.harness.pasting import paste

JOB = """
    @define_job
    def nasty(step: Step, payload: dict) -> dict:
        step.log.warn("<b>careful</b>", html="</script><script>fail()</script>")
        for n in range(5):
            step.run(f"page-{n}", lambda: [n] * n)
        step.run("<img src=x onerror=fail()>", lambda: "</pre><script>fail()</script>\\x1b[31m")
        step.run("large", lambda: "x" * 20_000)
        if step.attempt == 1:
            step.run("broken", explode)
        return {"ok": "<i>"}

    def explode() -> None:
        raise ValueError("</table><script>fail()</script>")
"""


@pytest.fixture
def page(project: Project) -> Path:
    """A page of a run that failed, was mended and completed."""
    project.job(JOB, "nasty")
    project.run("trigger", "nasty", "--label", 'a="><script>fail()</script>', expect=1)
    project.run("resume", "@last")
    path = project.root / "run page.html"
    project.run("inspect", "@last", "--html", str(path))
    return path


class Checker(HTMLParser):
    """Tells whether every element is closed, and which there are."""

    VOID = {"meta", "input", "br", "img"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_what_comes_from_the_run_is_text_and_never_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.seen.count("script") == 1
    assert not {"img", "b"} & set(checker.seen)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "http" not in text.replace("http-equiv", "")


def test_its_own_script_is_allowed_and_no_other(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'\"" in text


def test_all_is_there_and_what_is_large_is_cut_and_says_so(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for part in (
        "attempt 1",
        "attempt 2",
        " later",
        "7 steps done before",
        "page-4",
        "ValueError",
        "nasty",
    ):
        assert part in text
    assert text.count("x" * 9_000) == 1
    assert "x" * 10_001 not in text
    assert 'all 20.0 kB: <code class="copied">' in text


def test_a_browser_shows_and_filters_it(page: Path) -> None:
    shown = """
        const rows = () => [...document.querySelectorAll("tr[data-kind]")].filter(
            (row) => !row.hidden).map((row) => row.querySelector("summary")?.textContent);
        const type = (text) => {
            const input = document.getElementById("text");
            input.value = text;
            input.dispatchEvent(new Event("input"));
            return rows();
        };
        const choose = (kind) => {
            const select = document.getElementById("kind");
            select.value = kind;
            select.dispatchEvent(new Event("change"));
            return rows();
        };
        const labels = [...document.querySelectorAll(".axis i")].map(
            (label) => label.getBoundingClientRect());
        const copied = (which) => {
            const from = document.querySelector(which);
            from.nextElementSibling.click();
            return [getSelection().toString(), from.textContent];
        };
        const bars = [...document.querySelectorAll(".track i")].map(
            (bar) => bar.getBoundingClientRect().width);
        return {
            ready: document.documentElement.dataset.ready, all: rows().length,
            pages: type("page-"), count: document.getElementById("count").textContent,
            failed: (type(""), choose("failed")), logs: choose("warn").length,
            thin: bars.filter((width) => width < 2).length,
            times: labels.length,
            cut: labels.filter((label, index) => label.left < labels[index - 1]?.right).length,
            copied: copied(".copied"), value: copied("pre.copied"),
        };
    """
    found = in_browser(page, shown)
    assert found["ready"] == "true"
    assert found["all"] == 9
    assert found["pages"] == [f"page-{n}" for n in range(5)]
    assert found["count"] == "5 of 9 rows"
    assert found["failed"] == ["broken"]
    assert found["logs"] == 1
    assert found["thin"] == 0, "every bar can be seen"
    assert found["times"] > 2
    assert found["cut"] == 0
    assert found["copied"] == [found["copied"][1]] * 2
    assert len(found["copied"][0]) == len("01a21e78-7499-7d92-b495-eb1fcd38e039")
    assert found["value"][0] == found["value"][1]


def test_a_link_to_a_page_can_filter_it(page: Path) -> None:
    program = "return [...document.querySelectorAll('tr[data-kind]:not([hidden])')].length"
    assert in_browser(page, program, fragment="#q=page-3") == 1


_OVERLAPS = """
    const box = (each) => each.getBoundingClientRect();
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
        && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const texts = [...document.querySelectorAll("text")].map((each) => [each, box(each)]);
    const lines = [...document.querySelectorAll("line, rect[rx='2']")].map((each) => {
        const { left, right, top, bottom } = box(each);
        return { left: left - 2, right: right + 2, top: top + 2, bottom: bottom - 2 };
    });
    const paper = box(document.querySelector(".paper"));
    const wrong = [];
    for (const [each, place] of texts) {
        const isIn = place.left > paper.left && place.right < paper.right
            && place.top > paper.top && place.bottom < paper.bottom;
        const isFree = !lines.some((line) => meet(line, place))
            && !texts.some(([other, there]) => other !== each && meet(there, place));
        if (!isIn || !isFree) wrong.push(each.textContent);
    }
    return [wrong, texts.length, document.querySelectorAll("rect.failed").length];
"""


@pytest.mark.long
def test_a_browser_draws_the_picture_and_nothing_runs_through_a_label(project: Project) -> None:
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> None:
            for n in range(4):
                step.run(f"step-{n}-" + "with a long name and 長い名前 " * 3, time.sleep, 0.01)
            if step.attempt == 2:
                step.run("broken", int, "x")
            step.run("last", os.kill, os.getpid(), 9)
        """
    )
    project.run("trigger", "work", expect=-9)
    project.run("resume", "@last", expect=1)
    path = project.root / "run.svg"
    project.run("inspect", "@last", "--svg", str(path))
    wrong, texts, failed = in_browser(path, _OVERLAPS)
    assert wrong == []
    assert (texts > 15, failed) == (True, 1)


def test_what_to_type_next_is_there_to_be_copied(project: Project) -> None:
    project.job(JOB, "nasty")
    project.run("trigger", "nasty", expect=1)
    html = project.run("inspect", "@last", "--html", "-").out
    (command,) = re.findall('<dt>to go on</dt><dd><code class="copied">(.*)</code>', html)
    project.job(
        """
        @define_job
        def nasty(step: Step, payload: dict) -> str:
            return "mended"
        """,
        "nasty",
    )
    done = paste(project, unescape(command), Path("/"), PATH="/usr/bin:/bin", DURABLY_DATA_DIR=None)
    assert done.out == '"mended"\n', done


def test_a_page_can_go_to_stdout_and_a_folder_that_is_missing_is_said(project: Project) -> None:
    project.job(JOB, "nasty")
    project.run("trigger", "nasty", expect=1)
    assert project.run("inspect", "@last", "--html", "-").out.startswith("<!doctype html>")
    assert project.run("inspect", "@last", "--svg", "-").out.startswith("<svg")
    result = project.run("inspect", "@last", "--html", "missing/run.html", expect=74)
    assert "missing/run.html: No such file or directory" in result.err
    project.run("inspect", "@last", "--html", "a.html", "--svg", "a.svg", expect=2)


_COMMANDS = """
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
    return [...document.querySelectorAll("p code")].map((each) => each.innerText);
"""
STEP = "it's  \t<two> && \x1b[31m!"


@pytest.mark.long
def test_the_command_for_what_is_cut_is_pasted_from_a_browser_into_any_shell(
    tmp_path: Path,
) -> None:
    (tmp_path / "ann's own").mkdir()
    project = Project(tmp_path / "ann's own")
    project.job(
        f"""
        @define_job
        def large(step: Step, payload: dict) -> None:
            step.run({STEP!r}, lambda: "x" * 20_000)
        """,
        "large",
    )
    project.run("trigger", "large")
    path = tmp_path / "run.html"
    project.run("inspect", "@last", "--html", str(path))
    (html,) = re.findall(r"<code[^>]*>([^<]*--step[^<]*)</code>", path.read_text(encoding="utf-8"))
    shown = in_browser(path, _COMMANDS)
    assert len(shown) == 1
    for command in (unescape(html), *shown):
        done = paste(project, command, Path("/"), PATH="/usr/bin:/bin", DURABLY_DATA_DIR=None)
        assert done.out == '"' + "x" * 20_000 + '"\n', (command, done)
