"""The server of the engine dbos ends, crashes or refuses sessions: no acknowledged step is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest

from tests.harness.crew import JOB, Crew, check
from tests.harness.postgresql import NONE_HERE, Server, own_server
from tests.harness.workers import WorkedProject, prepared

Count = Callable[[int], None]

pytestmark = pytest.mark.engine


class Served(WorkedProject):
    """A project with a server of its own."""

    def __init__(self, root: Path, server: Server) -> None:
        super().__init__(root, server.url)
        self.server = server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with own_server() as server:
        if server is None:
            pytest.skip(NONE_HERE)
        with prepared(server.url):
            project = Served(tmp_path, server)
            try:
                yield project
            finally:
                project.end()


@pytest.mark.parametrize("how", ["fast", pytest.param("immediate", marks=pytest.mark.campaign)])
@pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, marks=pytest.mark.long, id="some"),
        pytest.param(12, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_a_server_that_is_restarted_loses_and_repeats_nothing(
    times: int, how: str, served: Served, count: Count
) -> None:
    served.job(JOB)
    crew = Crew(served, 2)
    runs = 0
    for _ in range(times):
        for _ in range(3):
            served.run("trigger", "work", "--ms", "100", "--detach", "-q")
            runs += 1
        before = len(served.effects)
        served.wait_for_effects(before + random.randint(2, 12))
        served.server.stop(how)
        time.sleep(random.uniform(0, 3))
        served.run("list", expect=69)
        served.server.start()
        crew.until_all_have_ended()
    again = check(served, runs)
    print(f"{again} steps again")
    assert all(not each.process.poll() for each in crew.all), "a worker has ended"
    assert again <= times * 4
    count(times)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(1, marks=pytest.mark.long, id="some"),
        pytest.param(10, marks=pytest.mark.campaign, id="all"),
    ],
)
def test_a_server_that_has_no_room_for_another_session(
    times: int, served: Served, count: Count
) -> None:
    """Workers go on with the sessions that they have, and wait for others."""
    served.server.stop("fast")
    served.server.settings = ["max_connections=40", "superuser_reserved_connections=0"]
    served.server.start()
    served.job(JOB)
    crew = Crew(served, 1)
    refused = 0
    for _ in range(times):
        for _ in range(4):
            served.run("trigger", "work", "--ms", "50", "--detach", "-q")
        served.wait_for_effects()
        with ExitStack() as sessions:
            with suppress(psycopg.OperationalError):
                for _ in range(60):
                    sessions.enter_context(psycopg.connect(served.server.url))
            served.run("list", expect=69)
            refused += 1
            time.sleep(random.uniform(1, 4))
        crew.until_all_have_ended()
    again = check(served, 4 * times)
    assert again <= 2 * times
    count(refused)
