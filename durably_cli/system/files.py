"""Files and folders that survive a power cut, and are nobody else's.

A name is durable once its folder was synced, a file's bytes once the file was. So a folder is
synced into its parent before anything is put in it, also by whoever finds it new and empty; and a
file gets its name only when its bytes are on disk. Folders are 0700 and files 0600, whatever the
umask.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from durably_cli import hints
from durably_cli.errors import ConfigError, Forbidden


@contextmanager
def with_path(path: Path) -> Iterator[None]:
    """Let an error of the system say which file it was about, where only a descriptor was used."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync(fd: int) -> None:
    """Return once the file's bytes are on disk. Never to be called again after it raised."""
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)


def sync_folder(folder: Path) -> None:
    """Return once the folder's names are on disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Make a private folder, and those above it, durable in their parents.

    Others may make the same ones at the same time.
    """
    try:
        _make_one(folder)
    except FileNotFoundError:
        if not folder.parent.exists():  # else it was made just now, or nothing can be: in /proc
            make_folder(folder.parent)
        _make_one(folder)


def _make_one(folder: Path) -> None:
    try:
        os.mkdir(folder, 0o700)
        os.chmod(folder, 0o700)
    except FileExistsError:
        refuse_link(folder)
        with os.scandir(folder) as entries:
            if next(entries, None) is not None:
                return
    sync_folder(folder.parent)


def open_existing(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file: never through a link, never waiting on a FIFO.

    FileNotFoundError if there is none; Forbidden if it is something else.
    """
    refuse_link(path.parent)
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _not_plain(path) from None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_plain(path)
    return fd


def open_or_make(path: Path) -> int:
    """A descriptor of a private file that is made if need be, to be written in place.

    Forbidden as in `open_existing`, and if it has another name as well, elsewhere perhaps.
    """
    fd = open_existing(path, os.O_RDWR | os.O_CREAT)
    if os.fstat(fd).st_nlink > 1:
        os.close(fd)
        raise Forbidden(
            f"{path} has another name as well (a hard link, as cp -al and rsnapshot make them), "
            "and what is locked or written here would be there too",
            hint=_unlinking(path.parents[1]),
        )
    os.fchmod(fd, 0o600)
    return fd


def _unlinking(folder: Path) -> str:
    """What makes every file of a store one of its own, and keeps what was there."""
    aside = folder.with_name(f"{folder.name}.linked")
    return (
        f"mv {hints.quoted(folder)} {hints.quoted(aside)} && "
        f"cp -a {hints.quoted(aside)} {hints.quoted(folder)}    (makes all files of this store its "
        "own, while no run of it executes; data folders are copied with cp -a)"
    )


def refuse_link(folder: Path) -> None:
    """Forbidden if a link stands in the folder's place: it would lead out of the data folder."""
    if folder.is_symlink():
        raise Forbidden(
            f"{folder} is a link, and durably follows none inside of its data folder",
            hint="put the folder itself there, or point DURABLY_DATA_DIR to where the data is",
        )


def _not_plain(path: Path) -> Forbidden:
    return Forbidden(
        f"{path} is not a regular file (a link, a FIFO, a folder or a device)",
        hint="durably never opens those; move it out of the data folder",
    )


def create(folder: Path, name: str) -> tuple[int, Path]:
    """A new, empty, private file of a unique name that holds `name`: its descriptor and path.

    The folder is made if need be, and not synced: what is in it is not there to stay.
    """
    refuse_link(folder)
    path = folder / f"{name}.{os.urandom(8).hex()}.tmp"
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(folder, 0o700, exist_ok=True)
        os.chmod(folder, 0o700)
        fd = os.open(path, flags, 0o600)
    os.fchmod(fd, 0o600)
    return fd, path


def written(folder: Path, name: str, data: bytes) -> Path:
    """A new file as `create` makes it, with these bytes, on disk: its path.

    An error leaves none behind.
    """
    fd, path = create(folder, name)
    try:
        write_all(fd, data)
        sync(fd)
    except BaseException as error:
        os.unlink(path)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = os.fspath(folder)  # which says what the disk had no room for
        raise
    finally:
        os.close(fd)
    return path


def create_unnamed(folder: Path, name: str) -> tuple[int, Path | None]:
    """A new, empty file without a name in this folder, which goes if it is given none.

    Where the system has no such files, one with a temporary name that holds `name`: its path.
    """
    try:
        return os.open(folder, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600), None
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
    temporary = folder / f".{name}.{os.urandom(8).hex()}.tmp"
    return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), temporary


def give_name(fd: int, temporary: Path | None, target: Path) -> None:
    """Give the file of `create_unnamed` its name, durably. FileExistsError if that is taken."""
    if temporary is None:
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.link(f"/proc/self/fd/{fd}", target.name, dst_dir_fd=folder, follow_symlinks=True)
            os.fsync(folder)
        finally:
            os.close(folder)
    elif not publish(temporary, target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def publish(temporary: Path, target: Path) -> bool:
    """Give a synced file its name, durably; False (and the file is gone) if the name is taken."""
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    sync_folder(target.parent)
    return True


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file another name, or where that cannot be, a copy of it there, which is synced.

    A name that is taken is left as it is. Neither is durable before the folder is synced.
    """
    try:
        os.link(source, target, follow_symlinks=False)
        return
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
    with open(open_existing(source), "rb") as file:
        copied = written(target.parent, target.name, file.read())
    os.rename(copied, target)


def names(folder: Path) -> list[str]:
    """The names in a folder; none if it does not exist."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def remove_folder(folder: Path) -> None:
    """Remove a folder of our own making, which holds nothing but files and folders of files."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    folder.rmdir()


def write_all(fd: int, data: bytes) -> None:
    """Write it all, however short the kernel's single writes are."""
    while data:
        data = data[os.write(fd, data) :]


def check_private(folder: Path) -> None:
    """Forbidden if the folder is another user's, or others may write in it."""
    status = os.stat(folder)
    if not stat.S_ISDIR(status.st_mode):
        raise Forbidden(f"{folder} is not a folder", hint="set DURABLY_DATA_DIR to one of yours")
    if status.st_uid != os.geteuid():
        owner = user_name(status.st_uid)
        raise Forbidden(
            f"{folder} belongs to {owner}, and you are {user_name(os.geteuid())}",
            hint=f"act as that user, sudo -u {hints.quoted(owner)} -H, or set DURABLY_DATA_DIR to "
            "a folder of yours",
        )
    if status.st_mode & 0o022:
        raise Forbidden(
            f"{folder} can be written by others (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod go-w {hints.quoted(folder)}",
        )


def user_name(number: int) -> str:
    """The name of the user of this number, `#1000` if it has none: as `sudo -u` takes both."""
    import pwd  # rarely needed

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"


def working_directory() -> Path:
    """Where the process is. ConfigError if that is no longer there."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ConfigError(
            "the working directory no longer exists", hint="cd somewhere else"
        ) from None


def refuse_without_folder(error: OSError) -> None:
    """ConfigError if it is the error of a path in a working directory that is no longer there."""
    path = os.fsdecode(error.filename or "")
    if not os.path.isabs(path) and (path or isinstance(error, FileNotFoundError)):
        working_directory()
