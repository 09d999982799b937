"""The engines that a test of the contract is held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.postgresql import server
from tests.harness.workers import WorkedProject, prepared


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A server with the tables of DBOS and durably; one is there, or the tests fail."""
    with server() as url:
        assert url, "no PostgreSQL: install the extra test, or name one"
        with prepared(url) as found:
            yield found


@pytest.fixture
def worked(tmp_path: Path, database_url: str) -> Iterator[WorkedProject]:
    """A project of the engine dbos, whose workers a test starts."""
    project = WorkedProject(tmp_path, database_url)
    yield project
    project.end()


@pytest.fixture(params=["local", "dbos"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of each engine."""
    yield str(request.param)


@pytest.fixture
def place(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project of that engine; `begin` starts a worker where it takes one."""
    if engine == "local":
        return Project(tmp_path)
    found: WorkedProject = request.getfixturevalue("worked")
    return found


def begin(place: Project) -> None:
    """Have runs executed, once the project has its jobs."""
    if isinstance(place, WorkedProject):
        place.work()
