"""Names that lead astray: of runs, jobs, keys, steps, files, folders and modules."""

from __future__ import annotations

import io
import json
import os
import random
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.project import discovery
from tests.conftest import Project
from tests.crash.test_places import check_in_order
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.places import OLD_RUN, Home, remove, unchanged

ASTRAY = (
    *("", " ", ".", "..", "../../outside/treasure", "{outside}/evil", "{outside}/treasure"),
    *("../{outside}/evil", "key:../../outside/x", "key:work/../../outside/treasure", "key:/"),
    *("@last/../../outside", "@last/", "@", "~root", "$HOME", "*", "?" * 8, "[0-9]*", "-x", "--"),
    *("a\nb", "a\tb", "\r", "\x1b[31m", "\x7f", "x" * 10_000, "../" * 300, "\udcff\udcfe", "ü/ü"),
    *("019b8c7e-9c00-7000-8000-/../../../../outside/treasure", "0" * 36, "g" * 36),
)
"""`{outside}` stands for a folder that is none of the tool's business."""

POSITIONS: dict[str, tuple[str, ...]] = {
    "inspect": ("inspect", "{}"),
    "step": ("inspect", "@last", "--step={}"),
    "logs": ("logs", "{}"),
    "verify": ("verify", "{}"),
    "resume": ("resume", "{}"),
    "delete": ("delete", "{}", "--status", "failed"),
    "repair": ("repair", "{}", "--yes"),
    "export": ("export", "{}", "-o", "never"),
    "import": ("import", "{}"),
    "trigger": ("trigger", "{}"),
    "jobs": ("jobs", "{}"),
    "help": ("help", "{}"),
    "project": ("-C", "{}", "list"),
    "idempotency key": ("trigger", "work", "--idempotency-key={}"),
    "concurrency key": ("trigger", "work", "--concurrency-key={}"),
    "label": ("trigger", "work", "--label=x={}"),
    "name of a label": ("trigger", "work", "--label={}=x"),
    "name of a field": ("trigger", "work", "-p", "{}=x"),
    "input": ("trigger", "work", "--input={}"),
    "filter": ("list", "--job={}", "--label=x={}"),
    "time": ("list", "--since={}"),
}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        (home.outside / "evil.py").write_text("open('../effect', 'w')\n")
        yield home


def lead_astray(home: Home, position: str, name: str) -> None:
    """The command ends in order, and nothing but the store has changed."""
    name = name.replace("{outside}", str(home.outside))
    args = [word.replace("{}", name) for word in POSITIONS[position]]
    try:
        with unchanged(home.outside, home.project.root):
            check_in_order(home.run(*args))
        assert not (home.project.root.parent / "effect").exists(), "it was imported"
    except AssertionError as error:
        raise AssertionError(f"{position} {name[:60]!r}: {error}") from error


def test_a_name_leads_nowhere_but_into_the_store(home: Home, count: Callable[[int], None]) -> None:
    cases = [(position, name) for position in POSITIONS for name in ASTRAY]
    chosen = random.sample(cases, 90)
    chosen += [("trigger", name) for name in ASTRAY if "evil" in name]
    for case in chosen:
        lead_astray(home, *case)
    count(len(chosen))


@pytest.mark.campaign
@pytest.mark.parametrize("position", POSITIONS)
def test_every_name_at_every_position(
    home: Home, position: str, count: Callable[[int], None]
) -> None:
    for name in ASTRAY:
        lead_astray(home, position, name)
    count(len(ASTRAY))


FROM_PYTHON = ("\0", "a\0b", "\ud800", "../../outside/x", "/", "x" * 10_000, "", "\x1b[2J", "é\n")


def test_keys_and_labels_given_from_python_lead_nowhere_either(
    home: Home, count: Callable[[int], None]
) -> None:
    def trigger() -> None:
        job = discovery.find_job(home.project.root, "work")
        for text in FROM_PYTHON:
            for given in (
                {"idempotency_key": text},
                {"concurrency_key": text},
                {"labels": {text: "x"}},
                {"labels": {"x": text}},
            ):
                try:
                    assert str(job.trigger({}, **given).status) == "completed"
                except discovery.NotFound:
                    raise
                except Exception as error:
                    assert type(error).__module__ == "durably_cli.errors", repr(error)

    with unchanged(home.outside, home.project.root):
        ended = forking.call(How(home.project.root, home.project.env), trigger)
    assert (ended.code, ended.err) == (0, b""), ended
    count(4 * len(FROM_PYTHON))


