"""Runs that are made, taken up, crashed, damaged, repaired and removed in any order.

A model has the lines that were written and how many were acknowledged; whatever was done to the
files, the store must say the same.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from durably_cli.cli.commands import verify
from durably_cli.engines.local import check, remove, repair
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.journal_files import JournalFiles
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.engines.past import gather, past_of
from durably_cli.errors import Busy, JournalDamaged, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.events import (
    FORMAT,
    LogWritten,
    RunCancelled,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.harness.modelled import SECTOR, Run
from tests.harness.sample_journals import AT, ERROR

RESULTS = ("1", '{"a":[1.5,null]}', f'"{"x" * 700}"', '{"$blob":"x"}')
ENDS = (
    RunCompleted(Json('"done"'), AT),
    RunHasFailed(ERROR, AT, "s0"),
    RunCancelled(AT, "why not"),
)
which = st.integers(0, 63)


def is_held(run: Run) -> bool:
    return not run.is_free


def is_whole_and_free(run: Run) -> bool:
    return run.is_free and run.flipped is None


def is_flipped(run: Run) -> bool:
    return run.flipped is not None


def is_unfinished(run: Run) -> bool:
    return run.is_free and run.status in (Status.INTERRUPTED, Status.FAILED)


def of(fits: Callable[[Run], bool], **given: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A rule for one of the runs that fit, if there is one."""

    def decorate(act: Callable[..., None]) -> Any:
        def of_one(machine: Runs, number: int, **drawn: Any) -> None:
            fitting = [run for run in machine.runs if fits(run)]
            Runs.executed += 1
            act(machine, fitting[number % len(fitting)], **drawn)

        of_one.__name__ = act.__name__
        wanted = precondition(lambda machine: any(map(fits, machine.runs)))
        return wanted(rule(number=which, **given)(of_one))

    return decorate


