"""The files that a step's result vouches for: on disk before the step is acknowledged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from durably_cli.errors import ValueRefused
from durably_cli.system.files import sync, sync_folder
from durably_cli.values.file import File
from durably_cli.values.strict_json import printable


def sync_files(files: Iterable[File]) -> None:
    """Return once the files are on disk under their names. ValueRefused if one cannot be."""
    paths = {file.path.absolute() for file in files}
    names = paths | {Path(os.path.realpath(path)) for path in paths}  # links, and what they lead to
    for path in paths:
        with _refused(path):
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                sync(fd)
            finally:
                os.close(fd)
    for folder in {name.parent for name in names}:
        with _refused(folder), suppress(PermissionError):  # one may write there, and not list it
            sync_folder(folder)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        name = printable(str(path))
        raise ValueRefused("$", f"{name} cannot be brought to disk: {error.strerror}") from None
