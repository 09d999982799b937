"""What ran side by side in a map: lanes, as many as ran at once, and what they add up to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.journal.events import FORMAT, ErrorInfo, RunCreated, RunStarted
from durably_cli.journal.fold import fold
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    MapStarted,
    StepCompleted,
    StepFailed,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import ItemName, NameInScope, in_scope, item_of
from durably_cli.render.lane_cells import is_dense, lane_cells
from durably_cli.render.lanes import Block
from durably_cli.render.maps import executions
from durably_cli.render.timeline import Execution, stretches
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN

NO = ErrorInfo("ValueError", "no")


def at(seconds: float) -> str:
    minutes, second = divmod(seconds, 60)
    return f"2026-11-24T10:{int(minutes):02}:{second:06.3f}Z"


def begin(item: str | NameInScope, seconds: float) -> StepStarted:
    return StepStarted(item, at(seconds))


def end(item: str | NameInScope, seconds: float, took: float) -> StepCompleted:
    return StepCompleted(item, round(took * 1000), Json("1"), at(seconds))


A, B, C, D = (item_of("fetch", key) for key in "abcd")
UP, DOWN = in_scope(A, "up"), in_scope(A, "down")

EVENTS: list[Event] = [
    RunCreated(FORMAT, RUN, "job", Json("{}"), at(0)),
    RunStarted(1, 1, "h", at(0)),
    MapStarted("fetch", at(0)),
    begin(A, 0),
    begin(B, 1),
    end(A, 2, 2),
    begin(C, 3),
    StepRetrying(C, 1, 2, 1000, NO, at(8), at(4)),
    StepFailed(B, 4000, NO, at(5)),
    begin(D, 6),
    begin(C, 8),
    RunStarted(2, 1, "h", at(30)),
    MapStarted("fetch", at(30)),
    begin(C, 30),
    begin(D, 30),
    end(C, 31, 1),
    end(D, 32, 2),
    StepCompleted("fetch", 2000, Json("{}"), at(32)),
]


def drawn(events: list[Event], most: int = 30) -> list[Execution]:
    return list(executions(lambda: events, stretches(fold(events).attempts), most=most))


def blocks(execution: Execution) -> list[list[tuple[str, float, float]]]:
    assert execution.inside is not None
    return [[block[:3] for block in lane] for lane in execution.inside.lanes]


def test_an_item_takes_a_lane_and_the_next_one_takes_it_when_it_is_free() -> None:
    first, second = drawn(EVENTS)
    assert blocks(first) == [
        [("completed", 0, 2), ("again", 3, 4), ("in doubt", 6, 8)],
        [("failed", 1, 5), ("in doubt", 8, 8)],
    ]
    assert (first.status, second.status) == ("cut short", "completed")
    assert blocks(second) == [[("completed", 8, 9)], [("completed", 8, 10)]]


def test_it_says_what_became_of_the_items() -> None:
    first, second = (each.inside for each in drawn(EVENTS))
    assert first is not None
    assert first.facts() == [
        *("4 items", "1 failed", "2 in doubt", "1 tried again", "2 at once"),
        *("median 4.0 s", "longest 4.0 s (fetch[b])"),
    ]
    assert second is not None
    assert second.facts()[:2] == ["2 items", "2 at once"]


@pytest.mark.parametrize("length", range(2, len(EVENTS) + 1))
def test_any_first_part_of_a_map_can_be_drawn(length: int) -> None:
    begun = sum(isinstance(event, StepStarted) for event in EVENTS[:length])
    found = [each.inside for each in drawn(EVENTS[:length])]
    assert sum(len(inside.calls) for inside in found if inside) == begun


def test_an_item_of_several_steps_holds_its_lane_from_the_first_to_the_last() -> None:
    other = in_scope(B, "up")
    (made,) = drawn(
        [
            *EVENTS[:3],
            begin(UP, 0),
            end(UP, 1, 1),
            begin(other, 2),
            end(other, 3, 1),
            begin(DOWN, 4),
            end(DOWN, 5, 1),
            StepCompleted("fetch", 5000, Json("{}"), at(5)),
        ]
    )
    assert blocks(made) == [[("completed", 0, 1), ("completed", 4, 5)], [("completed", 2, 3)]]
    assert made.inside is not None
    assert made.inside.facts() == [
        "2 items",
        "2 at once",
        "median 5.0 s",
        "longest 5.0 s (fetch[a])",
    ]
    assert [call.name for call in made.inside.rows] == [UP, DOWN, other]


def test_a_map_in_an_item_is_of_that_item() -> None:
    inner = in_scope(A, "files")
    file = item_of(inner, "1.txt")
    (made,) = drawn(
        [
            *EVENTS[:3],
            MapStarted(inner, at(0)),
            begin(file, 0),
            end(file, 1, 1),
            StepCompleted(inner, 1000, Json("{}"), at(1)),
            StepCompleted("fetch", 1000, Json("{}"), at(1)),
        ]
    )
    assert made.inside is not None
    assert (made.name, made.inside.items) == ("fetch", 1)
    assert [call.name for call in made.inside.calls] == [file]


def test_new_items_of_a_map_that_had_completed_are_inside_of_it() -> None:
    done = StepCompleted("fetch", 1000, Json("{}"), at(11))
    events = [*EVENTS[:2], begin(A, 10), end(A, 11, 1)]
    whole = [*events, StepOutdated("fetch", "fetch", at(11)), MapStarted("fetch", at(11)), done]
    for found in (drawn(events), drawn(whole)):
        (made,) = found
        assert (made.name, made.start, made.end) == ("fetch", 10, 11)
        assert blocks(made) == [[("completed", 10, 11)]]


def test_new_items_that_were_cut_short_are_of_the_attempt_in_which_they_began() -> None:
    started = [
        *EVENTS[:2],
        begin(A, 10),
        RunStarted(2, 1, "h", at(30)),
        begin(A, 31),
        end(A, 32, 1),
    ]
    found = drawn(started)
    assert [(each.attempt, each.name, each.status) for each in found] == [
        (1, "fetch", "cut short"),
        (2, "fetch", "cut short"),
    ]
    assert [[call.attempt for call in each.inside.calls] for each in found if each.inside] == [
        [1],
        [2],
    ]


def test_of_very_many_items_no_more_is_held_than_can_be_seen() -> None:
    items = [item_of("fetch", str(number)) for number in range(20_000)]
    events = [*EVENTS[:3]]
    for number, item in enumerate(items):
        events += [begin(item, number / 100), end(item, number / 100 + 0.01, 0.01)]
    events.append(StepCompleted("fetch", 200_000, Json("{}"), at(200)))
    (made,) = drawn(events)
    assert made.inside is not None
    assert (made.inside.items, made.inside.is_few, len(made.inside.calls)) == (20_000, False, 30)
    assert len(made.inside.lanes) == 1
    assert 500 < len(made.inside.lanes[0]) <= 1001
    assert sum(block.calls for block in made.inside.lanes[0]) == 20_000


def test_a_cell_is_as_high_as_the_lanes_were_busy_and_a_failure_is_a_sign() -> None:
    busy = Block("completed", 0, 4, 4, 40)
    lazy = Block("completed", 4, 8, 1, 10)
    failed = Block("failed", 9, 9.5, 0.5, 1)
    doubt = Block("in doubt", 10, 12, 2, 1)
    lane = [busy, lazy, failed, doubt]
    assert is_dense([lane], 1)
    assert lane_cells([lane], 1, 12, dense=True).plain == "▆▆▆▆▂▂▂▂ ✗??"
    assert lane_cells([lane, []], 1, 12, dense=True).plain == "▄▄▄▄▁▁▁▁ ✗??"


def test_calls_that_are_long_enough_are_bars_that_stand_apart() -> None:
    lane = [
        Block("completed", 0, 3, 3, 1),
        Block("again", 3, 6, 3, 1),
        Block("completed", 6, 9, 3, 1),
    ]
    assert not is_dense([lane], 1)
    assert lane_cells([lane], 1, 10, dense=False).plain == "╺━━╺━━!━━ "


BLOCKS = st.builds(
    lambda kind, start, took, calls: Block(kind, start, start + took, took, calls),
    st.sampled_from(["completed", "failed", "again", "in doubt", "cut short", "running"]),
    st.floats(0, 100),
    st.floats(0, 50),
    st.integers(1, 1000),
)


@given(st.lists(st.lists(BLOCKS)), st.integers(1, 200), st.booleans())
def test_a_row_of_lanes_is_as_wide_as_there_is_room(
    lanes: list[list[Block]], width: int, dense: bool
) -> None:
    row = lane_cells(lanes, 150 / width, width, dense=dense)
    assert row.cell_len == width
    if any(block.kind == "failed" for lane in lanes for block in lane):
        assert "✗" in row.plain


def test_an_item_is_known_from_its_name_and_not_from_its_brackets() -> None:
    made = drawn([*EVENTS[:2], begin("fetch[a]", 0), end("fetch[a]", 1, 1)])
    assert [(each.name, each.inside) for each in made] == [("fetch[a]", None)]
    assert isinstance(A, ItemName)
    assert A == "fetch[a]"
