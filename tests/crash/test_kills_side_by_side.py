"""SIGKILL at random moments of maps, of threads and tasks of a handler's own, resumed each time.

Nothing acknowledged is executed again, a kill costs no more than those in flight, and the results
are complete and right, whatever became of the lists meanwhile. How many kills the campaign makes is
DURABLY_KILLS, as for those of one step after the other.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.quick import sizes
from tests.harness.side_by_side import FORMS, SHAPES, Items, SideBySide

CAMPAIGN = int(os.environ.get("DURABLY_KILLS", "2000")) // 12
MOST_STEPS = 20
"""A process is killed behind so many steps that it executes, or fewer."""


def changed(items: Items, chance: random.Random) -> Items:
    """Some items are gone, new ones are there, and they stand in another order."""
    return Items({of: chance.sample(range(16), chance.randrange(8, 15)) for of in items})


def kill_and_resume(bench: SideBySide, key: str, chance: random.Random, *, changes: bool) -> int:
    """Bring a run to its end, killed again and again; how often it was."""
    bench.begin_again()
    bench.ask_for(Items.of(12))
    kills = 0
    while True:
        if changes and chance.random() < 0.7:
            bench.ask_for(changed(bench.items, chance))
        enough = bench.executions() + chance.randrange(MOST_STEPS)
        with bench.project.start(*bench.begin(key)) as process:
            while bench.executions() < enough and not process.has_ended(0.001):
                pass
            process.has_ended(chance.uniform(0, 0.004))
            is_killed = process.is_killed()
            result = process.result()
        bench.enter(result)
        if not is_killed:
            bench.check_output(result)
            return kills
        kills += 1


def kill(root: Path, form: str, shape: str, kills: int, *, changes: bool = False) -> int:
    """So many kills or a few more, and after them all runs have come to their ends."""
    bench, seed, done, runs = SideBySide(root, form, shape), time.time_ns(), 0, 0
    print(f"seed {seed}")
    chance = random.Random(seed)
    while done < kills:
        done += kill_and_resume(bench, f"{runs}", chance, changes=changes)
        runs += 1
    found = bench.project.runs()
    assert len(found) == runs
    assert {run["status"] for run in found} == {"completed"}
    bench.project.run("verify")
    return done


@pytest.mark.parametrize("kills", sizes(8, CAMPAIGN))
@pytest.mark.parametrize("form", FORMS)
def test_a_map_that_is_killed_executes_no_acknowledged_item_again(
    form: str, kills: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(kill(tmp_path, form, "map", kills))


@pytest.mark.long
@pytest.mark.parametrize("kills", sizes(8, CAMPAIGN))
@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("form", FORMS)
def test_steps_of_items_and_of_threads_and_tasks_of_the_handlers_own(
    form: str, shape: str, kills: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(kill(tmp_path, form, shape, kills))


@pytest.mark.long
@pytest.mark.parametrize("kills", sizes(8, CAMPAIGN))
@pytest.mark.parametrize("shape", SHAPES[:2])
@pytest.mark.parametrize("form", FORMS)
def test_lists_that_change_between_the_attempts(
    form: str, shape: str, kills: int, tmp_path: Path, count: Callable[[int], None]
) -> None:
    count(kill(tmp_path, form, shape, kills, changes=True))
