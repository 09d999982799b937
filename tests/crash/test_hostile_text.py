"""Text that is more than text to a terminal or a browser, wherever a user's data is shown."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from durably_cli.project import discovery
from tests.conftest import Project
from tests.crash.test_names import POSITIONS, words
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.payloads import PAYLOADS, SURROGATES, Page, in_full, plain, shown
from tests.harness.places import EXIT_CODES, remove

JOB = """
    @define_job
    def hostile(step: Step, texts: list[str]) -> dict:
        for n, text in enumerate(texts, 1):
            step.run(text, lambda: {text: [text]})
            step.log.warn(text, **{text: text})
            step.progress(n, len(texts), text)
            try:
                step.run("f" + text, failing(text), text)
            except ValueError:
                pass
        if step.attempt == 1:
            failing(texts[0])("\\n".join(texts))
        return {text: text for text in texts}

    def failing(text: str):
        names = {"E": type(text.replace("\\0", ""), (ValueError,), {})}
        code = "def fail(text):\\n    raise E(text) from E(text)"
        exec(compile(code, text.replace("\\0", ""), "exec"), names)
        return names["fail"]
"""

GROUPS = [PAYLOADS[start : start + 22] for start in range(0, len(PAYLOADS), 22)]
Count = Callable[[int], None]


class Screens:
    """Runs commands and sees to it that nothing but text reaches the screen."""

    def __init__(self, project: Project) -> None:
        self.how = How(project.root, project.env | {"COLUMNS": "600", "TERM": "xterm"})

    def pipe(self, *args: str, **how: object) -> tuple[str, str]:
        """What is on stdout and stderr, in pipes or on terminals; colours are taken out."""
        given = self.how._replace(**how)
        ended = forking.run(given, *args)
        assert ended.code in EXIT_CODES, (args, ended)
        return (
            plain(ended.out, terminal=given.terminal_out),
            plain(ended.err, terminal=given.terminal_err, live=given.terminal_err),
        )

    def terminal(self, *args: str) -> tuple[str, str]:
        """The same, of a command on a terminal."""
        return self.pipe(*args, terminal_out=True, terminal_err=True)


@pytest.fixture
def screens(project: Project) -> Screens:
    project.job(JOB, "hostile")
    return Screens(project)


each_group = pytest.mark.parametrize("texts", GROUPS, ids=[texts[0][:3] for texts in GROUPS])


def all_shown(texts: tuple[str, ...], told: str) -> None:
    for text in in_full(texts):
        shown(text, told)


@each_group
def test_what_a_run_holds_is_shown_as_text(
    screens: Screens, texts: tuple[str, ...], count: Count
) -> None:
    given = json.dumps(texts)
    all_shown(texts, screens.terminal("trigger", "hostile", "-i", given)[1])
    for way in (screens.terminal, screens.pipe):
        way("list")
        for command in ("inspect", "logs"):
            all_shown(texts, way(command, "@last")[0])
    for way in (screens.pipe, screens.terminal):
        assert json.loads(way("resume", "@last")[0]) == {text: text for text in texts}
    for options in (), ("-q",):
        all_shown(texts, screens.pipe("trigger", "hostile", "-i", given, *options)[1])
    text = random.choice([text for text in texts if "\0" not in text])
    for way in (screens.pipe, screens.terminal):
        assert json.loads(way("inspect", "@last", f"--step={text}")[0]) == {text: [text]}
    count(len(texts) * 9)


@each_group
def test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text(
    screens: Screens, texts: tuple[str, ...], count: Count
) -> None:
    def trigger() -> None:
        job = discovery.find_job(screens.how.cwd, "hostile")
        labels = {str(number): text for number, text in enumerate(texts)}
        job.trigger(list(texts), idempotency_key="".join(texts), labels=labels)

    assert forking.call(screens.how, trigger).code == 0
    run = json.loads(screens.pipe("inspect", "@last", "--json")[0])["run"]
    assert run["input"] == list(texts)
    assert run["idempotency_key"] == "".join(texts)
    assert [step["name"] for step in run["checkpoints"]][::2] == list(texts)
    assert [log["data"] for log in run["logs"]] == [{text: text} for text in texts]
    (row,) = json.loads(screens.pipe("list", "--json")[0])["runs"]
    assert list(row["labels"].values()) == list(texts)
    for line in screens.pipe("logs", "@last", "--json")[0].splitlines():
        assert json.loads(line)["message"] in texts
    page = Page(screens.pipe("inspect", "@last", "--html", "-")[0])
    all_shown(texts, page.text)
    picture = ElementTree.fromstring(screens.pipe("inspect", "@last", "--svg", "-")[0])
    found = {each.tag.rpartition("}")[2] for each in picture.iter()}
    assert found <= {"svg", "style", "rect", "text", "tspan", "line", "title"}, found
    for args in (("list",), ("inspect", "@last")):
        all_shown(texts, screens.pipe(*args)[0])
        screens.terminal(*args)
    count(len(texts) * 6)


ARGUMENTS = tuple(text for text in (*PAYLOADS, *SURROGATES[:2]) if "\0" not in text)
EVERYWHERE = [
    *product(
        (
            *(*POSITIONS, "list --{}", "{}", "list --status={}", "list -n {}", "list {}"),
            *("trigger work --{}=1", "trigger work -i @{}", "inspect @last --html missing/{}"),
            *("export @last -o missing/{}", "adopt {}", "prune --older-than={}"),
        ),
        ARGUMENTS,
        (False, True),
    )
]


@pytest.mark.parametrize(
    "most", [60, pytest.param(len(EVERYWHERE), marks=pytest.mark.campaign)], ids=["some", "all"]
)
def test_an_argument_that_is_wrong_is_said_as_text(
    screens: Screens, most: int, count: Count
) -> None:
    for position, text, on_terminal in random.sample(EVERYWHERE, most):
        args = words(position.replace("work", "hostile"), text)
        try:
            (screens.terminal if on_terminal else screens.pipe)(*args)
        except AssertionError as error:
            raise AssertionError(f"{position} {text[:40]!r}: {error}") from error
    count(most)


DESCRIBED = """
from typing import Literal
from pydantic import Field, create_model
TEXTS = {texts!r}
Fields = create_model("Fields", **{{
    f"field_{{n}}": (Literal[text], Field(text, description=text, examples=[text]))
    for n, text in enumerate(TEXTS)
}}, **{{
    f"odd_{{n}}": (int, Field(description=text, alias=text)) for n, text in enumerate(TEXTS)
}})

