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


def starter_of(script: Path, *, is_running: bool = False) -> list[str]:
    """The words that start a script: itself, by its first line; `uv run --script`; this Python.

    A first line that names a Python without durably starts nothing; of a script that is running,
    any Python but the one that runs it is passed over. uv makes the environment that a script asks
    for. ConfigError if a script asks for what is not installed here, and uv is not to be found.
    """
    head = first_line(script)
    has_starter = head.startswith("#!") and os.access(script, os.X_OK)
    is_for_uv = _names_uv(head) if has_starter else has_block(script)
    if has_starter:
        if shutil.which("uv") if is_for_uv else _has_durably(head, script, is_running=is_running):
            return [str(script)]
        is_for_uv = is_for_uv or has_block(script)
    if is_for_uv:
        uv = _uv()
        if uv is not None:
            return _by_uv(uv, script)
        if missing := list(missing_for(script)):
            raise ConfigError(
                f"{script} needs {', '.join(missing)}, which {sys.executable} does not have, and "
                "uv, which would install it, is not on PATH",
                hint=f"{pip_install()} uv",
            )
    return [sys.executable, str(script)]


def starter_anywhere(script: Path) -> list[str]:
    """The same, of the script that is running, with a PATH that has neither uv nor its Python."""
    starter = starter_of(script, is_running=True)
    is_for_uv = _names_uv(first_line(script)) or starter[1:2] == ["run"]
    uv = _uv() if is_for_uv else None
    return [sys.executable, str(script)] if uv is None else _by_uv(os.path.abspath(uv), script)


def _names_uv(head: str) -> bool:
    return bool(re.search(r"\buv\b", head))


def _by_uv(uv: str, script: Path) -> list[str]:
    return [uv, "run", "--quiet", "--script", str(script)]


def _has_durably(head: str, script: Path, *, is_running: bool) -> bool:
    """Can what a first line names start a script of durably? Only of a Python that is asked."""
    words = [word for word in head[2:].split() if not word.startswith("-")]
    if words and os.path.basename(words[0]) == "env":
        del words[0]
    name = words[0] if words else ""
    found = shutil.which(name) if re.fullmatch(_PYTHON, os.path.basename(name)) else None
    if found is None:
        return True
    here = os.path.dirname(sys.executable)
    if os.path.dirname(found) == here and os.path.samefile(found, sys.executable):
        return True
    return not is_running and _finds_durably(found, script.parent)


_PYTHON = r"python[0-9.]*"
_LOOK = "import sys; from importlib.util import find_spec; sys.exit(find_spec('durably') is None)"


def _finds_durably(python: str, folder: Path) -> bool:
    """Has that Python durably, for a script of that folder?"""
    import subprocess  # loads slowly, and few scripts name another Python

    try:
        asked = subprocess.run((python, "-c", _LOOK), cwd=folder, capture_output=True)
    except OSError:
        return False
    return asked.returncode == 0


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
