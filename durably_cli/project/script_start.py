"""Starting a script: the process of a command becomes its process, where `main` takes over."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from durably_cli.errors import ConfigError
from durably_cli.project.missing_modules import pip_install
from durably_cli.project.script_files import gone
from durably_cli.project.script_source import (
    first_line,
    has_block,
    missing_for,
    refuse_without_job,
)


def starter_of(script: Path) -> list[str]:
    """The words that start a script: itself, by its first line; `uv run --script`; this Python.

    uv makes the environment that a script asks for. ConfigError if a script asks for what is not
    installed here, and uv is not to be found.
    """
    head = first_line(script)
    is_executable = head.startswith("#!") and os.access(script, os.X_OK)
    is_for_uv = bool(re.search(r"\buv\b", head)) if is_executable else has_block(script)
    if is_executable and (not is_for_uv or shutil.which("uv")):
        return [str(script)]
    if is_for_uv:
        uv = _uv()
        if uv is not None:
            return [uv, "run", "--quiet", "--script", str(script)]
        if missing := list(missing_for(script)):
            raise ConfigError(
                f"{script} needs {', '.join(missing)}, which {sys.executable} does not have, and "
                "uv, which would install it, is not on PATH",
                hint=f"{pip_install()} uv",
            )
    return [sys.executable, str(script)]


def starter_anywhere(script: Path) -> list[str]:
    """The same with a PATH that has neither uv nor the Python of an environment, as cron's."""
    uv = _uv() if has_block(script) or re.search(r"\buv\b", first_line(script)) else None
    if uv is not None:
        return [os.path.abspath(uv), "run", "--quiet", "--script", str(script)]
    return [sys.executable, str(script)]


def _uv() -> str | None:
    """Where uv is: on PATH, or what has started this process."""
    given = os.environ.get("UV", "")
    return shutil.which("uv") or (given if os.access(given, os.X_OK) else None)


def start(script: Path, words: Sequence[str]) -> NoReturn:
    """Become the process of a script, with these words behind its name.

    ConfigError if it is gone, has no job, or cannot be started.
    """
    if not script.is_file():
        raise gone(script)
    refuse_without_job(script)
    starter = starter_of(script)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execv(starter[0], [*starter, *words])
    except OSError as error:
        raise ConfigError(
            f"{script} cannot be started by its first line, {first_line(script)}: {error.strerror}"
        ) from None
