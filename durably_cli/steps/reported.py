"""What earlier attempts have reported: a handler that is replayed reports it again, in vain."""

from __future__ import annotations

from durably_cli.journal.events import LogWritten, ProgressReported
from durably_cli.journal.registry import Event


class Reported:
    """Log lines of the handler, and progress, each as often as it was reported.

    Log lines of a step's function are not among them: they come again only if the step does.
    """

    def __init__(self) -> None:
        self._times: dict[int, int] = {}

    def add(self, event: LogWritten | ProgressReported) -> None:
        """It was reported once more, in an earlier attempt."""
        if _is_of_handler(event):
            key = _key(event)
            self._times[key] = self._times.get(key, 0) + 1

    def take(self, event: Event) -> bool:
        """Is this a report of before? It is so as many times as it was made."""
        if not self._times or not _is_of_handler(event):
            return False
        key = _key(event)
        times = self._times.get(key, 0)
        if times:
            self._times[key] = times - 1
        return times > 0


def _is_of_handler(event: Event) -> bool:
    return isinstance(event, ProgressReported) or (
        isinstance(event, LogWritten) and event.step is None
    )


def _key(event: Event) -> int:
    """What equal reports share, whenever they were made: a number, for there may be many."""
    if isinstance(event, ProgressReported):  # its message may say how long it has taken
        return hash((event.current, event.total))
    assert isinstance(event, LogWritten)
    return hash(repr(event._replace(at="", whole={})))
