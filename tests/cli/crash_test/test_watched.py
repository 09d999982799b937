"""What is watched is put back, whatever was done to it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from durably_cli.cli.crash_test.contents import differences, read_contents
from durably_cli.cli.crash_test.watched import Watched
from durably_cli.errors import JournalError


def test_whatever_was_done_to_a_folder_is_undone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for name in ("changed", "gone", "replaced", "same", "sub/below", "turned"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "empty").mkdir()
    os.link(folder / "changed", tmp_path / "other-name")
    watched = Watched([str(folder)], tmp_path / "copies", [])
    watched.copy()
    before = listing(folder)
    for _ in range(2):
        with (folder / "changed").open("a") as file:
            file.write("more")
        (folder / "gone").unlink()
        (folder / "new").write_text("new")
        (folder / "replaced").with_suffix(".part").write_text("other")
        (folder / "replaced").with_suffix(".part").replace(folder / "replaced")
        shutil.rmtree(folder / "sub")
        (folder / "turned").unlink()
        (folder / "turned").mkdir()
        (folder / "turned" / "x").touch()
        (folder / "empty").rmdir()
        watched.put_back()
        assert listing(folder) == before
        assert (tmp_path / "other-name").read_text() == "changed"


def listing(folder: Path) -> dict[str, object]:
    return {
        str(path): path.read_text() if path.is_file() else path.stat().st_mtime_ns
        for path in sorted([folder, *folder.rglob("*")])
    }


def test_a_database_is_put_back_with_what_is_beside_it(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (n)")
        connection.commit()
        watched = Watched([str(database)], tmp_path / "copies", [])
        watched.copy()
        before = read_contents(watched.paths, tmp_path)
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        after = read_contents(watched.paths, tmp_path)
    (found,) = differences(before, before, after)
    assert (found.kind, found.said) == ("twice", "has the row '1' 1 time more")
    watched.put_back()
    assert read_contents(watched.paths, tmp_path) == before


def test_what_cannot_be_put_back_says_where_its_copy_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("as it was")
    watched = Watched([str(path)], tmp_path / "copies", [])
    watched.copy()
    path.unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(JournalError, match="No space left on device") as raised:
        watched.put_back()
    assert str(tmp_path / "copies") in str(raised.value)


def test_what_varies_is_only_counted(tmp_path: Path) -> None:
    file = tmp_path / "file"
    seen = []
    for text in ("at 1\n", "at 2\n", "at 3\n", "at 4\nat 5\n", ""):
        file.write_text(text)
        seen.append(read_contents([file], tmp_path))
    one, two, *others = seen
    found = [[each.kind for each in differences(one, two, other)] for other in others]
    assert found == [[], ["twice"], ["less"]]
