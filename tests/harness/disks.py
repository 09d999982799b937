"""File systems on disks of our own: disks that log what they are told to write, and that fail.

nbdkit serves a disk, nbdfuse shows it as a file, and the kernel mounts that through a loop device:
between the tool and the disk everything is real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Started

PROGRAMS = ("nbdkit", "nbdfuse", "fusermount3", "losetup", "mount", "umount")
_PLUGIN = Path(__file__).with_name("recording_disk.py")


class FileSystem(NamedTuple):
    """How one is made, on how large a disk, and mounted; and where its superblock is.

    A disk must write each of its sectors whole.
    """

    type: str
    size: int
    make: tuple[str, ...]
    options: str
    superblock: int = 0
    sector: int = 512

    def make_image(self, image: Path) -> None:
        """An empty file system in this file."""
        image.touch()
        os.truncate(image, self.size)
        _run(f"mkfs.{self.type}", "-q", *self.make, str(image))


_EXT4 = FileSystem(
    "ext4", 16 << 20, ("-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0"), "loop"
)

FILE_SYSTEMS = {
    "ext4": _EXT4,
    "ext4 that renames unsynced files": _EXT4._replace(options="loop,noauto_da_alloc"),
    # on sectors of 512 bytes, XFS cannot be mounted itself if a block of a directory was torn
    "xfs": FileSystem("xfs", 300 << 20, ("-f", "-s", "size=4096"), "loop,nouuid", sector=4096),
    "btrfs": FileSystem("btrfs", 112 << 20, ("-f",), "loop", superblock=64 << 10),
}


def skip_without_disks(file_system: FileSystem) -> None:
    """Skip the test where no such file system can be made and mounted, and say why."""
    missing = [each for each in (*PROGRAMS, f"mkfs.{file_system.type}") if not shutil.which(each)]
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if subprocess.run(("nbdkit", "python", "--dump-plugin"), capture_output=True).returncode:
        pytest.skip("nbdkit has no python plugin")
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            pytest.skip(f"there is no {device}")
    if file_system.type not in Path("/proc/filesystems").read_text().split():
        pytest.skip(f"the kernel has no {file_system.type}")


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory, if the system has that: a disk's image need not survive anything."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@contextmanager
def mounted(image: Path, folder: Path, file_system: FileSystem) -> Iterator[Path]:
    """The file system in this file, mounted on this folder."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", file_system.type, "-o", file_system.options, str(image), str(folder))
    try:
        yield folder
    finally:
        _again_until_done("umount", str(folder))


class Disk:
    """A disk with a file system on it: image, log and fault are those of `recording_disk`."""

    def __init__(self, folder: Path, file_system: FileSystem) -> None:
        self._folder, self._file_system = folder, file_system
        self.image, self.log, self.fault = folder / "image", folder / "log", folder / "fault"
        self.log.touch()
        file_system.make_image(self.image)

    @contextmanager
    def mounted(self) -> Iterator[Path]:
        """The file system, mounted. What was not on the disk at the end is gone from then on."""
        mount = self._folder / "mount"
        with self._served() as device, mounted(device, mount, self._file_system):
            yield mount

    @contextmanager
    def _served(self) -> Iterator[Path]:
        device, ready = self._folder / "device", self._folder / "ready"
        device.touch()
        nbdkit = (
            *("nbdkit", "--exit-with-parent", "--foreground", "python", str(_PLUGIN)),
            *(f"image={self.image}", f"log={self.log}", f"fault={self.fault}"),
        )
        nbdfuse = ("nbdfuse", "-C", "1", "-P", str(ready), str(device), "[", *nbdkit, "]")
        with Started(nbdfuse, stderr=subprocess.DEVNULL) as process:
            try:
                while not ready.exists():
                    assert process.poll() is None, f"{nbdfuse} ended at once"
                    time.sleep(0.005)
                yield device
            finally:
                ready.unlink(missing_ok=True)
                if process.poll() is None:
                    _again_until_done("fusermount3", "-u", str(device))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"


def _again_until_done(*command: str) -> None:
    """The kernel lets go of what was mounted a moment after it said so."""
    for _ in range(200):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(0.02)
    raise AssertionError(f"{' '.join(command)}: {done.stderr}")
