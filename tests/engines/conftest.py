"""The engines that a test of the contract is held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.harness.contract import Contract
from tests.harness.postgresql import NONE_HERE, server
from tests.harness.workers import WorkedProject, prepared


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A server with the tables of DBOS and durably; where there is none, that is said."""
    with server() as url:
        if url is None:
            pytest.skip(NONE_HERE)
        with prepared(url) as found:
            yield found


@pytest.fixture
def worked(tmp_path: Path, database_url: str) -> Iterator[WorkedProject]:
    """A project of the engine dbos, whose workers a test starts."""
    project = WorkedProject(tmp_path, database_url)
    yield project
    project.end()


@pytest.fixture(scope="session", params=["local", "dbos"])
def contract(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Contract]:
    """A project of each engine that has all jobs of the contract."""
    root = tmp_path_factory.mktemp(request.param)
    if request.param == "local":
        yield Contract(Project(root))
        return
    project = WorkedProject(root, request.getfixturevalue("database_url"))
    try:
        yield Contract(project)
    finally:
        project.end()


@pytest.fixture(
    params=["local", pytest.param("dbos", marks=(pytest.mark.engine, pytest.mark.campaign))]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """A project of each engine; `begin` starts a worker where it takes one."""
    if request.param == "local":
        return Project(tmp_path)
    found: WorkedProject = request.getfixturevalue("worked")
    return found


def begin(place: Project) -> None:
    """Have runs executed, once the project has its jobs."""
    if isinstance(place, WorkedProject):
        place.work()
