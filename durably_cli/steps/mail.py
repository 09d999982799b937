"""What others send to a run: signals, one for each name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from durably_cli.values.strict_json import Json


class Sent(NamedTuple):
    """A signal to the run: its value, who has sent it, and when."""

    value: Json
    by: str
    at: str


class Mail(Protocol):
    """The signals that were sent to a run."""

    def find(self, name: str) -> Sent | None:
        """The one of this name, if there is one."""

    def listens_for(self, name: str) -> Callable[[], bool]:
        """Says whether there may be one."""

    def refuse(self, name: str) -> None:
        """Take the one of this name away, so that another one may come."""


class NoMail:
    """That of a run that nobody can send anything to."""

    def find(self, name: str) -> Sent | None:
        return None

    def listens_for(self, name: str) -> Callable[[], bool]:
        return lambda: False

    def refuse(self, name: str) -> None:
        pass
