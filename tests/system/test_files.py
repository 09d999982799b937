"""Folders and files, with others at them at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from durably_cli.system import files


def test_many_make_the_same_folders_at_the_same_time(tmp_path: Path) -> None:
    threads = 4
    meet = Barrier(threads, timeout=60)

    def make(folder: Path) -> None:
        meet.wait()
        files.make_folder(folder)

    with ThreadPoolExecutor(threads) as pool:
        for number in range(200):
            folder = tmp_path / str(number) / "data" / "project" / "runs" / "2026-11-29"
            made = [pool.submit(make, folder) for _ in range(threads)]
            assert [each.result() for each in made] == [None] * threads
            assert folder.is_dir()
