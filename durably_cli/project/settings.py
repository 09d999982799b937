"""`[tool.durably]` in a project's pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from durably_cli.errors import ConfigError

_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
"""The levels of the standard `logging`, which need not be imported for it."""

_NAME = "capture_logging"


def captured_level(project: Path) -> int | None:
    """From which level of `logging` on what jobs say is in the logs of their runs; None: nothing.

    ConfigError for a setting that is no such level.
    """
    path = project / "pyproject.toml"
    try:
        text = path.read_bytes()
    except OSError:
        return _LEVELS["WARNING"]
    if _NAME.encode() not in text:  # as in nearly all
        return _LEVELS["WARNING"]
    import tomllib  # rarely needed

    try:
        found = tomllib.loads(text.decode("utf-8")).get("tool", {}).get("durably", {})
        given = found.get(_NAME, "WARNING")
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    if given is False:
        return None
    level = _LEVELS.get(given.upper()) if isinstance(given, str) else None
    if level is None:
        raise ConfigError(
            f"{_NAME} in {path} is {given!r}, which is no level of logging",
            hint=f'write {_NAME} = "INFO", or another of {", ".join(_LEVELS)}, or false, below '
            "[tool.durably]",
        )
    return level
