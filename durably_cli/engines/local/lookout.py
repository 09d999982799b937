"""Finds the runs of a store that are to be taken up, at the cost of a look at those that are open.

What it remembers of a run that is not, it believes only as long as the journal, the inbox and the
boot are what they were, and only to pass the run over. In the user's cache folder:

    {"by": [version, boot], "days": {day: [stamp, [id, ...]]},
     "runs": {id: [stamp of the journal, of the inbox, until]}}

`days` has the runs that have not ended of a folder that has not changed since, `until` the time at
which a run has to be looked at again, whatever else happens; empty if no time helps.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from durably_cli.engines.local import cache, index
from durably_cli.engines.local.inbox import SUFFIX
from durably_cli.engines.local.stamps import Stamp, boot, is_settled, settled_stamp, stamp_of
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.engines.takeover import Why, verdict_on
from durably_cli.journal.wait_events import RUN
from durably_cli.system import clock, ids
from durably_cli.version import __version__


class ToTakeUp(NamedTuple):
    """A run to be taken up `since` then, that had so many attempts; the stamps of what that follows
    from.
    """

    run_id: str
    job: str
    why: Why
    since: str
    attempts: int
    stamps: tuple[Stamp, Stamp]


_Known = list[Any]
"""What is remembered of a run that is not to be taken up: the stamps of its journal and of its
inbox, and until when; as the cache has it, for there may be very many.
"""

_JOURNAL, _INBOX, _UNTIL = range(3)


class Lookout:
    """Looks at all runs of a store, again and again."""

    def __init__(self, store: Store) -> None:
        self.next_due = ""
        """When the first of the runs that wait for a time is to go on; empty if none does."""
        self._children: dict[str, str] = {}
        """The runs that nobody holds and that are a step of another one, which has the id."""
        self._store = store
        self._path = cache.of_store(store.root, "tick")
        self._by = [__version__, boot()]
        self._days, self._runs = self._remembered()
        self._written = (self._days, self._runs)

    def look(self) -> list[ToTakeUp]:
        """The runs to be taken up now, those that were to be so first in front."""
        found = list[ToTakeUp]()
        days, runs = self._days, self._runs
        self._days, self._runs, self.next_due = {}, {}, ""
        self._children, unended, now = {}, set[str](), clock.now()
        for day in reversed(self._store.days()):
            folder = f"{self._store.runs}{os.sep}{day}"
            stamp = settled_stamp(folder)
            known = days.get(day)
            is_known = bool(stamp) and known is not None and known[0] == stamp
            run_ids = known[1] if is_known and known else sorted(index.unended(self._store, day))
            still = list[str]()
            for run_id in run_ids:
                head, of_run = f"{folder}{os.sep}{run_id}", runs.get(run_id)
                if of_run and _is_as_it_was(of_run, head, now, no_new_inbox=is_known):
                    self._know(run_id, of_run)
                    still.append(run_id)
                elif self._is_open(run_id, head, found):
                    still.append(run_id)
            unended.update(still)
            if stamp:
                self._days[day] = (stamp, still)
        self._children = {run: of for run, of in self._children.items() if of not in unended}
        return sorted(found, key=lambda each: each.since)

    def end_left_over(self) -> None:
        """End for good what the last look found of runs whose parent has ended so.

        Who ended that one was killed before it came to them, and nobody would take them up.
        """
        for run_id, parent in self._children.items():
            view = self._store.look(parent) if ids.is_id(parent) else None
            if not isinstance(view, JournalView):  # of one that is gone nobody knows how it ended
                continue
            with view:
                status = view.state.status if view.state.is_final and not view.damage else None
            if status is not None:
                from durably_cli.engines.local.cancel import cancel_children  # few are left so

                reason = f"its parent, run {ids.short(parent)}, is {status}"
                cancel_children(self._store, [run_id], reason)

    def remember(self) -> None:
        """Write down what the last look found, unless that is written."""
        if self._written != (self._days, self._runs):
            content = {"by": self._by, "days": self._days, "runs": self._runs}
            cache.write_cache(self._path, content)
            self._written = (self._days, self._runs)

    def has_changed(self, found: ToTakeUp) -> bool:
        """Is what was found no longer so, or does a process hold the run?"""
        path = self._store.path_of(found.run_id)
        stamps = stamp_of(path), stamp_of(path.with_suffix(SUFFIX))
        return stamps != found.stamps or self._store.is_held(found.run_id)

    def _is_open(self, run_id: str, head: str, found: list[ToTakeUp]) -> bool:
        """Has the run not ended? If it is to be taken up, it is found."""
        stamps = stamp_of(f"{head}.jsonl"), stamp_of(head + SUFFIX)
        if not stamps[0]:
            return False
        if self._store.is_held(run_id) or os.path.lexists(f"{head}.imported"):
            return True
        view = self._store.look(run_id)
        if not isinstance(view, JournalView):
            return view is not None
        with view:
            return self._seen(view, stamps, found)

    def _seen(self, view: JournalView, stamps: tuple[Stamp, Stamp], found: list[ToTakeUp]) -> bool:
        state = view.state
        if view.held or view.damage:
            return True
        if state.has_ended:
            return False
        if state.created.parent:
            self._children[view.run_id] = state.created.parent
        why, until = verdict_on(view)
        if why is None:
            journal, inbox = stamps
            if is_settled(journal) and (not inbox or is_settled(inbox)) and _is_by_itself(view):
                self._know(view.run_id, [journal, inbox, until])
            else:
                self._note_due(until)
        elif self._has_its_turn(view):
            job, many = state.created.job, len(state.attempts)
            found.append(ToTakeUp(view.run_id, job, why, until or _changed(stamps), many, stamps))
        return True

    def _has_its_turn(self, view: JournalView) -> bool:
        """Is its concurrency key free, and its idempotency key no tombstone?"""
        created = view.state.created
        if created.concurrency_key is not None:
            from durably_cli.engines.local.turns import has_key  # few runs have one

            if has_key(self._store.root, created.concurrency_key) is not None:
                return False
        if created.idempotency_key is None:
            return True
        from durably_cli.engines.local.claims import Claims

        return not Claims(self._store.root).is_buried(created)

    def _know(self, run_id: str, known: _Known) -> None:
        self._runs[run_id] = known
        self._note_due(known[_UNTIL])

    def _note_due(self, until: str) -> None:
        if until and (not self.next_due or until < self.next_due):
            self.next_due = until

    def _remembered(self) -> tuple[dict[str, tuple[Stamp, list[str]]], dict[str, _Known]]:
        content: Any = cache.read_cache(self._path)
        try:
            if content["by"] == self._by:
                days = {
                    day: (list(each[0]), list(each[1])) for day, each in content["days"].items()
                }
                runs: dict[str, _Known] = content["runs"]
                if all(map(_is_known, runs.values())):
                    return days, runs
        except (TypeError, ValueError, KeyError, AttributeError, IndexError):
            pass
        return {}, {}


def _is_known(of_run: object) -> bool:
    return isinstance(of_run, list) and [type(each) for each in of_run] == [list, list, str]


def _is_as_it_was(known: _Known, head: str, now: str, *, no_new_inbox: bool) -> bool:
    """Is a run with files of this name not due, and are they as they were?

    With `no_new_inbox` none has been made since, for a folder that has one more tells.
    """
    until = known[_UNTIL]
    if until and now >= until:
        return False
    if stamp_of(f"{head}.jsonl") != known[_JOURNAL]:
        return False
    inbox = known[_INBOX]
    return (no_new_inbox and not inbox) or stamp_of(head + SUFFIX) == inbox


def _changed(stamps: tuple[Stamp, Stamp]) -> str:
    """When the last was written to a run, or sent to it."""
    return clock.format_time(clock.moment_at(max(int(stamp[3]) for stamp in stamps if stamp)))


def _is_by_itself(view: JournalView) -> bool:
    """Does it follow from its own files when it is to go on, and from no other run's?"""
    return not view.state.created.parent and all(
        wait.kind != RUN for wait in view.state.waits.values()
    )
