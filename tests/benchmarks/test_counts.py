"""What commands cost, counted: syncs, writes, opened files and loaded modules are exact."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks import stores
from tests.benchmarks.bench import PROGRAMS
from tests.cli.test_startup import modules_of
from tests.conftest import DURABLY, Project

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="counts are taken by strace")

SYNCS = ("fdatasync", "fsync", "msync", "sync_file_range")
FILES = ("openat", "getdents64", "newfstatat", "linkat", "rename", "unlink", "mkdir", *SYNCS)


_LINE = re.compile(r'write\(\d+<[^>]*>(?:\(deleted\))?, "\{\\"seq\\":')


class Traced:
    """The system calls of a command of durably and its children."""

    def __init__(self, project: Project, *args: str, expect: int = 0) -> None:
        self._project = project
        log = project.root.parent / "calls"
        trace = ("strace", "-f", "-qq", "-y", "-s", "300", "-o", str(log), "-e")
        wanted = f"trace={','.join(dict.fromkeys((*FILES, 'write')))}"
        done = subprocess.run(
            (*trace, wanted, *DURABLY, *args),
            cwd=project.root,
            env=project.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, done
        self._lines = [line.split(" ", 1)[1].strip() for line in log.read_text().splitlines()]

    def count(self, *names: str) -> int:
        """How many calls of these names there were."""
        return sum(line.startswith(tuple(f"{name}(" for name in names)) for line in self._lines)

    @property
    def lines_written(self) -> int:
        """How many writes put a line into a journal."""
        return sum(_LINE.match(line) is not None for line in self._lines)

    @property
    def opened(self) -> Counter[str]:
        """How often which files of the data and the cache folder were opened, by their endings."""
        ours = (str(self._project.data), str(self._project.cache))
        paths = [re.match(r'openat\([^"]*"([^"]+)"', line) for line in self._lines]
        return Counter(
            "".join(Path(found[1]).suffixes)
            for found in paths
            if found and found[1].startswith(ours)
        )

    def of_files(self) -> Counter[str]:
        """How many calls of each name there were that look at or change files of ours."""
        ours = re.compile(f"{self._project.data}|{self._project.cache}")
        return Counter(line.split("(")[0] for line in self._lines if ours.search(line))


@pytest.fixture
def work(project: Project) -> Project:
    """A project with a job of any number of steps, which has run once."""
    project.job(
        """
        @define_job
        def work(step: Step, payload: int) -> None:
            for number in range(payload):
                step.run(f"step-{number}", int)
            assert os.path.exists("mended") or payload % 10 == 3
        """
    )
    project.run("trigger", "work", "-i", "3")
    return project


def test_a_trigger_of_three_steps_syncs_six_times_in_all(work: Project) -> None:
    assert Traced(work, "trigger", "work", "-i", "3").count(*SYNCS) == 6


def test_a_step_is_two_writes_and_one_sync(work: Project) -> None:
    few, many = (Traced(work, "trigger", "work", "-i", number) for number in ("3", "13"))
    assert many.count(*SYNCS) - few.count(*SYNCS) == 10
    assert many.lines_written - few.lines_written == 20


def test_a_retry_is_two_writes_and_one_sync(work: Project) -> None:
    work.job(
        """
        from durably_cli import Retry

        def fail(times: int, calls=[]) -> None:
            calls.append(1)
            assert len(calls) > times

        @define_job
        def flaky(step: Step, payload: int) -> None:
            step.run("fail", fail, payload, tries=Retry(20, delay=0))
        """,
        "flaky",
    )
    few, many = (Traced(work, "trigger", "flaky", "-i", number) for number in ("3", "13"))
    assert many.count(*SYNCS) - few.count(*SYNCS) == 10
    assert many.lines_written - few.lines_written == 20


def test_to_replay_a_step_costs_neither_a_sync_nor_a_write(work: Project) -> None:
    resumed = []
    for number in ("4", "24"):
        run = work.run("trigger", "work", "-i", number, expect=1).err.split()[1]
        resumed.append(Traced(work, "resume", run, expect=1))
    few, many = resumed
    assert few.count(*SYNCS) == many.count(*SYNCS) == 3
    assert few.lines_written == many.lines_written == 3


def test_a_resume_reads_each_line_once_before_it_and_only_its_own_lines_after_it(
    work: Project,
) -> None:
    run = work.run("trigger", "work", "-i", "1000", expect=1).err.split()[1]
    program = (
        "import sys, atexit\n"
        "from durably_cli.journal import fast_codec\n"
        "read, decode = 0, fast_codec.decode_steps\n"
        "def counted(*args):\n"
        "    global read\n"
        "    found = decode(*args)\n"
        "    read += len(found[0])\n"
        "    return found\n"
        "fast_codec.decode_steps = counted\n"
        "atexit.register(lambda: print(read, file=sys.stderr))\n"
        "from durably_cli.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", program, "resume", run),
        cwd=work.root,
        env=work.env,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert int(done.stderr.splitlines()[-1]) == 2_000


def test_a_list_opens_the_journals_that_it_shows_and_one_to_see_that_there_are_more(
    work: Project,
) -> None:
    stores.fill(runs_of(work), 300)
    assert Traced(work, "list").opened[".jsonl"] == 21
    assert Traced(work, "list", "-n", "5").opened[".jsonl"] == 5


def test_a_filter_opens_the_journals_that_fit_and_the_index_of_each_day(work: Project) -> None:
    stores.fill(runs_of(work), 400)
    settle(work)
    work.run("list", "--status", "failed")
    opened = Traced(work, "list", "--status", "failed").opened
    days = len(list(runs_of(work).iterdir()))
    assert opened[".jsonl"] == len(work.runs("--status", "failed")) == 2
    assert opened[".json"] - 1 == days  # and project.json
    assert Traced(work, "list", "--job", stores.RARE).opened[".jsonl"] == 1


def test_a_run_is_found_by_its_tail_without_a_look_at_others(work: Project) -> None:
    made = stores.fill(runs_of(work), 200)
    assert Traced(work, "inspect", made[0][-8:]).opened[".jsonl"] == 1


@pytest.mark.long
def test_what_other_runs_there_are_changes_nothing_of_what_a_trigger_and_a_resume_do(
    work: Project,
) -> None:
    failed = work.run("trigger", "work", "-i", "4", expect=1).err.split()[1]

    def calls() -> list[Counter[str]]:
        commands = ("trigger", "work", "-i", "4"), ("resume", failed)
        return [Traced(work, *command, expect=1).of_files() for command in commands]

    alone = calls()
    stores.fill(runs_of(work), 2_000, days=1)
    stores.fill(runs_of(work), 500)
    assert calls() == alone


def test_a_list_loads_few_modules_more_than_a_bare_typer_app(work: Project) -> None:
    program = (
        "import sys, atexit, runpy\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    bare = subprocess.run(
        (sys.executable, "-c", program, str(PROGRAMS / "bare_commands.py"), "list"),
        capture_output=True,
        text=True,
        check=True,
    )
    more = modules_of(work, "list") - set(bare.stderr.split())
    assert {name for name in more if not name.startswith("durably_cli")} <= MORE


MORE = {"_json", "_struct", "dataclasses", "fcntl", "gc", "json", "struct", "zlib"}
MORE |= {"json.decoder", "json.encoder", "json.scanner"}


def runs_of(project: Project) -> Path:
    """The folder of the journals."""
    (store,) = project.data.iterdir()
    return store / "runs"


def settle(project: Project) -> None:
    """Let the folders have changed long ago, so that what is known of them is believed."""
    for day in runs_of(project).iterdir():
        os.utime(day, (1_700_000_000, 1_700_000_000))
