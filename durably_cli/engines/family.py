"""The runs that are steps of a run, and the run of which it is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from durably_cli.engines.run_view import RunView, Unreadable
from durably_cli.journal.wait_events import RUN
from durably_cli.system import ids

Look = Callable[[str], RunView | Unreadable | None]
"""Gives a run as it is now; None if there is none."""


class ChildOf(NamedTuple):
    """A child run as it is now, with the step that it is and how deep it stands below the run."""

    step: str
    run_id: str
    depth: int
    view: RunView | Unreadable | None


def children_of(
    view: RunView, *, open_only: bool = False, depth: int = 1, seen: frozenset[str] = frozenset()
) -> Iterator[ChildOf]:
    """Its children, and theirs behind each; each view is closed when the next is asked for.

    With `open_only`, those that a step waits for.
    """
    children = view.state.children
    seen |= {view.run_id}
    if open_only:
        waits = view.state.waits.values()
        children = {wait.name: wait.child for wait in waits if wait.kind == RUN}
    for step, run_id in children.items():
        found = view.look_beside(run_id) if ids.is_id(run_id) and run_id not in seen else None
        if not isinstance(found, RunView):
            yield ChildOf(step, run_id, depth, found)
            continue
        with found:
            yield ChildOf(step, run_id, depth, found)
            yield from children_of(found, open_only=open_only, depth=depth + 1, seen=seen)


def head_of(look: Look, run_id: str) -> str:
    """The run above it that is no step of another one; itself, if it is none."""
    head, seen = run_id, set[str]()
    while ids.is_id(run_id) and run_id not in seen:
        seen.add(run_id)
        found = look(run_id)
        if not isinstance(found, RunView):
            break
        with found:
            head, run_id = run_id, found.state.created.parent
    return head


def children_got_further_at(view: RunView) -> str:
    """When the last attempt began of a child that completed a step of that child; empty if none.

    Of those that a step waits for: the others have given their run a result, or none.
    """
    children = (child.view for child in children_of(view, open_only=True))
    return max((of.state.got_further_at for of in children if isinstance(of, RunView)), default="")


def do_children_wait(view: RunView) -> bool:
    """Does each child wait that a step of this run waits for?

    Where no process holds the run, one that goes on elsewhere, or has ended, is waited for, too.
    """
    return all(
        _is_waited_for(child.view, is_held=view.held) for child in children_of(view, open_only=True)
    )


def _is_waited_for(child: RunView | Unreadable | None, *, is_held: bool) -> bool:
    if not isinstance(child, RunView):
        return False
    return child.state.is_waiting or (not is_held and (child.goes_on or child.state.has_ended))
