"""The files that a step's result vouches for.

They are on disk before the step is acknowledged, and looked at when its result is replayed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from durably_cli.errors import FileChanged, ValueRefused
from durably_cli.journal.step_events import StepDiscarded
from durably_cli.steps.operation import Past
from durably_cli.system import clock
from durably_cli.system.files import sync, sync_folder
from durably_cli.values.file import File, change_of
from durably_cli.values.named_files import files_named_in, result_sha256
from durably_cli.values.strict_json import Json, printable


def discarded_for_files(name: str, result: Json, past: Past) -> StepDiscarded | None:
    """What is journalled of a result, one of whose files is gone or changed; None if none is.

    FileChanged if that is to fail.
    """
    for file in files_named_in(result):
        why = change_of(file)
        if why is not None and file.changed == "fail":
            raise FileChanged(
                f"step {name!r} vouches for a file that is not what it was: {why}; put it back, or "
                "have the step executed again"
            )
        if why is not None:
            ms = past.order.milliseconds(name)
            return StepDiscarded(name, "", clock.now(), result_sha256(result), ms, why=why)
    return None


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
