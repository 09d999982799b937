"""Who writes into a journal: the names of this machine and of the user."""

from __future__ import annotations

import os

from durably_cli.values.strict_json import printable


def host() -> str:
    """This machine's name."""
    return printable(os.uname().nodename)


def user() -> str:
    """The user's name, or number if it has none."""
    import getpass  # only what a person asks for has it

    try:
        return printable(getpass.getuser())
    except (KeyError, OSError):
        return str(os.geteuid())
