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

        chosen = _of_platform(platformdirs.user_data_path("durably"), "XDG_DATA_HOME")
    return chosen


def cache_folder() -> Path:
    """The folder of what may be forgotten: DURABLY_CACHE_DIR, else the user's cache folder."""
    chosen = _chosen_folder(CACHE_VARIABLE)
    if chosen is None:
        import platformdirs  # asked only where the variable is not set

        chosen = _of_platform(platformdirs.user_cache_path("durably"), "XDG_CACHE_HOME")
    return chosen


def _chosen_folder(variable: str) -> Path | None:
    """The folder that an environment variable names. ConfigError if it is a relative one."""
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    return _from_root(Path(os.path.expanduser(chosen)), variable, chosen)


def _of_platform(folder: Path, variable: str) -> Path:
    """Its answer, which old platformdirs take from a relative variable: ConfigError."""
    return _from_root(folder, variable, os.environ.get(variable) or "not set")


def _from_root(folder: Path, variable: str, chosen: str) -> Path:
    if not folder.is_absolute():
        raise ConfigError(
            f"{variable} is {chosen}, which is another folder in every working directory",
            hint=f"give it a path from the root: {variable}={hints.quoted(folder.absolute())}",
        )
    return folder