class Runs(RuleBasedStateMachine):
    """A store and the model of it."""

    executed = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="runs-"))
        self.store, self.claims = Store(self.folder), Claims(self.folder)
        self.runs: list[Run] = []
        self.removed: list[Run] = []

    def teardown(self) -> None:
        for run in filter(is_held, self.runs):
            run.let_go()
        shutil.rmtree(self.folder)

    @precondition(lambda self: len(self.runs) < 6)
    @rule(has_key=st.booleans())
    def create(self, has_key: bool) -> None:
        run_id = ids.new()
        key = run_id if has_key else None
        if key:
            assert self.claims.make("job", key, Claim(run_id, "0" * 64))
        event = RunCreated(FORMAT, run_id, "job", Json("{}"), AT, idempotency_key=key)
        made = self.store.create(event)
        assert made is not None
        self.runs.append(Run(self.store.path_of(run_id), key, made))
        self.runs[-1].append(RunStarted(1, 1, "host", AT))

    @of(is_held, result=st.sampled_from(RESULTS), how=st.integers(0, 3))
    def take_a_step(self, run: Run, result: str, how: int) -> None:
        name = f"s{len(run.lines)}"
        run.append(StepStarted(name, AT))
        if how == 1:
            run.append(StepFailed(name, 1, ERROR, AT))
        elif how > 1:
            run.results[name] = result
            run.append(StepCompleted(name, 1, Json(result), AT))

    @of(is_held, size=st.integers(0, 900), times=st.integers(1, 5))
    def log(self, run: Run, size: int, times: int) -> None:
        for _ in range(times):
            run.append(LogWritten("info", "x" * size, AT))

    @of(is_held, end=st.sampled_from(ENDS))
    def end(self, run: Run, end: Event) -> None:
        run.append(end)
        run.let_go()

    @of(
        is_held,
        place=st.floats(0, 1, exclude_max=True),
        zeros=st.just(0) | st.integers(1, 3 * SECTOR),
    )
    def crash(self, run: Run, place: float, zeros: int) -> None:
        run.crash(place, zeros)

    @of(is_whole_and_free, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip_a_bit(self, run: Run, place: float, bit: int) -> None:
        run.flip(place, bit)

    @of(is_unfinished)
    def take_over(self, run: Run) -> None:
        with closing(ownership.hold(run.path, seconds=0)) as lock:
            reading, written = JournalReader(lock.fd, run.path, run.id), JournalFiles(run.path)
            past = past_of(written)
            if run.must_be_refused:
                with pytest.raises(JournalDamaged) as caught:
                    list(reading)
                assert caught.value.line == run.flipped
            if run.flipped:
                return
            assert len(list(gather(reading, past, written))) == len(run.lines)
            found = {name: past.whole(name, result) for name, result in past.results.items()}
            assert found == run.acknowledged
            run.journal, _ = ownership.take_over(lock, reading, run.path, self.store.temporary)
        assert (reading.torn.size if reading.torn else 0) == run.torn
        run.torn, run.synced = 0, len(run.lines)
        run.append(RunStarted(2, 1, "host", AT))

    @of(is_flipped)
    def repair(self, run: Run) -> None:
        try:
            cut = repair.find_cut(self.store, run.id)
        except JournalDamaged as damage:
            assert damage.line == 1
            return
        if cut is None:
            assert not run.must_be_refused
            return
        copy = repair.repair(self.store, run.id, cut)
        assert run.path.with_name(copy).exists()
        assert cut.good_lines >= min(run.synced, (run.flipped or 1) - 1)
        del run.lines[cut.good_lines :]
        run.lines.append(run.path.read_bytes()[run.ends()[-1] :])
        run.synced, run.torn, run.flipped, run.must_be_refused = len(run.lines), 0, None, False

    @of(lambda run: True)
    def remove(self, run: Run) -> None:
        if not run.is_free:
            with pytest.raises(Busy):
                ownership.hold(run.path, seconds=0)
            with pytest.raises(Busy):
                remove.remove(self.store, run.id, list(Status), free_key=False)
            return
        remove.remove(self.store, run.id, list(Status), free_key=False)
        self.runs.remove(run)
        self.removed.append(run)

    @rule()
    def verify(self) -> None:
        bad = {f.name for f in check.of_all(self.store, str) if f.state in verify.DAMAGED}
        assert bad <= {run.id for run in self.runs if run.flipped}
        assert bad >= {run.id for run in self.runs if run.must_be_refused}

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        assert set(self.store.run_ids()) == {run.id for run in self.runs}
        for run in self.runs:
            found = self.store.look(run.id)
            if isinstance(found, Unreadable):
                assert run.flipped and found.status is Status.DAMAGED
                continue
            assert found is not None
            with found:
                self._check_view(run, found)

    def _check_view(self, run: Run, view: RunView) -> None:
        list(view.events())
        lines = [line + b"\n" for line, _ in view.lines()]
        assert lines == run.lines[: len(lines)]
        if view.damage:
            assert view.status is Status.DAMAGED
            assert run.flipped is not None, view.damage
            assert view.damage.line <= run.flipped
        elif run.flipped:
            assert not run.must_be_refused, "a flipped bit went unseen"
            assert len(lines) >= run.synced, "what was acknowledged is lost"
        else:
            assert len(lines) == len(run.lines), "what was written is lost"
            assert (view.status, view.torn_bytes) == (run.status, run.torn)
            assert view.held is not run.is_free

    @invariant()
    def what_was_removed_is_gone_and_its_key_is_buried(self) -> None:
        for run in self.removed:
            with pytest.raises(NotFound):
                self.store.view(run.id)
            assert not list(self.store.companions(run.id))
            claim = self.claims.find("job", run.key) if run.key else None
            assert run.key is None or (claim is not None and claim.deleted)


@pytest.mark.parametrize(
    ("examples", "steps"), [(40, 30), pytest.param(1500, 50, marks=pytest.mark.campaign)]
)
def test_whatever_happens_to_runs_they_are_what_was_acknowledged_or_are_refused(
    examples: int, steps: int, count: Callable[[int], None]
) -> None:
    Runs.executed = 0
    run_state_machine_as_test(
        Runs,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=False,
            phases=(Phase.generate,),  # the ids differ each time: nothing is to be shrunk
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Runs.executed >= 2 * examples
    count(Runs.executed)
