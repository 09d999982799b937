"""Which failures are carried, by the events of a run; handlers are tried in tests/promises."""

from __future__ import annotations

from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    Event,
    RunCreated,
    RunStarted,
    StepFailed,
    StepStarted,
)
from durably_cli.journal.state import fold
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import AT
from tests.harness.strategies import RUN

ERROR = ErrorInfo("ValueError", "no")


def started(name: str) -> StepStarted:
    return StepStarted(name, AT)


def failed(name: str) -> StepFailed:
    return StepFailed(name, 0, ERROR, AT, {"class": "builtins:ValueError"})


def carried(*events: Event) -> list[str]:
    created = RunCreated(FORMAT, RUN, "job", Json("{}"), AT)
    return fold([created, RunStarted(1, 1, "host", AT), *events]).carried


def test_a_failure_behind_which_no_step_was_begun_is_not_carried() -> None:
    assert carried(started("a"), failed("a")) == []
    assert carried(started("a"), failed("a"), RunStarted(2, 1, "host", AT), started("b")) == []
    assert carried(started("a"), failed("a"), started("b")) == ["a"]


def test_a_step_that_is_begun_again_is_carried_no_more() -> None:
    """An older durably executes every failed step again."""
    again = RunStarted(2, 1, "host", AT), started("a")
    assert carried(started("a"), failed("a"), started("b"), *again) == []


def test_a_failure_of_which_nothing_is_journalled_that_makes_it_again_is_not_carried() -> None:
    assert carried(started("a"), failed("a")._replace(raised={}), started("b")) == []
