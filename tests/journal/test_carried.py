"""Which failures are carried, by the events of a run; handlers are tried in tests/promises."""

from __future__ import annotations

import pytest

from durably_cli.errors import StepError
from durably_cli.journal.events import (
    FORMAT,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.fold import fold
from durably_cli.journal.raised import raised_again
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepStarted
from durably_cli.values.strict_json import Json
from tests.harness.sample_journals import AT, ERROR
from tests.harness.strategies import RUN


def started(name: str) -> StepStarted:
    return StepStarted(name, AT)


def completed(name: str) -> StepCompleted:
    return StepCompleted(name, 0, Json("1"), AT)


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


def test_a_step_begun_again_outside_of_the_except_block_stands_in_for_nothing() -> None:
    again = RunStarted(2, 1, "host", AT), started("other"), completed("other")
    ends = RunHasFailed(ERROR, AT)
    inside = StepStarted("other", AT, ["a"])
    assert carried(started("a"), failed("a"), inside, completed("other"), ends) == ["a"]
    assert carried(started("a"), failed("a"), inside, *again, ends) == []


@pytest.mark.parametrize(
    "forged",
    ["builtins:KeyboardInterrupt", "os:system", "durably_cli.engines.execute:ChildEnds"],
)
def test_no_journal_makes_a_handler_end_as_durably_does(forged: str) -> None:
    import durably_cli.engines.execute  # noqa: F401

    raised = {"class": forged, "args": [3], "attributes": {}}
    assert type(raised_again(failed("a")._replace(raised=raised))) is StepError
