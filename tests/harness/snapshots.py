"""All files below a folder, with what is in them, to see that nothing has changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def snapshot(*folders: Path, but: tuple[Path, ...] = ()) -> dict[str, tuple[int, bytes]]:
    """The mode and the bytes of every file and folder; the bytes of a folder are empty."""
    found = {}
    for folder in folders:
        for path in (folder, *sorted(folder.rglob("*"))):
            if not any(path == each or each in path.parents for each in but):
                mode = stat.S_IMODE(os.lstat(path).st_mode)
                found[str(path)] = (mode, path.read_bytes() if path.is_file() else b"")
    return found
