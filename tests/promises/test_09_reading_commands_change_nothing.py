"""Reading commands change nothing but a cache, and import no job."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.places import READING, Home, looks


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory() as folder:
        yield Home(Path(folder))


def test_looking(home: Home) -> None:
    home.project.job('effect("imported")')
    folder, cache = home.project.root.parent, str(home.project.cache)

    def all_but_the_index() -> dict[str, object]:
        """A cache, which `inspect @last/JOB` makes."""
        return {path: look for path, look in looks(folder).items() if not path.startswith(cache)}

    before = all_but_the_index()
    for words in (*map(home.words, READING), ["help", "care"]):
        for terminal in (False, True):
            ended = home.run(*words, terminal_out=terminal)
            assert ended.code == 0, (words, ended)
            assert all_but_the_index() == before, words
    for typed in ("durably trigger ", "durably inspect ", "durably trigger work --"):
        asked = {"_DURABLY_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": typed}
        home.run(env=home.project.env | asked)
        assert all_but_the_index() == before, typed
    assert home.project.effects == [], "imported"
