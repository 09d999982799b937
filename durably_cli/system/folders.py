"""Where durably keeps its own files: the folder of data, and the one of what may be forgotten."""

from __future__ import annotations

import os
from pathlib import Path

from durably_cli import hints
from durably_cli.errors import ConfigError

DATA_VARIABLE = "DURABLY_DATA_DIR"
CACHE_VARIABLE = "DURABLY_CACHE_DIR"


def data_folder() -> Path:
    """The folder of all journals: DURABLY_DATA_DIR, else the user's data folder of the platform."""
    chosen = _chosen_folder(DATA_VARIABLE)
    if chosen is None:
        import platformdirs  # asked only where the variable is not set

        chosen = platformdirs.user_data_path("durably").absolute()
    return chosen


def cache_folder() -> Path:
    """The folder of what may be forgotten: DURABLY_CACHE_DIR, else the user's cache folder."""
    chosen = _chosen_folder(CACHE_VARIABLE)
    if chosen is None:
        import platformdirs  # asked only where the variable is not set

        chosen = platformdirs.user_cache_path("durably").absolute()
    return chosen


def _chosen_folder(variable: str) -> Path | None:
    """The folder that an environment variable names. ConfigError if it is a relative one."""
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    folder = Path(os.path.expanduser(chosen))
    if not folder.is_absolute():
        raise ConfigError(
            f"{variable} is {chosen}, which is another folder in every working directory",
            hint=f"give it a path from the root: {variable}={hints.quoted(folder.absolute())}",
        )
    return folder
