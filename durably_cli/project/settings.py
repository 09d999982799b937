"""`[tool.durably]` in a project's pyproject.toml, or in the block `# /// script` of a script."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.errors import ConfigError
from durably_cli.project.script_files import is_script

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
"""The levels of the standard `logging`, which need not be imported for it."""

_MAY_BE_THERE = re.compile(rb"^[ \t]*(?:\[[^\]\n]*|tool\b[^\n]*|[\"']?)durably\b", re.MULTILINE)
_CONTROL = r"[\x00-\x1f\x7f]"
_EMPTY = re.compile(rb"^\[tool\.durably\][ \t]*\n(?:[ \t]*(?:#[^\n]*)?\n)*(?=\[|\Z)", re.MULTILINE)
"""What a file has that may say something, and what says nothing: to read TOML takes 4 ms."""


LOCAL, DBOS = "local", "dbos"
"""The engines."""


class EngineName(StrEnum):
    """The engines, as a person names them."""

    LOCAL = LOCAL
    DBOS = DBOS


DATABASE_VARIABLE = "DURABLY_DATABASE_URL"
_OF_ENGINE = ("engine", "name", "database")
ENGINE_VARIABLE = "DURABLY_ENGINE"
"""Names the engine of this call, whatever the project has set."""


class Settings(NamedTuple):
    """What a project has set, or what holds where it has not."""

    capture_logging: int | None = _LEVELS["WARNING"]
    """From which level of `logging` on what jobs say is in the logs of their runs; None: nothing.
    """
    notify_failure: str = ""
    """The shell's line for a job that fails; empty: none. So is `notify_recovery`."""
    notify_recovery: str = ""
    ping: Mapping[str, str] = {}
    """The URLs to call as jobs begin and end, by their names; "" is that of all others."""
    keep: float | None = None
    """For how many seconds after their end runs stay."""
    keep_last: int = 0
    """How many of each job stay, however old they are."""
    engine: str = LOCAL
    """What executes the runs; `DBOS` is workers, and a database."""
    name: str = ""
    """What the machines of the engine dbos call the project; empty: it has none."""
    database: str = ""
    """Where the URL of its database is: `env:NAME` or `file:PATH`; empty: in DATABASE_VARIABLE."""

    @property
    def database_place(self) -> str:
        """Where that URL is, `database` or not."""
        return self.database or f"env:{DATABASE_VARIABLE}"

    @property
    def notifies(self) -> bool:
        """Is anybody to know when a job fails, or does so no more?"""
        return bool(self.notify_failure or self.notify_recovery)

    @property
    def retains(self) -> bool:
        """Are old runs removed?"""
        return self.keep is not None or self.keep_last > 0


class Given(NamedTuple):
    """What stands in a project's file, by its keys, and the settings that it makes."""

    place: str
    values: Mapping[str, Any]
    settings: Settings


def settings_of(project: Path) -> Settings:
    """Those of a project. ConfigError names the file, the key, and what may stand there."""
    return given_settings(project).settings


def given_settings(project: Path) -> Given:
    """The same with what was written; read once, as long as the file is as it was."""
    path, *version = _file_of(project)
    return _read(path, *version)


_MAY_NAME_ENGINE = re.compile(rb"^\W*engine\W*=", re.MULTILINE)


def engine_settings(project: Path) -> Settings:
    """Those of the engine, whatever else is wrong with the file: who only looks needs no more."""
    path, *version = _file_of(project)
    try:
        place, found = _table(path, *version)
    except ConfigError:
        if _MAY_NAME_ENGINE.search(path.read_bytes()):
            raise
        return Settings()
    return Settings(**{key: _value(key, found[key], place) for key in _OF_ENGINE if key in found})


def _file_of(project: Path) -> tuple[Path, int, int, int]:
    """The file, and by what it is seen that it was changed; zeros if there is none."""
    path = project if is_script(project) else project / "pyproject.toml"
    try:
        status = os.stat(path)
    except OSError:
        return path, 0, 0, 0
    return path, status.st_mtime_ns, status.st_size, status.st_ino


@lru_cache(maxsize=8)
def _read(path: Path, *version: int) -> Given:
    place, found = _table(path, *version)
    read = {key: _value(key, given, place) for key, given in found.items()}
    return Given(place, found, Settings(**read))


