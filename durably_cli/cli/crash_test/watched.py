"""The files and folders that a job is given: copied aside, and put back before each trial.

A file is put back by a rename, so it is the old one or the new one, whatever is killed when; one
that has other names, which would not follow, is written over in place. What was not touched is left
as it is.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.errors import Forbidden, JournalError, UsageError

MOST_BYTES = 256 << 20
MOST_FILES = 10_000
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite has beside a database: without it, that is another one."""

_PUT_BACK = ".durably-put-back"


class _Entry(NamedTuple):
    """A file, folder or link as it was, and where its copy is."""

    mode: int
    owner: tuple[int, int]
    mark: tuple[int, ...]
    link: str
    copy: Path | None


class Watched:
    """These paths, with what SQLite has beside them; some of them may not be there yet."""

    def __init__(self, paths: Sequence[str], copies: Path, apart: Iterable[Path]) -> None:
        found = [Path(os.path.realpath(os.path.expanduser(path))) for path in paths]
        for typed, path in zip(paths, found, strict=True):
            _refuse(typed, path, list(apart))
        self.paths = [each for each in dict.fromkeys(found) if not _is_in_one_of(each, found)]
        self.copies = copies
        """Where they are: `names` there says which is which."""
        self._entries = dict[Path, _Entry]()
        """All that was there, a folder before what is in it."""

    @property
    def _all(self) -> Iterator[Path]:
        for path in self.paths:
            yield path
            yield from (path.with_name(path.name + end) for end in (*BESIDE, _PUT_BACK))

    def copy(self) -> None:
        """Copy aside what is there. UsageError for what is too large, or no file or folder."""
        size, found = 0, (each for top in self._all for each in _below(top))
        for many, path in enumerate(found, 1):
            status = path.lstat()
            size += status.st_size if stat.S_ISREG(status.st_mode) else 0
            if size > MOST_BYTES or many > MOST_FILES:
                raise UsageError(
                    f"--watch: {path} is one too many: at most {MOST_FILES:,} files of "
                    f"{MOST_BYTES >> 20} MiB in all are copied, and put back before each trial",
                    hint="watch a smaller folder, or a file in it",
                )
            if stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
                raise UsageError(f"--watch: {path} is neither a file, nor a folder, nor a link")
            copy = None
            if stat.S_ISREG(status.st_mode):
                copy = self.copies / str(many)
                self.copies.mkdir(0o700, parents=True, exist_ok=True)
                shutil.copy2(path, copy)
            self._entries[path] = _entry(path, copy)
        if self._entries:
            names = "".join(
                f"{each.copy.name}\t{path}\n" for path, each in self._entries.items() if each.copy
            )
            self.copies.mkdir(0o700, parents=True, exist_ok=True)
            (self.copies / "names").write_text(names, "utf-8", "surrogateescape")

    def put_back(self) -> None:
        """Make all of it as it was. JournalError, with where the copies are, if that fails."""
        try:
            for top in self._all:
                for path in reversed([*_below(top)]):
                    if path not in self._entries:
                        _remove(path)
            for path, entry in self._entries.items():
                self._entries[path] = _made_as(path, entry)
            for path, entry in reversed(self._entries.items()):  # a file changes its folder's time
                if stat.S_ISDIR(entry.mode):
                    os.utime(path, ns=(entry.mark[3], entry.mark[3]))
        except OSError as error:
            raise JournalError(
                f"{error.filename or 'what is watched'} cannot be put back: {error.strerror}; its "
                f"copy is in {self.copies}, by the number that the file `names` has for it",
                hint=f"cat {hints.quoted(self.copies / 'names')}",
                code="io",
            ) from None


def _refuse(typed: str, path: Path, apart: Sequence[Path]) -> None:
    """UsageError for a path that cannot be put back, or that durably itself is in."""
    if not typed:
        raise UsageError("--watch '' names nothing: is a variable of the shell empty?")
    if path in (Path("/"), Path.home()):
        raise UsageError(f"--watch {typed} is too much: name what the job is given")
    for folder in apart:
        if path == folder or folder in path.parents or path in folder.parents:
            raise UsageError(f"--watch {typed}: {folder} is durably's own, and must stay as it is")
    if not path.parent.is_dir():
        raise UsageError(f"--watch {typed}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise Forbidden(f"--watch {typed}: nothing can be put back in {path.parent}")


def _is_in_one_of(path: Path, others: Sequence[Path]) -> bool:
    return any(other in path.parents for other in others)


def _below(path: Path) -> Iterator[Path]:
    """A path and all that is in it, a folder before what is in it; nothing if it is not there."""
    if not os.path.lexists(path):
        return
    yield path
    if path.is_dir() and not path.is_symlink():
        for name in sorted(os.listdir(path)):
            yield from _below(path / name)


def _entry(path: Path, copy: Path | None) -> _Entry:
    status = path.lstat()
    link = os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
    owner = status.st_uid, status.st_gid
    return _Entry(status.st_mode, owner, _mark(status), link, copy)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    return status.st_ino, status.st_ctime_ns, status.st_size, status.st_mtime_ns


def _made_as(path: Path, entry: _Entry) -> _Entry:
    """Make a path as the entry says; the entry as it looks from now on."""
    there = path.lstat() if os.path.lexists(path) else None
    if there is not None and stat.S_IFMT(there.st_mode) != stat.S_IFMT(entry.mode):
        _remove(path)
        there = None
    if stat.S_ISDIR(entry.mode):
        if there is None:
            path.mkdir()
        _give_owner(path, entry)
        return entry
    if there is not None and _mark(there) == entry.mark:
        return entry
    if entry.copy is None:
        _remove(path)
        path.symlink_to(entry.link)
    elif there is not None and there.st_nlink > 1:
        shutil.copyfile(entry.copy, path)
        shutil.copystat(entry.copy, path)
    else:
        part = path.with_name(path.name + _PUT_BACK)
        shutil.copy2(entry.copy, part)
        _give_owner(part, entry)
        part.replace(path)
    return entry._replace(mark=_mark(path.lstat()))


def _give_owner(path: Path, entry: _Entry) -> None:
    status = path.stat()
    if (status.st_uid, status.st_gid) != entry.owner:
        with suppress(PermissionError):  # of a group that one has left
            os.chown(path, *entry.owner)
    if stat.S_IMODE(status.st_mode) != stat.S_IMODE(entry.mode):
        path.chmod(stat.S_IMODE(entry.mode))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
