"""Files that may be removed at any time: JSON documents in the user's cache folder.

What cannot be read is as good as not there, and what cannot be written is passed over. A document
is put in its place whole, so of any number of writers the last one's stands.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from zlib import crc32

from durably_cli.errors import DurablyError
from durably_cli.system import files, folders
from durably_cli.values.strict_json import to_json

_LONGEST = 180
"""Of the bytes of a store's name: what leaves room for its digest, and for a temporary name."""


def cache_file(store: str, kind: str) -> Path:
    """The cached file of that kind for the store of this name, however long it is.

    ConfigError if there is no cache folder.
    """
    name, _, digest = store.rpartition("-")
    short = os.fsencode(name)[:_LONGEST].decode("utf-8", "ignore")
    return folders.cache_folder() / f"{short}-{digest}.{kind}"


def of_store(root: Path, kind: str) -> Path:
    """The same for the store in this folder, for there may be several data folders."""
    place = crc32(os.fsencode(os.path.realpath(root)))
    return cache_file(f"{root.name}-{place:08x}", kind)


def read_cache(path: Path) -> Any:
    """The document; None if there is none, or what is there cannot be one."""
    try:
        with open(files.open_existing(path), "rb") as file:
            return json.loads(file.read())
    except (OSError, DurablyError, ValueError, RecursionError):
        return None


def write_cache(path: Path, content: Any) -> None:
    """Put a document in its place, if that can be done."""
    try:
        files.make_folder(path.parent)
        fd, temporary = files.create(path.parent, path.name)
        try:
            files.write_all(fd, to_json(content).encode("ascii"))
            os.rename(temporary, path)
        except OSError:
            os.unlink(temporary)
        finally:
            os.close(fd)
    except (OSError, DurablyError):  # the next one may have more luck
        pass
