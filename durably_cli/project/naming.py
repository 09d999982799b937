"""The name by which a project keeps its runs wherever its folder lies: DURABLY_NAME.

It is of the environment of whoever deploys. In a file of the project every clone would share it.
"""

from __future__ import annotations

import os
from pathlib import Path
from zlib import crc32

from durably_cli.errors import ConfigError
from durably_cli.project.script_files import is_script

NAME_VARIABLE = "DURABLY_NAME"

_LONGEST, _CUT = 246, 200
"""Of the bytes of a folder's name: what has room in a store's name, and what is taken of others."""

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
"""Safe in a folder's name, also where `Billing` and `billing` are one folder."""


def project_name(project: Path) -> str | None:
    """The project's name; None if it is known by its path, as a script always is.

    ConfigError if it is no valid name.
    """
    name = os.environ.get(NAME_VARIABLE)
    if not name or is_script(project):
        return None
    import re  # only where there is a name

    if not re.fullmatch(_NAME, name):
        raise ConfigError(
            f"{NAME_VARIABLE} is {name[:100]!a}, which is no name: 1 to 64 of a-z, 0-9, dot, "
            "hyphen and underscore, the first a letter or a digit",
            hint=f"for example {NAME_VARIABLE}={as_name(name)}",
        )
    return name


def store_name(project: Path) -> str:
    """What the store of an unnamed project is called: the last part of its path, and its crc32."""
    last = project.name or "root"
    if len(os.fsencode(last)) > _LONGEST:
        last = os.fsencode(last)[:_CUT].decode("utf-8", "ignore")
    return f"{last}-{crc32(os.fsencode(project)):08x}"


def as_name(text: str) -> str:
    """The nearest valid name to a text, such as a folder's name."""
    import re  # only for hints

    near = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64]
    return near or "my-project"
