"""The user's own units of systemd: files in a folder, and `systemctl --user`."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from durably_cli.errors import ConfigError
from durably_cli.system.files import refuse_without_folder


def units_folder() -> Path:
    """Where the units of a user are."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    home = Path(config) if os.path.isabs(config) else Path.home() / ".config"
    return home / "systemd" / "user"


def read_units(names: list[str]) -> dict[str, str]:
    """What is in those of the files that are there."""
    found = dict[str, str]()
    for name in names:
        with suppress(FileNotFoundError):
            found[name] = (units_folder() / name).read_text("utf-8", "surrogateescape")
    return found


def refuse_without_systemd() -> None:
    """ConfigError if no systemd of this user can be asked."""
    _systemctl("show-environment")


def install_units(files: Mapping[str, str], begins: str) -> None:
    """Write the files, and have systemd begin that unit now and whenever it starts."""
    folder = units_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            new = folder / f".{name}.new"
            new.write_text(text, encoding="utf-8")
            new.replace(folder / name)
    except OSError as error:
        refuse_without_folder(error)
        raise
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", begins)
    if begins.endswith(".service"):  # which may be running as it was
        _systemctl("restart", begins)


def remove_units(names: list[str], begins: str) -> None:
    """Have systemd end that unit, and remove the files."""
    _systemctl("disable", "--now", begins)
    for name in names:
        (units_folder() / name).unlink(missing_ok=True)
    _systemctl("daemon-reload")


def starts_with_the_machine() -> bool:
    """Do the user's units begin when the machine does, and not only when the user logs in?"""
    return os.getuid() == 0 or Path("/var/lib/systemd/linger", getpass.getuser()).exists()


def _systemctl(*words: str) -> None:
    try:
        done = subprocess.run(("systemctl", "--user", *words), capture_output=True)
    except FileNotFoundError:
        raise ConfigError(
            "there is no program systemctl on PATH", hint="have cron do it: without --systemd"
        ) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        raise ConfigError(
            f"systemctl --user {' '.join(words)}: {said}",
            hint="a systemd of this user takes a session of its own: log in as this user, and not "
            "by su or sudo; or have cron do it: without --systemd",
        )
