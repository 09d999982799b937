"""What there is to say of an output that is None: it may be a step's, which a resume replays."""

from __future__ import annotations

from collections.abc import Callable

from durably_cli.engines.run_view import RunView
from durably_cli.errors import ValueRefused
from durably_cli.journal.step_events import StepCompleted

_NAMED = 3


def note_on_none(error: BaseException, look: Callable[[], RunView]) -> None:
    """Note on the refusal of a None which steps of the run have returned one too."""
    if not isinstance(error, ValueRefused) or not error.is_none_as_output:
        return
    with look() as view:
        completed = (each for each in view.events() if isinstance(each, StepCompleted))
        names = [each.name for each in completed if each.result == "null"]
    if names:
        last = ", ".join(names[-_NAMED:])
        of = f"step {last} has" if len(names) == 1 else f"steps {last} have"
        error.add_note(
            f"{of} returned None, which is on disk, and which a resume hands back: if the output "
            "comes from there, mend the step's function and trigger a new run"
        )