@lru_cache(maxsize=8)
def _table(path: Path, *_: int) -> tuple[str, dict[str, Any]]:
    """Where it stands, and what stands there."""
    place = f"{path}"
    if path.suffix == ".py":
        from durably_cli.project.script_source import block_of  # takes re and ast

        place = f"the block # /// script of {path}"
        try:
            text = (block_of(path) or "").encode()
        except OSError:
            return place, {}
    else:
        try:
            text = path.read_bytes()
        except OSError:
            return place, {}
    if not _MAY_BE_THERE.search(_EMPTY.sub(b"", text)):  # as in nearly all
        return place, {}
    import tomllib  # rarely needed

    try:
        tool = tomllib.loads(text.decode("utf-8")).get("tool", {})
        found = tool.get("durably", {}) if isinstance(tool, dict) else {}
    except ValueError as error:
        raise ConfigError(f"{place} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(
            f"tool.durably in {place} is {found!r:.80}, which is no table",
            hint='write its keys below a line [tool.durably], as keep = "90d"',
        )
    return place, found


class _Refused(Exception):
    """A value that a key does not take: what it is not, and what may be written."""


def _value(key: str, given: object, place: str) -> Any:
    if key not in _KEYS:
        import difflib  # only after a mistake

        near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5)
        raise ConfigError(
            f"{key} in {place} is no setting{f'; did you mean {near[0]}?' if near else ''}",
            hint=f"below [tool.durably] there may be {', '.join(_KEYS)}",
        )
    try:
        return _KEYS[key](given)
    except _Refused as refused:
        what, allowed = refused.args
        # What is refused may be a secret in the wrong place.
        shown = "what it is" if key in ("ping", "database") else f"{given!r:.80}"
        raise ConfigError(
            f"{key} in {place} is {shown}, which is {what}",
            hint=f"write {allowed}, below [tool.durably]",
        ) from None


def _level(given: object) -> int | None:
    if given is False:
        return None
    level = _LEVELS.get(given.upper()) if isinstance(given, str) else None
    if level is None:
        others = ", ".join(_LEVELS)
        allowed = f'capture_logging = "INFO", or another of {others}, or false'
        raise _Refused("no level of logging", allowed)
    return level


def _command(given: object) -> str:
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise _Refused("no command", 'a line for the shell, or "env:NAME" for a variable with one')
    return given.strip()


_URL = 'ping = "https://hc-ping.com/KEY/{job}", or "env:NAME" for a variable with the URL'


def _ping(given: object) -> dict[str, str]:
    if isinstance(given, dict) and given:
        return {job: _url(url) for job, url in given.items()}
    return {"": _url(given)}


def _url(given: object) -> str:
    if not isinstance(given, str):
        raise _Refused("neither a URL nor a table of one for each job", _URL)
    if not given.startswith("env:") and not is_web_address(given):
        raise _Refused("no URL of http or https", _URL)
    return given


def is_web_address(text: str) -> bool:
    """Is this a URL of http or https that names a host, without blanks?"""
    from urllib.parse import urlsplit  # few projects have any

    if not re.fullmatch(r"https?://[^\s/?#]+(?:[/?][^\s#]*)?", text) or re.search(_CONTROL, text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, a bracket that stays open
        return False


def of_variable(given: str) -> tuple[str, str]:
    """What a setting stands for, and what is missing: `env:NAME` is the value of a variable."""
    if not given.startswith("env:"):
        return given, ""
    name = given.removeprefix("env:")
    value = os.environ.get(name, "").strip()
    return value, "" if value else f"the environment has no {name}"


def _keep(given: object) -> float:
    from durably_cli.values.durations import seconds_in  # few projects have any

    try:
        has_unit = isinstance(given, str) and not given.strip().isdecimal()
        seconds = seconds_in(str(given)) if has_unit else 0.0
    except ValueError:
        seconds = 0.0
    if not seconds:
        raise _Refused("no span of time", 'keep = "90d", or another text such as "12h" or "8w"')
    return seconds


def _keep_last(given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise _Refused("no number of runs", "keep_last = 20, or another number from 1 on")
    return given


def _engine(given: object) -> str:
    if given not in (LOCAL, DBOS):
        raise _Refused("no engine", f'engine = "{DBOS}", or "{LOCAL}", which is the default')
    return str(given)


def _name(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", given):
        allowed = 'name = "billing": 1 to 64 of a-z, 0-9, hyphen and underscore'
        raise _Refused("no name", f"{allowed}, the first a letter or a digit")
    return given


def _database(given: object) -> str:
    """A place of the URL: the URL itself would be in each clone of the project."""
    if not isinstance(given, str) or not re.fullmatch(r"(env|file):\S.*", given):
        raise _Refused(
            "not where the URL is",
            'database = "env:PG_URL" for a variable with the URL, or "file:/run/secrets/pg" for a '
            "file",
        )
    return given


_KEYS: dict[str, Callable[[object], Any]] = {
    "capture_logging": _level,
    "notify_failure": _command,
    "notify_recovery": _command,
    "ping": _ping,
    "keep": _keep,
    "keep_last": _keep_last,
    "engine": _engine,
    "name": _name,
    "database": _database,
}
