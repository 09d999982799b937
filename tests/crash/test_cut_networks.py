"""A worker whose network is cut off: another one takes over, and it starts no further step."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.test_stolen_runs import of
from tests.harness.contract import wait
from tests.harness.crew import JOB, Crew, check
from tests.harness.postgresql import NONE_HERE, own_server
from tests.harness.workers import WorkedProject, prepared

Count = Callable[[int], None]

pytestmark = pytest.mark.engine


class Network:
    """A namespace behind a pair of interfaces, and the address of this side."""

    def __init__(self) -> None:
        number = os.getpid() % 250 + 1
        self.name, self._outer, inner = f"durably{number}", f"dur{number}", f"dun{number}"
        self.address, there = f"10.213.{number}.1", f"10.213.{number}.2"
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._outer, "type", "veth", "peer", "name", inner)
        self._ip("link", "set", inner, "netns", self.name)
        self._ip("addr", "add", f"{self.address}/24", "dev", self._outer)
        self._ip("-n", self.name, "addr", "add", f"{there}/24", "dev", inner)
        self._ip("-n", self.name, "link", "set", inner, "up")
        self.mend()

    def cut(self) -> None:
        """Let no packet through any more, and tell nobody."""
        self._ip("link", "set", self._outer, "down")

    def mend(self) -> None:
        """Let them through again."""
        self._ip("link", "set", self._outer, "up")

    def remove(self) -> None:
        """Take it away."""
        self._ip("netns", "del", self.name)

    def _ip(self, *args: str) -> None:
        subprocess.run(("ip", *args), check=True, capture_output=True)


@contextmanager
def network() -> Iterator[Network]:
    """One, if this machine has any to give; else what needs it is left out."""
    if os.getuid() != 0 or not shutil.which("ip"):
        pytest.skip("cuts take root and iproute2: network namespaces")
    try:
        found = Network()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr!r}")
    try:
        yield found
    finally:
        found.remove()


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, marks=pytest.mark.long, id="some"),
        pytest.param(8, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_a_worker_that_is_cut_off_starts_no_further_step(
    times: int, tmp_path: Path, count: Count
) -> None:
    with network() as cable, own_server() as server:
        if server is None:
            pytest.skip(NONE_HERE)
        far = server.listen_at(cable.address)
        server.stop("fast")
        server.start()
        with prepared(server.url) as near:
            worked = WorkedProject(tmp_path, near)
            try:
                worked.job(JOB)
                for number in range(times):
                    _cut_once(worked, cable, near, far)
                    assert check(worked, number + 1) <= number + 1
            finally:
                worked.end()
    count(times)


def _cut_once(worked: WorkedProject, cable: Network, near: str, far: str) -> None:
    """A run of a worker behind the cable, which is cut; another one goes on with it."""
    worked.env["DURABLY_DATABASE_URL"] = far
    cut_off = worked.work(1, inside=cable.name)
    worked.env["DURABLY_DATABASE_URL"] = near
    before = len(worked.effects)
    run = worked.run("trigger", "work", "--ms", "400", "--detach").out.strip()
    worked.wait_for_effects(before + 4)
    cable.cut()
    crew = Crew(worked, 1)
    wait(lambda: bool(of(worked, run, crew.all[0])))
    begun = of(worked, run, cut_off)
    time.sleep(2)
    cable.mend()
    worked.run("wait", run)
    time.sleep(2)  # in which it would do more
    assert of(worked, run, cut_off) == begun, "it has started a step of a run that it has lost"
    for each in crew.all:
        each.kill()
    cut_off.kill()
