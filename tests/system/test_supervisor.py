"""The supervisor: what it launches ends when it is no longer wanted."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from durably_cli.system.leftovers import end_processes_with, processes_with
from durably_cli.system.programs import Channel, Launch, Programs, SupervisorLost
from tests.harness.trees import IN_TREE, TIDY, TREE, left_of, living, supervisors_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="a whole tree is ended on Linux")

ENDED = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""How a shell ends that gets TERM, or sees what it waits for end by it."""


class Shop:
    """Programs with a folder, and a file in which they note their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.noted = folder / "run.programs", folder / "noted"
        self.programs = Programs(self.folder, f"{folder.name}-{os.getpid()}")

    def launch(self, script: str, *, output: tuple[int, int] | None = None) -> tuple[Channel, str]:
        """Run a script of the shell, quietly, or with both ends of a pipe for its output."""
        environment = os.environb | {b"EFFECTS": os.fsencode(self.noted)}
        null = os.open(os.devnull, os.O_RDWR)
        read, write = output or (null, null)
        try:
            launch = Launch("/bin/sh", ["sh", "-c", script], dict(environment), "/")
            return self.programs.launch(launch, [null, write, write], [read])
        finally:
            os.close(null)

    def pids(self, number: int) -> list[str]:
        """The ids, once there are so many."""
        while True:
            text = self.noted.read_text() if self.noted.exists() else ""
            if text.count("\n") >= number:
                return text.split()
            time.sleep(0.01)

    def locks(self) -> list[Path]:
        """The files that are held."""
        return list(self.folder.glob("supervisor.*")) if self.folder.exists() else []


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.programs.close()


def test_it_says_how_each_program_has_ended(shop: Shop) -> None:
    assert [shop.launch(script)[0].result() for script in ("exit 0", "exit 7", "kill $$")] == [
        0,
        7,
        -signal.SIGTERM,
    ]


def test_a_program_inherits_nothing_but_its_streams(shop: Shop) -> None:
    shop.launch("ls /dev/fd > $EFFECTS")[0].result()
    assert set(shop.noted.read_text().split()) <= {"0", "1", "2", "3"}  # the last one is of ls
    shop.launch("trap > $EFFECTS; kill -PIPE $$")[0].result()
    assert shop.noted.read_text() == ""


@linux
def test_one_program_is_ended_and_another_one_lives(shop: Shop) -> None:
    other, _ = shop.launch("echo $$ >> $EFFECTS; sleep 600")
    (alive,) = shop.pids(1)
    channel, _ = shop.launch(TREE)
    tree = shop.pids(IN_TREE + 1)[1:]
    channel.end()
    assert channel.result() in ENDED
    assert living(tree) == []
    assert living([alive]) == [alive]
    other.close()
    assert left_of([alive]) == []


@linux
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_it_ends_everything(shop: Shop, signum: int) -> None:
    channel, _ = shop.launch(TREE)
    pids = shop.pids(IN_TREE)
    (supervisor,) = supervisors_of(shop.programs.mark)
    os.kill(int(supervisor), signum)
    assert channel.result() in ENDED
    assert left_of([*pids, supervisor]) == []
    assert shop.locks() == []


@linux
def test_after_kill_9_of_it_programs_are_found_and_there_is_another_one(shop: Shop) -> None:
    channel, mark = shop.launch(TREE)
    pids = shop.pids(IN_TREE)
    (supervisor,) = supervisors_of(shop.programs.mark)
    os.kill(int(supervisor), signal.SIGKILL)
    with pytest.raises(SupervisorLost):
        channel.result()
    found = {str(each.pid): each.command for each in processes_with(mark)}
    assert found.keys() >= set(pids)
    assert found[pids[-1]] == "sleep 600"
    assert shop.launch("exit 3")[0].result() == 3
    assert end_processes_with(mark) == []
    assert living(pids) == []
    assert len(shop.locks()) == 2  # the one of the dead says that there may be some left


@linux
@pytest.mark.parametrize("free", [0, 2])
def test_one_short_of_descriptors_loses_only_the_program_that_it_cannot_take(
    shop: Shop, free: int
) -> None:
    channel, _ = shop.launch(TREE)
    pids = shop.pids(IN_TREE)
    (supervisor,) = supervisors_of(shop.programs.mark)
    used = {int(name) for name in os.listdir(f"/proc/{supervisor}/fd")}
    limit = sorted(set(range(100)) - used)[free]  # so many below it are free
    before = resource.prlimit(int(supervisor), resource.RLIMIT_NOFILE, (limit, 100))
    assert before[0] > limit
    with pytest.raises(OSError) if free else pytest.raises(SupervisorLost):
        shop.launch("exit 3")[0].result()
    resource.prlimit(int(supervisor), resource.RLIMIT_NOFILE, (100, 100))
    assert shop.launch("exit 3")[0].result() == 3
    assert living(pids) == pids
    assert supervisors_of(shop.programs.mark) == [supervisor]
    channel.end()


@linux
def test_a_program_that_nobody_listens_to_may_print_what_it_likes(shop: Shop) -> None:
    read, write = os.pipe()
    channel, _ = shop.launch(TIDY, output=(read, write))
    (pid,) = shop.pids(1)
    for fd in (read, write):
        os.close(fd)
    channel.close()
    assert left_of([pid]) == []
    assert shop.noted.read_text().split() == [pid, "asked", "tidied"]


@linux
def test_a_stopped_program_is_ended_too(shop: Shop) -> None:
    channel, _ = shop.launch(
        "trap 'echo asked >> $EFFECTS; exit 3' TERM; echo $$ >> $EFFECTS; kill -STOP $$; sleep 600"
    )
    (pid,) = shop.pids(1)
    while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
        time.sleep(0.01)
    channel.end()
    assert channel.result() == 3
    assert shop.pids(2) == [pid, "asked"]


def test_nothing_is_left_of_it(shop: Shop) -> None:
    for _ in range(3):
        shop.launch("true")[0].result()
    supervisors = supervisors_of(shop.programs.mark)
    assert len(supervisors) == len(shop.locks()) == 1
    shop.programs.close()
    assert left_of(supervisors) == []
    assert not shop.folder.exists()


def test_it_is_no_child_of_this_process(shop: Shop) -> None:
    shop.launch("true")[0].result()
    with pytest.raises(ChildProcessError):
        os.waitpid(int(supervisors_of(shop.programs.mark)[0]), os.WNOHANG)
