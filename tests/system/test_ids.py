"""Run ids."""

from __future__ import annotations

from durably_cli.system import clock, ids


def test_an_id_beyond_all_years_was_made_at_the_last_moment() -> None:
    run_id = "ffffffff-ffff-7000-8000-000000000000"
    assert ids.is_id(run_id)
    assert clock.format_time(ids.made_at(run_id)) == "9999-12-31T23:59:59.999Z"
    assert ids.day(run_id) == "9999-12-31"


def test_no_step_has_the_child_of_another_one_that_was_discarded() -> None:
    run = ids.new()
    made = [(step, discarded) for step in ("x", "x 1", "x#1", "#1 x", "1") for discarded in (0, 1)]
    assert len({ids.of_child(run, *each) for each in made}) == len(made)
