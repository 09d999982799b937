"""What a command that brings a run about, or goes on with it, ends up with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from durably_cli.engines.request import Disposition

if TYPE_CHECKING:
    from durably_cli.engines.run_view import RunView


class TriggerResult(NamedTuple):
    """The run a command ended up with. What came of it stands in its events.

    `look` shows a run that was executed here, once.
    """

    run_id: str
    disposition: Disposition
    executed: bool
    look: Callable[[], RunView] | None = None

    @property
    def is_resumed(self) -> bool:
        """Did somebody name this very run, and not its key?"""
        return self.disposition is Disposition.CREATED

    def view(self, look_at: Callable[[str], RunView]) -> RunView:
        """The run as it stands now; `look_at` shows those that others have executed."""
        return look_at(self.run_id) if self.look is None else self.look()
