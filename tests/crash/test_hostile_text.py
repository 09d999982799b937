"""Text that is more than text to a terminal or a browser, wherever a user's data is shown."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.project import discovery
from tests.conftest import Project
from tests.crash.test_names import POSITIONS
from tests.harness import forking
from tests.harness.forking import How, TriggerResult
from tests.harness.pages import check_page, check_picture
from tests.harness.payloads import PAYLOADS, SURROGATES, in_full, plain, shown
from tests.harness.places import remove

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

AT_ONCE = 16
WIDE = {"COLUMNS": "600", "TERM": "xterm"}
GROUPS = [PAYLOADS[start : start + AT_ONCE] for start in range(0, len(PAYLOADS), AT_ONCE)]


class Screens:
    """Runs commands and sees to it that nothing but text reaches the screen."""

    def __init__(self, project: Project) -> None:
        self.how = How(project.root, project.env | WIDE)

    def pipe(self, *args: str, **how: object) -> tuple[str, str]:
        """What is on stdout and stderr, in pipes."""
        ended = forking.run(self.how._replace(**how), *args)
        in_order(args, ended)
        return plain(ended.out), plain(ended.err)

    def terminal(self, *args: str) -> tuple[str, str]:
        """What is on stdout and stderr, both of them terminals; colours are taken out."""
        ended = forking.run(self.how._replace(terminal_out=True, terminal_err=True), *args)
        in_order(args, ended)
        return plain(ended.out, terminal=True), plain(ended.err, terminal=True, live=True)


def in_order(args: tuple[str, ...], ended: TriggerResult) -> None:
    """It was no bug of ours."""
    assert ended.code in (0, 1, 2, 4, 5, 65, 74, 77, 78), (args, ended)


@pytest.fixture
def screens(project: Project) -> Screens:
    project.job(JOB, "hostile")
    return Screens(project)


@pytest.mark.parametrize("texts", GROUPS, ids=[texts[0][:3] for texts in GROUPS])
def test_what_a_run_holds_is_shown_as_text(
    screens: Screens, texts: tuple[str, ...], count: Callable[[int], None]
) -> None:
    given = json.dumps(texts)
    _, said = screens.terminal("trigger", "hostile", "-i", given)
    for text in in_full(texts):
        shown(text, said)
    for way in (screens.terminal, screens.pipe):
        way("list")
        for args in (("inspect", "@last"), ("logs", "@last")):
            told, _ = way(*args)
            for text in in_full(texts):
                shown(text, told)
    for way in (screens.pipe, screens.terminal):
        assert json.loads(way("resume", "@last")[0]) == {text: text for text in texts}
    for options in (), ("-q",):
        _, report = screens.pipe("trigger", "hostile", "-i", given, *options)
        for text in in_full(texts):
            shown(text, report)
    text = random.choice([text for text in texts if "\0" not in text])
    for way in (screens.pipe, screens.terminal):
        assert json.loads(way("inspect", "@last", f"--step={text}")[0]) == {text: [text]}
    count(len(texts) * 9)


@pytest.mark.parametrize("texts", GROUPS, ids=[texts[0][:3] for texts in GROUPS])
def test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text(
    screens: Screens, texts: tuple[str, ...], count: Callable[[int], None]
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
    check_page(screens.pipe("inspect", "@last", "--html", "-")[0], texts)
    check_picture(screens.pipe("inspect", "@last", "--svg", "-")[0])
    for args in (("list",), ("inspect", "@last")):
        told, _ = screens.pipe(*args)
        for text in in_full(texts):
            shown(text, told)
        screens.terminal(*args)
    count(len(texts) * 6)


ARGUMENTS = tuple(text for text in (*PAYLOADS, *SURROGATES[:2]) if "\0" not in text)
PLACES = POSITIONS | {
    "an option": ("list", "--{}"),
    "a command": ("{}",),
    "a choice": ("list", "--status={}"),
    "a number": ("list", "-n", "{}"),
    "an unwanted argument": ("list", "{}"),
    "a flag": ("trigger", "work", "--{}=1"),
    "a file": ("trigger", "work", "-i", "@{}"),
    "a page": ("inspect", "@last", "--html", "missing/{}"),
    "an output": ("export", "@last", "-o", "missing/{}"),
    "an old place": ("adopt", "{}"),
    "a moment": ("prune", "--older-than={}"),
}


def say_no(screens: Screens, place: str, text: str, *, terminal: bool) -> None:
    """A command with this text at one of its places says what it has to say as text."""
    args = tuple(word.replace("work", "hostile").replace("{}", text) for word in PLACES[place])
    try:
        (screens.terminal if terminal else screens.pipe)(*args)
    except AssertionError as error:
        raise AssertionError(f"{place} {text[:40]!r}: {error}") from error


@pytest.mark.parametrize("place", PLACES)
def test_an_argument_that_is_wrong_is_said_as_text(
    screens: Screens, place: str, count: Callable[[int], None]
) -> None:
    chosen = [random.choice(ARGUMENTS), SURROGATES[0]]
    for number, text in enumerate(chosen):
        say_no(screens, place, text, terminal=number % 2 == 1)
    count(len(chosen))


@pytest.mark.campaign
@pytest.mark.parametrize("place", PLACES)
def test_every_argument_that_is_wrong_is_said_as_text(
    screens: Screens, place: str, count: Callable[[int], None]
) -> None:
    for text in ARGUMENTS:
        for terminal in (False, True):
            say_no(screens, place, text, terminal=terminal)
    count(2 * len(ARGUMENTS))


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

WRONG = {"field_0": "P1\x9bQ"}
ASKED: dict[str, tuple[str, ...]] = {
    "jobs": ("jobs",),
    "one job": ("jobs", "described"),
    "all as json": ("jobs", "--json"),
    "help": ("trigger", "described", "--help"),
    "wrong input": ("trigger", "described", "-i", "{}"),
    "a wrong flag": ("trigger", "described", "--nothing"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_what_a_job_says_of_itself_is_shown_as_text(
    project: Project, asked: str, count: Callable[[int], None]
) -> None:
    texts = list(in_full(PAYLOADS))
    project.job(DESCRIBED.format(texts=texts), "described")
    screens = Screens(project)
    wrong = json.dumps(dict.fromkeys(texts, "P0\x1b[8mQ") | WRONG)
    for way in (screens.pipe, screens.terminal):
        way(*(word.replace("{}", wrong) for word in ASKED[asked]))
    count(2 * len(texts))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_job_says_of_itself_is_offered_as_text(
    project: Project, shell: str, count: Callable[[int], None]
) -> None:
    texts = list(in_full(PAYLOADS))
    project.job(DESCRIBED.format(texts=texts), "described")
    screens = Screens(project)
    forking.run(screens.how, "jobs")
    for words in ("durably trigger d", "durably trigger described --"):
        asked = {"_DURABLY_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": words}
        asked |= {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        screens.pipe(env=screens.how.env | asked)
    count(2 * len(texts))


FOLDERS = ("P0\x1b[8mQ P1\x9b2JQ P2\u202eQ", "P3[bold]Q P4\nQ P5\udcffQ P6\rQ")


@pytest.mark.parametrize("text", FOLDERS, ids=ascii)
def test_names_of_files_and_folders_are_shown_as_text(
    tmp_path: Path, text: str, count: Callable[[int], None]
) -> None:
    root = tmp_path / text
    root.mkdir()
    project = Project(root)
    project.job(JOB, "hostile")
    (project.root / "jobs" / f"{text}.py").write_text("raise RuntimeError('broken')\n")
    screens = Screens(project)
    new, bundle = str(root / "new"), str(root / "bundle")
    commands = (
        ("trigger", "hostile", "-i", "[]"),
        ("trigger", "nothing"),
        ("jobs",),
        ("info",),
        ("list", "--job", "none"),
        ("inspect", "@last"),
        ("export", "@last", "-o", bundle),
        ("export", "@last", "-o", bundle),
        ("import", bundle),
        ("import", new),
        ("init", new),
        ("init", new),
        ("adopt", str(root / "nowhere")),
        ("-C", str(root), "list"),
        ("inspect", "12345678"),
    )
    problems: list[str] = []
    for way in (screens.pipe, screens.terminal):
        for args in commands:
            try:
                way(*args)
            except AssertionError as error:
                problems.append(f"{args[:2]} {way.__name__}: {str(error)[:300]}")
        remove(Path(bundle))
        remove(Path(new))
    assert not problems, "\n".join(problems)
    count(2 * len(commands))
