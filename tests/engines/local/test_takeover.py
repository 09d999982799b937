"""Which runs are taken up by whoever looks after all of them, as journals and inboxes tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.takeover import TakeUp, Why, verdict_on
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    RunCancelled,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepEntered, StepStarted
from durably_cli.journal.wait_events import RunSuspended, StepWaiting
from durably_cli.steps.mail import Sent
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.benchmarks import stores

AT, LATER = "2026-11-23T03:00:00.123Z", "9999-01-01T00:00:00.000Z"


def started(number: int = 1) -> RunStarted:
    return RunStarted(number, 1, "host", AT)


def done(step: str) -> list[Event]:
    return [StepStarted(step, AT), StepCompleted(step, 1, Json("1"), AT)]


def sleeps(until: str) -> list[Event]:
    return [StepWaiting("nap", "sleep", AT, until), RunSuspended(AT, until)]


def asks(until: str = "") -> list[Event]:
    return [StepWaiting("ok", "signal", AT, until), RunSuspended(AT, until)]


def killed(times: int) -> list[Event]:
    """So many attempts that died in the same step."""
    return [e for n in range(times) for e in (started(n + 1), StepStarted("x", AT))]


FAILED = RunHasFailed(ErrorInfo("ValueError", "no"), AT)
IN_DOUBT = [StepStarted("pay", AT), StepEntered("pay", "stop", AT)]

STORIES: dict[str, tuple[list[Event], TakeUp]] = {
    "made, and never begun": ([], TakeUp(Why.DIED)),
    "killed": ([started()], TakeUp(Why.DIED)),
    "ended by TERM": ([started(), RunInterrupted("SIGTERM", AT)], TakeUp(Why.DIED)),
    "ended by HUP": ([started(), RunInterrupted("SIGHUP", AT)], TakeUp(Why.DIED)),
    "Ctrl-C": ([started(), RunInterrupted("SIGINT", AT)], TakeUp()),
    "Ctrl-C as it waited": (
        [started(), sleeps(AT)[0], RunInterrupted("SIGINT", AT)],
        TakeUp(),
    ),
    "out of time": ([started(), RunInterrupted("time limit", AT)], TakeUp()),
    "killed as it waited": ([started(), sleeps(LATER)[0]], TakeUp(Why.DIED)),
    "completed": ([started(), RunCompleted(Json("1"), AT)], TakeUp()),
    "failed": ([started(), FAILED], TakeUp()),
    "cancelled": ([started(), RunCancelled(AT)], TakeUp()),
    "due": ([started(), *sleeps(AT)], TakeUp(Why.DUE, AT)),
    "not due": ([started(), *sleeps(LATER)], TakeUp(until=LATER)),
    "no signal": ([started(), *asks()], TakeUp()),
    "no signal in time": ([started(), *asks(AT)], TakeUp(Why.DUE, AT)),
    "resumed, and killed": (
        [started(), RunInterrupted("SIGINT", AT), started(2)],
        TakeUp(Why.DIED),
    ),
    "repaired": (
        [started(), RunRepaired("ann", "host", 2, 9, "damage", 1, 9, "x", AT)],
        TakeUp(),
    ),
    "in doubt": ([started(), *IN_DOUBT], TakeUp()),
    "killed six times": (killed(6), TakeUp()),
    "killed five times": (killed(5), TakeUp(Why.DIED)),
    "suspended, and killed five times": (
        [started(), *sleeps(AT), *killed(5)],
        TakeUp(),
    ),
    "killed six times, and further": ([*killed(6), *done("y")], TakeUp(Why.DIED)),
    "killed six times, further, and five times": (
        [*killed(6), *done("y"), *killed(5)],
        TakeUp(),
    ),
    "killed six times, and stopped": ([*killed(5), started(), *sleeps(AT)], TakeUp(Why.DUE, AT)),
}


def view_of(tmp_path: Path, events: list[Event], **created: str) -> Store:
    store = Store(tmp_path / "store")
    run_id = ids.new()
    made = RunCreated(FORMAT, run_id, "work", Json("{}"), AT, **created)  # type: ignore[arg-type]
    stores.write(store.runs, run_id, iter([made, *events]))
    return store


@pytest.mark.parametrize("story", STORIES)
def test_what_is_done_with_a_run(tmp_path: Path, story: str) -> None:
    events, verdict = STORIES[story]
    store = view_of(tmp_path, events)
    (run_id,) = store.run_ids()
    with store.view(run_id) as view:
        assert verdict_on(view) == verdict


def test_a_run_that_is_a_step_of_another_one_goes_on_with_that_one(tmp_path: Path) -> None:
    store = view_of(tmp_path, [started()], parent=ids.new())
    (run_id,) = store.run_ids()
    with store.view(run_id) as view:
        assert verdict_on(view) == TakeUp()


def test_a_signal_makes_it_due_if_it_waits_for_it(tmp_path: Path) -> None:
    store = view_of(tmp_path, [started(), *asks(LATER)])
    (run_id,) = store.run_ids()
    for name, verdict in ("other", TakeUp(until=LATER)), ("ok", TakeUp(Why.SIGNAL)):
        sent = Sent(Json("1"), "ann", AT)
        SignalsSent(store.path_of(run_id)).send(name, sent, store.temporary)
        with store.view(run_id) as view:
            assert verdict_on(view) == verdict
