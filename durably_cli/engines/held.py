"""What an engine gives of a run that it executes, so that an attempt needs to know no engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from durably_cli.journal.events import LogWritten
from durably_cli.journal.log import Log
from durably_cli.journal.registry import Event
from durably_cli.steps.mail import Mail
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.engines.live_run import LiveRun, Watcher
    from durably_cli.engines.run_view import CancelRequest, RunView
    from durably_cli.steps.child_run import Execute
    from durably_cli.steps.step import Step


class Written(Protocol):
    """What was written of a run before, and what has no room in its events."""

    @property
    def mail(self) -> Mail:
        """The signals that were sent to it."""

    def events(self) -> Iterator[Event]:
        """Its events again, from the first on."""

    def result(self, found: Json) -> Json:
        """What a result in an event stands for. BlobDamaged if that cannot be read."""

    def whole_log(self, log: LogWritten) -> LogWritten:
        """The line as it was logged; if all of it is lost, as the event has it."""


class Held(Protocol):
    """A run that this process holds, for an attempt of it."""

    @property
    def log(self) -> Log:
        """Where its events go."""

    @property
    def mail(self) -> Mail:
        """The signals that are sent to it."""

    @property
    def programs(self) -> Path | None:
        """The folder of what programs that it starts print."""

    @property
    def end(self) -> object:
        """Where the next event will stand: another value behind each that was written."""

    def begin(self) -> None:
        """The attempt begins: from here on `last_look` is to work, whatever a step gives up."""

    def let_go(self) -> None:
        """Nobody is to look; twice does no harm."""

    def look(self) -> RunView:
        """The run as it is now, with what this process has written."""

    def last_look(self) -> RunView:
        """The same once the attempt is over, and once only."""

    def cancel_request(self) -> CancelRequest | None:
        """Who has asked it to end."""

    def clear_requests(self) -> None:
        """It has ended for good: nobody asks any more."""

    def children(self, run: LiveRun, step: Step, watcher: Watcher) -> Execute:
        """What executes the runs that are steps of it."""

    def cancel_children(self, run_ids: Iterable[str], reason: str | None) -> None:
        """End these runs for good, which are steps of it."""
