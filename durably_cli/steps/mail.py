"""What others send to a run: signals, one for each wait of a name, which have a number each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from durably_cli.values.strict_json import Json


class Sent(NamedTuple):
    """A signal to the run: its value, who has sent it, and when."""

    value: Json
    by: str
    at: str


class Unusable(NamedTuple):
    """What is in the place of a signal and is none, and why."""

    why: str


class Closed(NamedTuple):
    """The deadline was before any signal; since then none is taken."""

    at: str


Found: TypeAlias = Sent | Unusable | Closed


class Mail(Protocol):
    """The signals that were sent to a run. Of all who send one, and its deadline, one is first."""

    def find(self, name: str, number: int) -> Found | None:
        """The one of this name and number, if there is one."""

    def listens_for(self, name: str, number: int) -> Callable[[], bool]:
        """Says whether there may be one."""

    def refuse(self, name: str, number: int) -> None:
        """Take it away, so that another one may come."""

    def close(self, name: str, number: int, at: str) -> bool:
        """Let none come any more; False if there is one already."""


class NoMail:
    """That of a run that nobody can send anything to."""

    def find(self, name: str, number: int) -> Found | None:
        return None

    def listens_for(self, name: str, number: int) -> Callable[[], bool]:
        return lambda: False

    def refuse(self, name: str, number: int) -> None:
        pass

    def close(self, name: str, number: int, at: str) -> bool:
        return True
