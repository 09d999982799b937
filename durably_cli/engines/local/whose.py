"""Whose runs a store has: those of the user who made them. Other users have stores of their own."""

from __future__ import annotations

import os

from durably_cli import hints
from durably_cli.engines import who
from durably_cli.engines.local.store import Store
from durably_cli.system.files import user_name


def why_empty(store: Store) -> str:
    """What there is to add where a run is not found, if the store has none at all."""
    if next(store.run_ids(), None) is not None:
        return ""
    return f"; runs belong to the user who made them, and {who.user()} has none here{_of_owner()}"


def is_perhaps_of_others() -> bool:
    """May it be another user who made the runs: the project's owner, or the one who is root now?"""
    return bool(_of_owner()) or bool(os.environ.get("SUDO_USER"))


def _of_owner() -> str:
    """The project's owner, who may have some, and the command to look."""
    project = hints.project()
    try:
        owner = os.stat(project).st_uid if project else os.geteuid()
    except OSError:
        return ""
    if owner == os.geteuid():
        return ""
    name = user_name(owner)
    look = hints.command_anywhere(project, "list")
    return f"; the project is {name}'s: sudo -u {hints.quoted(name)} -H {look}"
