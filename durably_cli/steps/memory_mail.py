"""The signals that a `Step()` in memory was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from durably_cli.errors import StepMisused
from durably_cli.steps.mail import Found, Sent
from durably_cli.steps.operation import Past
from durably_cli.system import clock


class MemoryMail:
    """Each is there from the beginning."""

    def __init__(self, signals: Mapping[str, object]) -> None:
        from durably_cli.values.own_output import as_validated  # pydantic's, for tests

        self._signals = {name: as_validated(value) for name, value in signals.items()}

    def find(self, name: str, number: int) -> Found | None:
        value = self._signals.get(name)
        return None if value is None else Sent(value, "the test", clock.now())

    def listens_for(self, name: str, number: int) -> Callable[[], bool]:
        return lambda: name in self._signals

    def refuse(self, name: str, number: int) -> None:
        raise StepMisused(f"the signal {name!r} that the test gives does not fit its type")

    def close(self, name: str, number: int, at: str) -> bool:
        return True


def with_signals(past: Past, signals: Mapping[str, object]) -> Past:
    """The same past, of a run that is sent these."""
    return past._replace(mail=MemoryMail(signals))
