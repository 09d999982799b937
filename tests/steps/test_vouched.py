"""The files of a result are on disk, under all the names that lead to them."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from durably_cli import File, ValueRefused
from durably_cli.steps.vouched import sync_files


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The device and inode of everything that is synced from now on, in order."""
    seen = list[tuple[int, int]]()

    def noting(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(fd: int, *args: int) -> object:
            seen.append((os.fstat(fd).st_dev, os.fstat(fd).st_ino))
            return real(fd, *args)

        monkeypatch.setattr(module, name, call)

    noting(os, "fsync")
    noting(*((fcntl, "fcntl") if sys.platform == "darwin" else (os, "fdatasync")))
    return seen


def identity(path: Path) -> tuple[int, int]:
    return os.stat(path).st_dev, os.stat(path).st_ino


def test_a_file_is_synced_and_then_its_folder(
    tmp_path: Path, synced: list[tuple[int, int]]
) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("x")
    sync_files(map(File, (*paths, *paths)))
    assert sorted(synced[:2]) == sorted(map(identity, paths))
    assert synced[2:] == [identity(tmp_path)]


def test_of_a_link_both_folders_are_synced(tmp_path: Path, synced: list[tuple[int, int]]) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "there" / "a").write_text("x")
    link = tmp_path / "here" / "link"
    link.symlink_to("../there/a")
    sync_files([File(link)])
    assert synced[0] == identity(link)
    folders = {identity(tmp_path / "here"), identity(tmp_path / "there")}
    assert (set(synced[1:]), len(synced)) == (folders, 3)


def test_a_relative_path_is_synced_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[tuple[int, int]]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a").write_text("x")
    sync_files([File("a")])
    assert synced == [identity(tmp_path / "a"), identity(tmp_path)]


def test_nothing_is_synced_for_no_files(synced: list[tuple[int, int]]) -> None:
    sync_files([])
    assert synced == []


def test_a_file_that_has_gone_meanwhile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueRefused, match="gone cannot be brought to disk: No such file"):
        sync_files([File(tmp_path / "gone")])