def test_steps_of_any_name_lead_nowhere(home: Home, count: Callable[[int], None]) -> None:
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
    names = [name for name in (*ASTRAY, *FROM_PYTHON[:2]) if name and name.isascii()]
    with unchanged(home.outside, home.project.root):
        ended = home.run("trigger", "named", "--input", json.dumps(names))
    assert (ended.code, int(ended.out)) == (0, len(names)), ended
    count(len(names))


def test_an_export_writes_over_nothing(home: Home, count: Callable[[int], None]) -> None:
    def listening(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))

    makers: tuple[Callable[[Path], object], ...] = (
        lambda path: path.symlink_to(home.outside / "treasure"),
        lambda path: path.symlink_to(home.outside / "nothing"),
        lambda path: path.symlink_to(home.outside),
        lambda path: path.symlink_to(path.name),
        lambda path: os.link(home.outside / "treasure", path),
        lambda path: path.symlink_to("/dev/zero"),
        os.mkfifo,
        os.mkdir,
        listening,
    )
    target = home.project.root / "target"
    for make in makers:
        make(target)
        with unchanged(home.outside, target):
            ended = home.run("export", "@last", "-o", str(target))
        check_in_order(ended)
        assert (ended.code, b"exists already" in ended.err) == (2, True), ended
        remove(target)
    for name in ("missing/target", "x" * 300, "/proc/target", "/dev/null/target", ""):
        ended = home.run("export", "@last", "-o", name)
        check_in_order(ended)
        assert ended.code != 0, ended
    count(len(makers) + 5)


HOSTILE_IDS = (
    "019b8c7e-9c00-7000-8000-/../../../../../../outside/x",
    "019b8c7e-9c00/../../../../../outside/x",
    "../../../../../outside/x",
    "",
    "019b8c7e-9c00-7000-8000-00000000000g",
)


def test_a_bundle_leads_nowhere(home: Home, count: Callable[[int], None]) -> None:
    journal = Store(home.store).path_of(OLD_RUN).read_bytes()
    for run in HOSTILE_IDS:
        head = {"bundle": 1, "run": run, "job": "work", "host": "h", "exported": "", "durably": ""}
        members = {"bundle.json": json.dumps(head).encode(), f"{Path(run).name}.jsonl": journal}
        path = home.root / "home" / "hostile.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, data in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        with unchanged(home.outside, home.project.root):
            ended = home.run("import", str(path), "--adopt")
        check_in_order(ended)
        assert ended.code == 65, (run, ended)
    count(len(HOSTILE_IDS))


FOLDERS = (
    *("with a space", "with a\nnewline", "with a\ttab", "\N{SNOWMAN}\N{PILE OF POO}", "-x", "~"),
    *("$HOME", "'\"`", "[bold]", "x" * 240, "%s{}", "\x1b[31m", "a;b&c|d", "\\", "*", "\udcff"),
)


@pytest.mark.parametrize("what", ["data", "project"])
def test_folders_of_any_name_will_do(
    tmp_path: Path, what: str, count: Callable[[int], None]
) -> None:
    job = (
        "@define_job\ndef work(step: Step, payload: dict) -> int:\n    return step.run('a', int)\n"
    )
    for number, name in enumerate(FOLDERS):
        root = tmp_path / str(number) / name if what == "data" else tmp_path / str(number)
        root.mkdir(parents=True)
        project = Project(root)
        if what == "project":
            project.root = project.root.rename(root / name)
        (project.root / "jobs" / "work.py").write_text("from durably_cli import *\n" + job)
        link = tmp_path / str(number) / "link"
        link.symlink_to(project.root)
        how = How(link, project.env)
        for args in (("trigger", "work"), ("list",), ("verify",)):
            ended = forking.run(how, "-C", str(project.root if args[0] == "list" else link), *args)
            assert ended.code == 0, (name, args, ended)
        assert len(list(project.data.glob("*/runs/*/*.jsonl"))) == 1
    count(3 * len(FOLDERS))
