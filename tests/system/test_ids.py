"""Run ids."""

from __future__ import annotations

from durably_cli.system import clock, ids


def test_an_id_beyond_all_years_was_made_at_the_last_moment() -> None:
    run_id = "ffffffff-ffff-7000-8000-000000000000"
    assert ids.is_id(run_id)
    assert clock.format_time(ids.made_at(run_id)) == "9999-12-31T23:59:59.999Z"
    assert ids.day(run_id) == "9999-12-31"
