"""Which failures of a run are carried: replayed as failures, because the handler lived on.

A resumed handler sees the failures that the handler before it lived on after, so that
`try: primary() except: fallback()`, killed anywhere, never does both. No event says whether a
handler has caught an exception, so the rules are such that they do no harm when they are wrong:

Rule 1. A failure is carried if another step of its scope was begun behind it in the same attempt.
        That of an item of a map is carried once the map has completed, or if that of the map is:
        which other items are begun says nothing of who has seen it.
Rule 2. When the run has failed, the steps that its exception came from are executed again.
Rule 3. If it came from no step, all of them are, but those during whose handling a step was begun
        that has completed: what stands in for them has happened.
Rule 4. A step that is begun again is no longer carried, nor one that is discarded.
Rule 5. A run that has stopped at a step which did not fail was cut short there: nobody knows if
        the step has happened, or its result cannot be replayed.

A failure of durably 0.1, which did not journal what was raised, is never carried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from durably_cli.journal.step_events import MapStarted, StepFailed, StepStarted
from durably_cli.journal.step_names import map_of, scope_of, scopes_of
from durably_cli.journal.wait_events import StepWaiting


class Failures:
    """What the events of a run so far say of its failed steps."""

    def __init__(self) -> None:
        self._starts = Counter[str | None]()
        """How many steps of each scope were begun in this attempt."""
        self._failed: dict[str, int] = {}
        """The failures of this attempt, and how many steps of its scope had been begun by then."""
        self._maps: dict[str, bool] = {}
        """The maps of which something has failed in this attempt, and whether they completed."""
        self._carried: dict[str, None] = {}
        self._handling: dict[str, list[str]] = {}
        """Steps that are begun while failures are handled, and these."""
        self._handled = set[str]()
        self.causes: list[str] = []
        """The failed steps that the run's last failure came from."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failures) and vars(self) == vars(other)

    @property
    def carried(self) -> list[str]:
        """The steps whose failures the next attempt replays, if this one has come to its end."""
        return list(self._carried | self._lived_on_after())

    def has_a_stand_in(self, name: str) -> bool:
        """Has a step completed that was begun while this failure was handled?"""
        return name in self._handled

    def started(self, event: StepStarted | MapStarted | StepWaiting) -> None:
        """A step is begun."""
        self._starts[scope_of(event.name)] += 1
        self.discarded(event.name)
        self._handling.pop(event.name, None)
        if event.name in self._maps:  # it goes on with what is left of it
            self._maps[event.name] = False
        if event.during:
            self._handling[event.name] = event.during

    def completed(self, name: str) -> None:
        """A step has completed."""
        self._handled.update(self._handling.pop(name, ()))
        if name in self._maps:
            self._maps[name] = True

    def failed(self, event: StepFailed) -> None:
        """A step has failed."""
        self._handling.pop(event.name, None)
        if event.raised:
            self._failed[event.name] = self._starts[scope_of(event.name)]
            for name in (event.name, *scopes_of(event.name)):
                if (of := map_of(name)) is not None:
                    self._maps[of] = False

    def discarded(self, name: str) -> None:
        """A failure counts no more."""
        self._failed.pop(name, None)
        self._carried.pop(name, None)

    def next_attempt(self) -> None:
        """The attempt has come to its end, and another one begins."""
        self._carried |= self._lived_on_after()
        self._failed, self._maps = {}, {}
        self._starts.clear()

    def carry_all(self) -> None:
        """The failures so far are of another run, which has ended: all of these are carried."""
        self._carried |= dict.fromkeys(self._failed)
        self._failed, self._maps = {}, {}

    def run_failed(self, steps: Sequence[str]) -> None:
        """The run has failed with an exception that came from these steps, the first one itself."""
        known = self._carried | self._failed
        has_failed = not steps or steps[0] in known
        self.causes = [step for step in steps if step in known] if has_failed else []
        self.next_attempt()
        for step in self.causes:
            self.discarded(step)
        if not steps:
            self._carried = {step: None for step in self._carried if step in self._handled}

    def _lived_on_after(self) -> dict[str, None]:
        return {name: None for name in self._failed if self._was_lived_on_after(name)}

    def _was_lived_on_after(self, name: str) -> bool:
        begun = self._failed.get(name)
        if begun is not None and map_of(name) is None and begun < self._starts[scope_of(name)]:
            return True
        for each in (name, *scopes_of(name)):
            of = map_of(each)
            if of is not None and (self._maps.get(of) or self._was_lived_on_after(of)):
                return True
        return False
