"""Small disks of their own that are full, have no inodes left, or become read-only.

A tmpfs, which root alone can mount. It gives out whole pages: that a disk ends within a record is a
page that ends there, because the record stands so far down in its file.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE = os.sysconf("SC_PAGE_SIZE")


class SmallDisk:
    """A mounted tmpfs; `data` is a folder on it that a project can have as its data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filler = folder / "filler"
        self.data = folder / "data"

    def leave(self, pages: int) -> None:
        """Fill it, so that so many pages are left."""
        free = os.statvfs(self._folder).f_bfree
        with open(self._filler, "ab") as filler:
            os.posix_fallocate(filler.fileno(), 0, PAGE * (free - pages))
        assert os.statvfs(self._folder).f_bfree == pages

    def make_space(self) -> None:
        """Remove what fills it."""
        self._filler.unlink()

    def remount(self, options: str) -> None:
        """Change what it was mounted with: `ro`, `rw`, `nr_inodes=20`."""
        _run("mount", "-o", f"remount,{options}", str(self._folder))


@contextmanager
def small_disk(folder: Path, options: str = "size=1m") -> Iterator[SmallDisk]:
    """A new disk in this folder, which is unmounted in the end."""
    folder.mkdir(exist_ok=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"mode=700,{options}", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no small disk can be mounted here: that takes root")
    try:
        yield SmallDisk(folder)
    finally:
        _run("umount", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
