"""The name by which a project keeps its runs wherever its folder lies: DURABLY_NAME.

It is of the environment of whoever deploys. In a file of the project every clone would share it.
"""

from __future__ import annotations

import os

from durably_cli.errors import ConfigError

NAME_VARIABLE = "DURABLY_NAME"

_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"
"""Safe in a folder's name, also where `Billing` and `billing` are one folder."""


def project_name() -> str | None:
    """The project's name; None if it is known by its path. ConfigError if it is no valid name."""
    name = os.environ.get(NAME_VARIABLE)
    if not name:
        return None
    import re  # only where there is a name

    if not re.fullmatch(_NAME, name):
        raise ConfigError(
            f"{NAME_VARIABLE} is {name[:100]!a}, which is no name: 1 to 64 of a-z, 0-9, dot, "
            "hyphen and underscore, the first a letter or a digit",
            hint=f"for example {NAME_VARIABLE}={as_name(name)}",
        )
    return name


def as_name(text: str) -> str:
    """The nearest valid name to a text, such as a folder's name."""
    import re  # only for hints

    near = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64]
    return near or "my-project"
