"""The engine of a project: the one place that knows which there are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli import hints
from durably_cli.engines.local.engine import LocalEngine
from durably_cli.errors import ConfigError, UsageError
from durably_cli.project import stores
from durably_cli.project.script_files import is_script
from durably_cli.project.settings import (
    DBOS,
    ENGINE_VARIABLE,
    LOCAL,
    Settings,
    engine_settings,
)
from durably_cli.quoting import quoted

if TYPE_CHECKING:
    from durably_cli.engines.dbos.engine import DbosEngine
    from durably_cli.engines.engine import Engine
    from durably_cli.engines.runs import Runs


def open_engine(project: Path) -> Engine:
    """The engine that executes the runs of a project. It raises what `open_store` does.

    ConfigError if it is dbos, and its URL, its name or what it is made of is missing.
    """
    return engine_of_workers(project) or LocalEngine(stores.open_store(project))


def engine_of(project: Path, name: str) -> Engine:
    """The engine of this name, whichever the project has. It raises the same."""
    if name == DBOS:
        return _dbos(project, engine_settings(project))
    return LocalEngine(stores.open_store(project))


def open_runs(project: Path) -> Runs:
    """The runs of a project, to be looked at."""
    return open_engine(project).runs


def engine_of_workers(project: Path) -> DbosEngine | None:
    """The engine dbos, if the project has that; nothing of it is loaded for others."""
    settings = engine_settings(project)
    return _dbos(project, settings) if engine_name(settings) == DBOS else None


def _dbos(project: Path, settings: Settings) -> DbosEngine:
    if is_script(project):
        hint = 'write engine = "local" there, or move its job into a project'
        raise ConfigError(
            f"a script has no workers, and {project} names the engine dbos", hint=hint
        )
    if not settings.name:
        hint = 'write name = "billing" below [tool.durably], or another name of it'
        what = f"the engine dbos knows the project by a name, and {project} has none"
        raise ConfigError(what, hint=hint)
    url = _url(project, settings)
    try:
        from durably_cli.engines.dbos.engine import DbosEngine  # loads psycopg
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] == "durably_cli":
            raise
        what = f"the engine dbos needs {error.name}, which is not installed"
        raise ConfigError(what, hint="pip install 'durably[dbos]'") from None
    return DbosEngine(url, settings.name)


def database_variable(project: Path) -> str:
    """The variable of the environment that has the URL; empty if a file has it."""
    kind, _, name = _place(engine_settings(project))
    return name if kind == "env" else ""


def require_engine_of_workers(project: Path, what: str) -> DbosEngine:
    """The same. UsageError, if the project has another engine: there is no `what` of it."""
    found = engine_of_workers(project)
    if found is None:
        hint = 'write engine = "dbos" below [tool.durably] of its pyproject.toml'
        raise UsageError(f"the engine of this project is local: {what} is of dbos", hint=hint)
    return found


def refuse_without_journals(project: Path, command: str) -> None:
    """UsageError if the runs of the project are in a database: the command is for journals."""
    if engine_name(engine_settings(project)) == DBOS:
        with hints.of_engine(LOCAL):
            local = hints.command(command, *hints.words_typed()[1:])
        raise UsageError(
            f"the runs of this project are in a database, and {command} is for journals",
            hint=f"{local}    (of the runs that are here)",
        )


def engine_name(settings: Settings) -> str:
    """Which engine it is, for this call. ConfigError if the environment names none."""
    name = os.environ.get(ENGINE_VARIABLE) or settings.engine
    if name not in (LOCAL, DBOS):
        what = f"{ENGINE_VARIABLE} is {name[:80]!a}, which is no engine"
        raise ConfigError(what, hint=f"{ENGINE_VARIABLE}={LOCAL}, or {DBOS}")
    return name


def _url(project: Path, settings: Settings) -> str:
    """ConfigError if the URL of the database is not where it should be."""
    kind, _, place = _place(settings)
    if kind == "env":
        url, missing = os.environ.get(place, ""), f"the environment has no {place}"
        hint = f"export {place}={_EXAMPLE}"
    else:
        file = project / Path(place).expanduser()
        hint = f"(umask 077; cat > {quoted(file)})    (and type the URL)"
        try:
            url, missing = file.read_text(encoding="utf-8"), f"{file} is empty"
        except (OSError, ValueError) as error:
            url, missing = "", f"{file} cannot be read: {getattr(error, 'strerror', error)}"
    if not url.strip():
        raise ConfigError(f"the URL of the database is not there: {missing}", hint=hint)
    return url.strip()


_EXAMPLE = "postgresql://user@host/database"


def _place(settings: Settings) -> tuple[str, str, str]:
    return settings.database_place.partition(":")
