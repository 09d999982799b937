"""Settings as they are shown: of a URL only its host, for the rest may be a secret."""

from __future__ import annotations

import logging
import os

from durably_cli.project.settings import DBOS, Settings
from durably_cli.render.without_secrets import without_paths
from durably_cli.values.durations import span


def as_shown(settings: Settings) -> dict[str, str | None]:
    """Every setting by its name; None of one that there is not."""
    level, keep = settings.capture_logging, settings.keep
    has_database = bool(settings.database) or settings.engine == DBOS
    return {
        "capture_logging": "off" if level is None else logging.getLevelName(level),
        "notify_failure": _of(settings.notify_failure),
        "notify_recovery": _of(settings.notify_recovery),
        "ping": ", ".join(_pings(settings)) or None,
        "keep": None if keep is None else span(keep),
        "keep_last": f"{settings.keep_last:,}" if settings.keep_last else None,
        "database": _of(settings.database_place) if has_database else None,
    }


def _pings(settings: Settings) -> list[str]:
    return [f"{job}{job and ': '}{_of(url)}" for job, url in settings.ping.items()]


def _of(given: str) -> str | None:
    """A command or a URL; of a variable it is said if it is not set here."""
    name = given.removeprefix("env:")
    if name != given and not os.environ.get(name):
        return f"{given}, which is not set here"
    return without_paths(given) or None
