"""What the waits for signals came to: folded alike by who sends one and by the run that takes it.

A wait is decided once: by the first signal, or by its deadline. So the signals of a name have
numbers, and one that was sent to a wait that is decided is never taken by a later one.
"""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli.journal.wait_events import SignalReceived


class Received:
    """By the names of signals, what decided each wait: a signal, or None, which is its deadline.

    The last decision of a name stands until it is discarded.
    """

    def __init__(self) -> None:
        self._decided: dict[str, list[SignalReceived | None]] = {}
        self._standing = dict[str, None]()

    def copy(self) -> Received:
        """The same, to be folded on without a change of this one."""
        copied = Received()
        copied._decided = {name: [*each] for name, each in self._decided.items()}
        copied._standing = {**self._standing}
        return copied

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Received)
            and self._decided == other._decided
            and self._standing == other._standing
        )

    __hash__ = None  # type: ignore[assignment]

    def get(self, name: str) -> SignalReceived | None:
        """The signal of this name that the run has, and that counts."""
        return self._decided[name][-1] if name in self._standing else None

    def standing(self) -> Iterator[SignalReceived]:
        """All of them."""
        return (found for name in self._standing if (found := self.get(name)) is not None)

    def is_decided(self, name: str) -> bool:
        """Is its last wait decided, by a signal or without one?"""
        return name in self._standing

    def is_over(self, name: str) -> bool:
        """Was its last wait over before any signal came?"""
        return name in self._standing and self._decided[name][-1] is None

    def number(self, name: str) -> int:
        """That of the signal which the run has, or would take."""
        many = len(self._decided.get(name, ()))
        return many if self.get(name) is None else many - 1

    def receive(self, event: SignalReceived) -> None:
        """The run has taken it."""
        self._decide(event.name, event)

    def end(self, name: str) -> None:
        """The wait has ended: by its deadline, if it has no signal."""
        if self.get(name) is None:
            self._decide(name, None)

    def discard(self, name: str) -> None:
        """What decided it counts no more."""
        self._standing.pop(name, None)

    def _decide(self, name: str, by: SignalReceived | None) -> None:
        self._decided.setdefault(str(name), []).append(by)
        self._standing[str(name)] = None
