"""What can stand in the place of a file or a folder: links, pipes, devices, others' files."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

from tests.harness.places import remove

Hostility = Callable[[Path, Path], None]
"""Makes a place hostile, with a folder outside to lead to."""


def _moved_out(place: Path, outside: Path) -> None:
    target = outside / place.name
    shutil.move(place, target)
    place.symlink_to(target)


def _link_to_another(place: Path, outside: Path) -> None:
    target = outside / ("treasury" if place.is_dir() else "treasure")
    remove(place)
    place.symlink_to(target)


def _dangling(place: Path, outside: Path) -> None:
    remove(place)
    place.symlink_to(outside / "nothing")


def _link_to_itself(place: Path, outside: Path) -> None:
    remove(place)
    place.symlink_to(place.name)


def _hard_link(place: Path, outside: Path) -> None:
    os.link(place, outside / place.name)


def _fifo(place: Path, outside: Path) -> None:
    remove(place)
    os.mkfifo(place, 0o600)


def _socket(place: Path, outside: Path) -> None:
    remove(place)
    before = os.getcwd()
    os.chdir(place.parent)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
        os.rename("s", place.name)
    finally:
        os.chdir(before)


def _device(minor: int, name: str) -> Hostility:
    def make(place: Path, outside: Path) -> None:
        remove(place)
        if os.geteuid() == 0:
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        else:
            place.symlink_to(f"/dev/{name}")

    return make


def _of_the_other_kind(place: Path, outside: Path) -> None:
    is_folder = place.is_dir()
    remove(place)
    if is_folder:
        place.write_text("a file where a folder belongs")
    else:
        place.mkdir()


def _mode(mode: int) -> Hostility:
    return lambda place, outside: place.chmod(mode)


def _of_another(place: Path, outside: Path) -> None:
    os.chown(place, 54321, 54321)


HOSTILITIES: dict[str, Hostility] = {
    "moved out": _moved_out,
    "link to another": _link_to_another,
    "dangling": _dangling,
    "link to itself": _link_to_itself,
    "hard link": _hard_link,
    "fifo": _fifo,
    "socket": _socket,
    "null": _device(3, "null"),
    "zero": _device(5, "zero"),
    "of the other kind": _of_the_other_kind,
    "read-only": _mode(0o444),
    "without a mode": _mode(0o000),
    "for all to write": _mode(0o777),
    "of another": _of_another,
}
