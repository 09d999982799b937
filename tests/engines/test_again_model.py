"""A chain of steps that is changed, redone and killed at random ends as a fresh run does."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.journal.step_state import StepStatus, step_states
from durably_cli.steps.step import Step
from tests.harness.attempts import Trial, World
from tests.harness.quick import sizes

MODULUS = 3
"""Results are so small that another input often gives an equal one."""


class Round(NamedTuple):
    """Inputs that change, steps that are redone besides, and the event behind which it is killed.

    0 is no event: it is not killed.
    """

    changes: dict[int, int]
    redo: frozenset[int]
    kill_after: int


class Story(NamedTuple):
    """What each step uses of those before it, what there is at first, and what happens then."""

    uses: list[list[int]]
    inputs: list[int]
    kill_after: int
    rounds: list[Round]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    size = draw(st.integers(3, 6))
    places, values = st.integers(0, size - 1), st.integers(0, 5)
    kills = st.just(0) | st.integers(1, 2 * size + 6)
    uses = [
        draw(st.just(list(range(n))) | st.lists(st.integers(0, n - 1), unique=True, min_size=1))
        for n in range(1, size)
    ]
    changes = st.dictionaries(places, values, min_size=1, max_size=2)
    rounds = st.builds(Round, changes, st.frozensets(places, max_size=2), kills)
    inputs = draw(st.lists(values, min_size=size, max_size=size))
    return Story([[], *uses], inputs, draw(kills), draw(st.lists(rounds, min_size=1, max_size=4)))


class Chain:
    """The handler, and the files that it reads and writes."""

    def __init__(self, folder: Path, uses: list[list[int]]) -> None:
        self._folder, self._uses = folder, uses
        self.output = folder / "output"

    def set(self, number: int, value: int) -> None:
        """What a step reads from now on."""
        (self._folder / f"input-{number}").write_text(str(value))

    def call(self, step: Step, world: World) -> None:
        found = list[int]()
        for number, uses in enumerate(self._uses):
            given = [found[each] for each in uses]
            found.append(step.run(f"s{number}", self._do, number, given, world))
        if not world.is_mended:
            raise ValueError("not yet")
        self.output.write_text(repr(found))

    def _do(self, number: int, given: list[int], world: World) -> int:
        world.do(f"s{number}")
        return self._result(number, given)

    def _result(self, number: int, given: list[int]) -> int:
        mine = int((self._folder / f"input-{number}").read_text())
        return (mine + sum(given)) % MODULUS

    def fresh(self) -> str:
        """What a run gives that begins now."""
        found = list[int]()
        for number, uses in enumerate(self._uses):
            found.append(self._result(number, [found[each] for each in uses]))
        return repr(found)


def played(story: Story, folder: Path) -> None:
    chain = Chain(folder, story.uses)
    for number, value in enumerate(story.inputs):
        chain.set(number, value)
    trial = Trial(chain.call, folder / "store")
    trial.begin(story.kill_after)
    due = set[int]()
    for round in [*story.rounds, Round({}, frozenset(), 0)]:
        for number, value in round.changes.items():
            chain.set(number, value)
        due |= {*round.changes} | round.redo
        if resumed(trial, due, round.kill_after):
            due = set()
    trial.world.mend()
    trial.resume()
    assert trial.status is Status.COMPLETED
    assert chain.output.read_text() == chain.fresh()


def resumed(trial: Trial, due: set[int], kill_after: int) -> bool:
    """Resume with those redone that have begun; False if it was killed."""
    begun, with_result = known(trial)
    redo = due & begun
    open_ = [*redo, *(number for number in range(7) if number not in with_result)]
    before = len(trial.world.effects)
    is_through = trial.resume(kill_after, tuple(f"s{number}" for number in sorted(redo)))
    executed = [int(name[1:]) for name in trial.world.effects[before:]]
    assert all(number >= min(open_) for number in executed), "a step before the redone ones"
    assert len(executed) == len({*executed}), "twice in one attempt"
    if is_through:
        assert redo <= {*executed}
    return is_through


def known(trial: Trial) -> tuple[set[int], set[int]]:
    """The steps that have begun once, and those that have a result which counts."""
    with trial.view() as view:
        events = list(view.events())
        states = step_states(iter(events), view.state.unfinished, view.state.discarded)
        done = {int(each.name[1:]) for each in states if each.status is StepStatus.COMPLETED}
    begun = {int(each.name[1:]) for each in events if isinstance(each, StepStarted | StepCompleted)}
    return begun, done


@pytest.mark.parametrize("most", sizes(12, 600))
def test_whatever_is_changed_redone_and_killed_it_ends_as_a_fresh_run(most: int) -> None:
    @settings(max_examples=most, derandomize=True, database=None)
    @given(stories())
    def tried(story: Story) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "store").mkdir()
            played(story, Path(folder))

    tried()
