"""Times, as journals have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import example, given

from durably_cli.system import clock

LAST = datetime.max.replace(tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
@example(LAST - timedelta(microseconds=1000))
def test_what_is_due_is_so_not_a_part_of_a_millisecond_too_early(moment: datetime) -> None:
    late = clock.parse_time(clock.format_due(moment)) - moment
    if moment <= LAST - timedelta(microseconds=999):
        assert timedelta() <= late < timedelta(milliseconds=1)


def test_the_last_moment_of_all_is_a_time_as_well() -> None:
    assert clock.format_due(LAST) == "9999-12-31T23:59:59.999Z"
