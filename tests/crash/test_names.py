"""Names that lead astray: of runs, jobs, keys, steps, files and folders."""

from __future__ import annotations

import io
import json
import os
import random
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.project import discovery
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.places import OLD_RUN, Home, remove, unchanged

Count = Callable[[int], None]

ASTRAY = (
    *("", " ", ".", "..", "../../outside/treasure", "{outside}/evil", "{outside}/treasure"),
    *("../{outside}/evil", "key:../../outside/x", "key:work/../../outside/treasure", "key:/"),
    *("@last/../../outside", "@last/", "@", "~root", "$HOME", "*", "?" * 8, "[0-9]*", "-x", "--"),
    *("a\nb", "a\tb", "\r", "\x1b[31m", "\x7f", "x" * 10_000, "../" * 300, "\udcff\udcfe", "ü/ü"),
    *("019b8c7e-9c00-7000-8000-/../../../../outside/treasure", "0" * 36, "g" * 36),
)
"""`{outside}` stands for a folder that is none of the tool's business."""
FROM_PYTHON = ("\0", "a\0b", "\ud800", "../../outside/x", "/", "x" * 10_000, "", "\x1b[2J", "é\n")

POSITIONS = (
    *("inspect {}", "inspect @last --step={}", "logs {}", "verify {}", "resume {}", "import {}"),
    *("delete {} --status failed", "repair {} --yes", "export {} -o never", "trigger {}"),
    *("jobs {}", "help {}", "-C {} list", "list --since={}", "list --job={} --label=x={}"),
    *("trigger work --idempotency-key={}", "trigger work --concurrency-key={}"),
    *("trigger work --label=x={}", "trigger work --label={}=x", "trigger work -p {}=x"),
    "trigger work --input={}",
)


def words(position: str, name: str) -> list[str]:
    """The command with the name in its position."""
    return [word.replace("{}", name) for word in position.split()]


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        (home.outside / "evil.py").write_text("open('../effect', 'w')\n")
        yield home


EVERYWHERE = [*product(POSITIONS, ASTRAY)]


@pytest.mark.parametrize(
    "most", [60, pytest.param(len(EVERYWHERE), marks=pytest.mark.campaign)], ids=["some", "all"]
)
def test_a_name_leads_nowhere_but_into_the_store(home: Home, most: int, count: Count) -> None:
    cases = random.sample(EVERYWHERE, most)
    cases += [("trigger {}", name) for name in ASTRAY if "evil" in name]
    for position, name in cases:
        try:
            with unchanged(home.outside, home.project.root):
                home.run(*words(position, name.replace("{outside}", str(home.outside))))
            assert not (home.project.root.parent / "effect").exists(), "it was imported"
        except AssertionError as error:
            raise AssertionError(f"{position} {name[:60]!r}: {error}") from error
    count(len(cases))


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
                except discovery.NotFound:
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


HOSTILE_IDS = (
    "019b8c7e-9c00-7000-8000-/../../../../../../outside/x",
    *("019b8c7e-9c00/../../../../../outside/x", "../../../../../outside/x", ""),
    "019b8c7e-9c00-7000-8000-00000000000g",
)


def test_a_bundle_leads_nowhere(home: Home, count: Count) -> None:
    journal = Store(home.store).path_of(OLD_RUN).read_bytes()
    path = home.root / "home" / "hostile.tar.gz"
    for run in HOSTILE_IDS:
        head = {"bundle": 1, "run": run, "job": "work", "host": "h", "exported": "", "durably": ""}
        with tarfile.open(path, "w:gz") as archive:
            for name, data in (
                ("bundle.json", json.dumps(head).encode()),
                (f"{Path(run).name}.jsonl", journal),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        with unchanged(home.outside, home.project.root):
            ended = home.run("import", str(path), "--adopt")
        assert ended.code == 65, (run, ended)
    count(len(HOSTILE_IDS))


FOLDERS = (
    *("with a space", "with a\nnewline", "with a\ttab", "\N{SNOWMAN}\N{PILE OF POO}", "-x", "~"),
    *("$HOME", "'\"`", "[bold]", "x" * 240, "%s{}", "\x1b[31m", "a;b&c|d", "\\", "*", "\udcff"),
)


def test_folders_of_any_name_will_do(tmp_path: Path, count: Count) -> None:
    for number, name in enumerate(FOLDERS):
        (tmp_path / name).mkdir()
        project = Project(tmp_path / name)
        project.job("@define_job\ndef work(step: Step, payload: dict) -> int: return 1\n")
        project.root = project.root.rename(tmp_path / name / name)
        link = tmp_path / str(number)
        link.symlink_to(project.root)
        how = How(link, project.env)
        for args in (("-C", str(link), "trigger", "work"), ("list",), ("verify",)):
            ended = forking.run(how, *args)
            assert ended.code == 0, (name, args, ended)
        assert len(list(project.data.glob("*/runs/*/*.jsonl"))) == 1
    count(3 * len(FOLDERS))
