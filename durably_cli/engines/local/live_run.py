"""A run that this process owns, and what is to be executed of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from durably_cli.engines.local.decisions import Decision
from durably_cli.engines.local.inbox import Inbox
from durably_cli.engines.local.own_journal import OwnJournal
from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.stopper import Stopper
from durably_cli.engines.local.view import RunView
from durably_cli.journal.masking import NO_SECRETS, Secrets
from durably_cli.journal.raised import is_exact
from durably_cli.journal.registry import Event
from durably_cli.journal.state import RunState
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.journal.writer import Journal
from durably_cli.steps.operation import Past, fresh_past
from durably_cli.steps.step import Step
from durably_cli.steps.stop import Stop
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class BoundHandler(NamedTuple):
    """What to execute: a handler with its input bound, the sha256 of its code, known secrets.

    `unread` are fields of the input that the job's model passes over, `timeout` the seconds that an
    attempt may take, and `on_failure` is called when one has failed. `project` is the folder of the
    project that the code is of. An async handler is given an `AsyncStep`.
    """

    call: Callable[[Step], Json]
    source: str | None
    secrets: Secrets = NO_SECRETS
    unread: Sequence[Unread] = ()
    timeout: float | None = None
    on_failure: Callable[[RunView], object] | None = None
    project: str = ""
    is_async: bool = False


class Watcher(Protocol):
    """Sees a run execute, to show it; it must not raise."""

    def recorded(self, event: Event, /) -> None:
        """An event was added to the journal."""

    def replayed(self, name: str) -> None:
        """A step's journalled result was handed back."""

    def child_waits(self, child: str, run: LiveRun, event: StepWaiting | None, /) -> None:
        """A step of a run waits that is the step `child` of this one, or of one below that.

        Without an event that run begins an attempt: it may have waited before.
        """


class LiveRun:
    """A run this process owns: its journal, what that held, and what it had of the steps.

    `dropped` is the size of the torn tail that was left behind, `saved_as` the file that still has
    it, `secrets` what is to be masked in all that is shown of it, `decisions` what
    somebody has decided of its steps, to be journalled, `own` the journal to be read once it was
    executed, `unread` the fields of the input that the job's model passes over.
    """

    def __init__(
        self,
        journal: Journal,
        state: RunState,
        past: Past | None = None,
        dropped: int = 0,
        saved_as: str | None = None,
        secrets: Secrets = NO_SECRETS,
        decisions: Sequence[Decision] = (),
        unread: Sequence[Unread] = (),
    ) -> None:
        self.journal, self.state = journal, state
        self.past = past or fresh_past({})._replace(mail=SignalsSent(journal.path))
        self.carried = {name: is_exact(each) for name, each in self.past.failures.items()}
        """The steps whose failures are carried, and whether the same exception is raised again."""
        self.decisions = decisions
        self.dropped, self.saved_as, self.secrets = dropped, saved_as, secrets
        self.own: OwnJournal | None = None
        self.has_begun = False
        """Is the beginning of this process's attempt in the journal?"""
        self.has_failed: BoundHandler | None = None
        """What was executed here, if that has failed."""
        self.unread = unread
        self.jobs: tuple[str, ...] = (state.created.job,)
        """Its job, behind those of the runs above it that it is a step of."""
        self.too_deep = ""
        """What a run far below it was refused for, if it was."""
        self.stop = Stop()
        self.inbox = Inbox(journal.path)
        self.stopper = Stopper(self.stop, self.inbox)

    @property
    def is_stopped(self) -> bool:
        """Was it stopped from outside, so that nothing of it is to go on?"""
        return self.stop.cause is not None

    @property
    def children(self) -> set[str]:
        """The runs that are a step of it and gave no result, in this attempt or in one before."""
        begun = (wait.child for wait in [*self.past.waits.values()] if wait.child)
        return {*self.state.open_children, *begun}

    @property
    def run_id(self) -> str:
        return self.state.created.run
