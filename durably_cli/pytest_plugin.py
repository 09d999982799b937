"""The plug-in of pytest: `durably_store`, a store of its own for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from durably_cli.project.store_of_tests import DurablyStore


@pytest.fixture
def durably_store(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DurablyStore]:
    """Runs of this test are in a store of its own, in which time can be moved."""
    from durably_cli.project.settings import ENGINE_VARIABLE, LOCAL  # not for tests without it
    from durably_cli.project.store_of_tests import DurablyStore
    from durably_cli.system import clock, folders

    store = DurablyStore(tmp_path_factory.mktemp("durably"))
    with monkeypatch.context() as patch:
        patch.setenv(folders.DATA_VARIABLE, str(store.path))
        patch.setenv(ENGINE_VARIABLE, LOCAL)  # whatever the project has
        patch.setattr(clock, "time_ns", store.time_ns)
        yield store
