"""The rules by which runs live and are harmed, each checked against a model of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from durably_cli.cli.commands import verify
from durably_cli.engines.local import check, remove, repair
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.execute import BoundHandler
from durably_cli.engines.local.past import gather, past_of
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView, Unreadable
from durably_cli.errors import Busy, JournalDamaged, NotFound
from durably_cli.journal import ownership
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    Event,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
    StepCompleted,
    StepFailed,
    StepStarted,
)
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.state import Status
from durably_cli.steps.step import Step
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.harness.modelled import (
    AT,
    NAMES,
    SECTOR,
    Fits,
    Run,
    Silent,
    can_be_flipped,
    can_be_taken_over,
    has_a_step_left,
    is_flipped,
    is_free,
    is_held,
    is_there,
    next_step,
)

ERROR = ErrorInfo("ValueError", "no", "Traceback")
ENDS: tuple[Event, ...] = (
    RunCompleted(Json('"done"'), AT),
    RunHasFailed(ERROR, AT, "s0"),
    RunCancelled(AT, "why not"),
)
RESULTS = (Json("1"), Json('{"a":[1.5,null]}'), Json(f'"{"x" * 700}"'), Json('{"$blob":"x"}'))

which = st.integers(0, 63)


def some(fits: Fits) -> Callable[[Runs], bool]:
    """Is there a run for the rule?"""
    return lambda machine: any(map(fits, machine.runs))


class Runs(RuleBasedStateMachine):
    """A store and the model of it."""

    rules_executed: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="runs-"))
        self.store = Store(self.folder)
        self.claims = Claims(self.folder)
        self.runs: list[Run] = []
        self.removed: list[Run] = []

    def teardown(self) -> None:
        for run in self.runs:
            if run.journal:
                run.journal.close()
        shutil.rmtree(self.folder)

    def pick(self, number: int, fits: Fits) -> Run:
        """One of the runs that fit."""
        type(self).rules_executed += 1
        fitting = [run for run in self.runs if fits(run)]
        return fitting[number % len(fitting)]

    @precondition(lambda self: len(self.runs) < 6)
    @rule(has_key=st.booleans())
    def create(self, has_key: bool) -> None:
        type(self).rules_executed += 1
        run_id = ids.new()
        key = run_id if has_key else None
        if key:
            assert self.claims.make("job", key, Claim(run_id, "0" * 64))
        event = RunCreated(FORMAT, run_id, "job", Json("{}"), AT, idempotency_key=key)
        made = self.store.create(event)
        assert made is not None
        self.runs.append(Run(self.store.path_of(run_id), key, made, event))

    @precondition(some(has_a_step_left))
    @rule(number=which, result=st.sampled_from(RESULTS))
    def complete_step(self, number: int, result: Json) -> None:
        run = self.pick(number, has_a_step_left)
        name = next_step(run)
        run.append(StepStarted(name, AT), StepCompleted(name, 1, result, AT))

    @precondition(some(has_a_step_left))
    @rule(number=which)
    def fail_step(self, number: int) -> None:
        run = self.pick(number, has_a_step_left)
        name = next_step(run)
        run.append(StepStarted(name, AT), StepFailed(name, 1, ERROR, AT))

    @precondition(some(has_a_step_left))
    @rule(number=which)
    def start_step(self, number: int) -> None:
        run = self.pick(number, has_a_step_left)
        run.append(StepStarted(next_step(run), AT))

    @precondition(some(is_held))
    @rule(number=which, size=st.integers(0, 900), times=st.integers(1, 5))
    def log(self, number: int, size: int, times: int) -> None:
        run = self.pick(number, is_held)
        run.append(*[LogWritten("info", "x" * size, AT), ProgressReported(1, AT)] * times)

    @precondition(some(is_held))
    @rule(number=which, end=st.sampled_from(ENDS))
    def end(self, number: int, end: Event) -> None:
        run = self.pick(number, is_held)
        run.append(end)
        run.let_go()

    @precondition(some(is_held))
    @rule(number=which, at=st.floats(0, 1))
    def crash_and_lose_the_tail_from_any_byte(self, number: int, at: float) -> None:
        run = self.pick(number, is_held)
        run.let_go()
        size = run.path.stat().st_size
        run.cut(run.synced_bytes + round(at * (size - run.synced_bytes)))

    @precondition(some(is_held))
    @rule(number=which, place=which, zeros=st.integers(1, 3 * SECTOR))
    def crash_and_find_zeros_in_place_of_the_tail(
        self, number: int, place: int, zeros: int
    ) -> None:
        run = self.pick(number, is_held)
        run.let_go()
        places = run.where_zeros_can_begin()
        run.cut(places[place % len(places)], zeros)

    @precondition(some(can_be_flipped))
    @rule(number=which, at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
    def flip_a_bit(self, number: int, at: float, bit: int) -> None:
        run = self.pick(number, can_be_flipped)
        run.flip(int(at * run.path.stat().st_size), bit)

    @precondition(some(can_be_taken_over))
    @rule(number=which)
    def take_over(self, number: int) -> None:
        run = self.pick(number, can_be_taken_over)
        with closing(ownership.hold(run.path, seconds=0)) as lock:
            reading, past = JournalReader(lock.fd, run.path, run.id), past_of(run.path)
            if not run.is_whole:
                self._check_refused_or_kept(run, lambda: list(reading))
                return
            assert list(gather(reading, past)) == run.events
            run.check_results(past.results)
            taken, _ = ownership.take_over(lock, reading, run.path, self.store.temporary)
        torn = reading.torn.size if reading.torn else 0
        assert torn == run.torn
        run.is_taken_by(taken)
        run.append(RunStarted(2, 1, "host", AT, dropped=torn))

    @precondition(some(is_free))
    @rule(number=which)
    def resume_to_the_end(self, number: int) -> None:
        run = self.pick(number, is_free)
        executed: list[str] = []

        def handler(step: Step) -> Json:
            for name in NAMES:
                got = step.run(name, lambda name=name: executed.append(name))  # type: ignore[misc]
                run.check_handed_back(name, got)
            return Json("null")

        job = Silent(BoundHandler(handler, None))
        if run.is_whole:
            done = resume(self.store, run.id, lambda _: job, job)
            assert done.executed is not run.is_final
            assert not run.results.keys() & set(executed), "acknowledged, and executed again"
            run.was_resumed(job.recorded_events)
        else:
            self._check_refused_or_kept(run, lambda: resume(self.store, run.id, job.refuse, job))

    @precondition(some(is_flipped))
    @rule(number=which)
    def repair(self, number: int) -> None:
        run = self.pick(number, is_flipped)
        try:
            cut = repair.find_cut(self.store, run.id)
        except JournalDamaged as damage:
            assert damage.line == 1
            return
        if cut is None:
            self._check_refused_or_kept(run, lambda: None)
            return
        kept = repair.repair(self.store, run.id, cut)
        assert run.path.with_name(kept).exists()
        run.was_repaired(cut.good_lines)

    @precondition(some(is_there))
    @rule(number=which)
    def remove(self, number: int) -> None:
        run = self.pick(number, is_there)
        if run.is_held:
            with pytest.raises(Busy):
                remove.remove(self.store, run.id, list(Status), free_key=False)
            return
        remove.remove(self.store, run.id, list(Status), free_key=False)
        self.runs.remove(run)
        self.removed.append(run)

    @precondition(some(is_held))
    @rule(number=which)
    def own_twice(self, number: int) -> None:
        run = self.pick(number, is_held)
        with pytest.raises(Busy):
            ownership.hold(run.path, seconds=0)

    @rule()
    def verify(self) -> None:
        type(self).rules_executed += 1
        bad = {f.name for f in check.of_all(self.store) if f.state in verify.DAMAGED}
        assert bad <= {run.id for run in self.runs if not run.is_whole}
        assert bad >= {run.id for run in self.runs if run.must_be_refused}

    @invariant()
    def the_store_says_what_the_model_says(self) -> None:
        assert set(self.store.run_ids()) == {run.id for run in self.runs}
        for run in self.runs:
            found = self.store.look(run.id)
            assert found is not None
            if isinstance(found, Unreadable):
                assert not run.is_whole
                assert found.status is Status.DAMAGED
                continue
            with found:
                self._check_view(run, found)

    @invariant()
    def what_was_removed_is_gone_and_its_key_is_buried(self) -> None:
        for run in self.removed:
            with pytest.raises(NotFound):
                self.store.view(run.id)
            assert not list(self.store.companions(run.id))
            claim = self.claims.find("job", run.key) if run.key else None
            assert run.key is None or (claim is not None and claim.deleted)

    def _check_view(self, run: Run, view: RunView) -> None:
        events = list(view.events())
        assert events == run.events[: len(events)]
        if run.is_whole:
            assert view.damage is None, view.damage
            assert len(events) == len(run.events), "what was written is lost"
            assert view.status is run.status
            assert view.torn_bytes == run.torn
            assert view.held is run.is_held
        elif view.damage is None:
            assert not run.must_be_refused, "a flipped bit went unseen"
            assert len(events) >= run.synced_events, "what was acknowledged is lost"
        else:
            assert view.status is Status.DAMAGED
            assert run.flipped is not None
            assert view.damage.line <= run.flipped

    def _check_refused_or_kept(self, run: Run, act: Callable[[], object]) -> None:
        """Of a run with a flipped bit: it is refused, or the bit was in what a crash had torn."""
        if run.must_be_refused:
            with pytest.raises(JournalDamaged) as caught:
                act()
            assert caught.value.line == run.flipped