def described(step: Step, payload: Fields) -> None:
    pass

described.__doc__ = "\\t".join(TEXTS).replace("\\n", " ")
described = define_job(described)
"""


def test_what_a_job_says_of_itself_is_shown_and_offered_as_text(
    project: Project, count: Count
) -> None:
    texts = list(in_full(PAYLOADS))
    project.job(DESCRIBED.format(texts=texts), "described")
    screens = Screens(project)
    wrong = json.dumps(dict.fromkeys(texts, "P0\x1b[8mQ") | {"field_0": "P1\x9bQ"})
    commands = ("jobs", "jobs described", "jobs --json", "trigger described --help")
    commands += ("trigger described -i {}", "trigger described --nothing")
    for command, way in product(commands, (screens.pipe, screens.terminal)):
        way(*words(command, wrong))
    typed = ("durably trigger d", "durably trigger described --")
    for shell, line in product(("bash", "zsh", "fish"), typed):
        asked = {"_DURABLY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": line}
        asked |= {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        screens.pipe(env=screens.how.env | asked)
    count(len(texts) * (2 * len(commands) + 6))


FOLDERS = ("P0\x1b[8mQ P1\x9b2JQ P2\u202eQ", "P3[bold]Q P4\nQ P5\udcffQ P6\rQ")


@pytest.mark.parametrize("text", FOLDERS, ids=ascii)
def test_names_of_files_and_folders_are_shown_as_text(
    tmp_path: Path, text: str, count: Count
) -> None:
    root = tmp_path / text
    root.mkdir()
    project = Project(root)
    project.job(JOB, "hostile")
    (project.root / "jobs" / f"{text}.py").write_text("raise RuntimeError('broken')\n")
    screens = Screens(project)
    commands = (
        *("trigger hostile -i []", "trigger nothing", "jobs", "info", "list --job none"),
        *("inspect @last", "export @last -o {}/bundle", "export @last -o {}/bundle"),
        *("import {}/bundle", "import {}/new", "init {}/new", "init {}/new", "adopt {}/nowhere"),
        *("-C {} list", "inspect 12345678"),
    )
    for way in (screens.pipe, screens.terminal):
        for command in commands:
            way(*words(command, str(root)))
        remove(root / "bundle")
        remove(root / "new")
    count(2 * len(commands))
