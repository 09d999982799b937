"""Text that is more than text to a terminal or a browser, wherever a user's data is shown."""

from __future__ import annotations

import json
import os
import random
import socket
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from durably_cli.errors import NotFound
from durably_cli.project import discovery
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.payloads import PAYLOADS, SURROGATES, Page, in_full, plain, shown
from tests.harness.places import EXIT_CODES, Home, remove, unchanged
from tests.harness.quick import sizes, some_quick

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


def words(position: str, name: str) -> list[str]:
    """The command with the name in its position."""
    return [word.replace("{}", name) for word in position.split()]


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        (home.outside / "evil.py").write_text("open('../effect', 'w')\n")
        yield home


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


each_group = pytest.mark.parametrize(
    "texts", some_quick(GROUPS, 2), ids=[texts[0][:3] for texts in GROUPS]
)


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


POSITIONS = (
    *("inspect {}", "inspect @last --step={}", "logs {}", "verify {}", "resume {}", "import {}"),
    *("delete {} --status failed", "repair {} --yes", "export {} -o ../never", "trigger {}"),
    *("jobs {}", "help {}", "-C {} list", "list --since={}", "list --job={} --label=x={}"),
    *("trigger work --idempotency-key={}", "trigger work --concurrency-key={}"),
    *("trigger work --label=x={}", "trigger work --label={}=x", "trigger work -p {}=x"),
    *("trigger work --input={}", "trigger work --{}=1", "trigger work -i @{}"),
    *("inspect @last --html ../missing/{}", "export @last -o ../missing/{}", "{}"),
    *("list --{}", "list --status={}", "list -n {}", "list {}", "prune --older-than={}"),
)
ASTRAY = (
    *("", " ", ".", "..", "../../outside/treasure", "{outside}/evil", "{outside}/treasure"),
    *("../{outside}/evil", "key:../../outside/x", "key:work/../../outside/treasure", "key:/"),
    *("@last/../../outside", "@last/", "@", "~root", "$HOME", "*", "?" * 8, "[0-9]*", "-x", "--"),
    *("a\nb", "a\tb", "\r", "\x1b[31m", "\x7f", "x" * 10_000, "../" * 300, "\udcff\udcfe", "ü/ü"),
    *("019b8c7e-9c00-7000-8000-/../../../../outside/treasure", "0" * 36, "g" * 36),
)
"""`{outside}` stands for a folder that is none of the tool's business."""
EVERYWHERE = [
    each
    for each in product(POSITIONS, (*ASTRAY, *PAYLOADS, *SURROGATES[:2]), (False, True))
    if "\0" not in each[1]
]


@pytest.mark.parametrize("most", sizes(40, len(EVERYWHERE)), ids=["some", "all"])
def test_an_argument_leads_nowhere_and_is_said_as_text(home: Home, most: int, count: Count) -> None:
    """No command imports, follows or writes what it names, nor prints it raw."""
    cases = random.sample(EVERYWHERE, most)
    cases += [
        (way, name, True) for way in ("trigger {}", "jobs {}") for name in ASTRAY if "evil" in name
    ]
    screens = Screens(home.project)
    for position, text, on_terminal in cases:
        args = words(position, text.replace("{outside}", str(home.outside)))
        try:
            with unchanged(home.outside, home.project.root):
                (screens.terminal if on_terminal else screens.pipe)(*args)
            assert not (home.project.root.parent / "effect").exists(), "it was imported"
        except AssertionError as error:
            raise AssertionError(f"{position} {text[:40]!r}: {error}") from error
    count(len(cases))


FROM_PYTHON = ("\0", "a\0b", "\ud800", "../../outside/x", "/", "x" * 10_000, "", "\x1b[2J", "é\n")


def test_names_given_from_python_lead_nowhere_either(home: Home, count: Count) -> None:
    """Those of keys and labels, and of steps with results in files of their own."""
    steps = [name for name in (*ASTRAY, *FROM_PYTHON[:2]) if name and name.isascii()]
    home.project.job(
        """
        @define_job
        def named(step: Step, names: list[str]) -> int:
            for name in names:
                step.run(name, lambda: "x" * 70_000)
            return len(names)
        """,
        "named",
    )

    def trigger() -> None:
        job = discovery.find_job(home.project.root, "named")
        assert job.trigger(steps).output == len(steps)
        for text in FROM_PYTHON:
            for given in (
                *({"idempotency_key": text}, {"concurrency_key": text}),
                *({"labels": {text: "x"}}, {"labels": {"x": text}}),
            ):
                try:
                    assert str(job.trigger([], **given).status) == "completed"
                except NotFound:
                    raise
                except Exception as error:
                    assert type(error).__module__ == "durably_cli.errors", repr(error)

    with unchanged(home.outside, home.project.root):
        ended = forking.call(How(home.project.root, home.project.env), trigger)
    assert (ended.code, ended.err) == (0, b""), ended
    count(len(steps) + 4 * len(FROM_PYTHON))


def test_an_export_writes_over_nothing(home: Home, count: Count) -> None:
    def listening(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))

    target = home.project.root / "target"
    links = *(home.outside / name for name in ("treasure", "nothing", ".")), target, "/dev/zero"
    makers: list[Callable[[Path], object]] = [os.mkfifo, os.mkdir, listening]
    makers += [lambda path, to=to: path.symlink_to(to) for to in links]
    makers += [lambda path: os.link(home.outside / "treasure", path)]
    for make in makers:
        make(target)
        with unchanged(home.outside, target):
            ended = home.run("export", "@last", "-o", str(target))
        assert (ended.code, b"exists already" in ended.err) == (2, True), ended
        remove(target)
    others = ("missing/target", "x" * 300, "/proc/target", "/dev/null/target", "")
    for name in others:
        assert home.run("export", "@last", "-o", name).code != 0, name
    count(len(makers) + len(others))


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


@pytest.mark.long
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


FOLDERS = (
    *("P0\x1b[8mQ P1\x9b2JQ P2\u202eQ", "P3[bold]Q P4\nQ P5\udcffQ P6\rQ", "-x", "~", "$HOME"),
    *("'\"`", "%s{}", "a;b&c|d\te", "\\*", "\N{SNOWMAN}\N{PILE OF POO}" + "x" * 200),
)


@pytest.mark.parametrize(
    "text",
    some_quick(FOLDERS, 2),
    ids=range(len(FOLDERS)),
)
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
        *("import {}/bundle", "import {}/new", "init {}/new", "init {}/new"),
        *("-C {} list", "inspect 12345678"),
    )
    for way in (screens.pipe, screens.terminal):
        for command in commands:
            way(*words(command, str(root)))
        remove(root / "bundle")
        remove(root / "new")
    count(2 * len(commands))
