"""The forms of the scraper: each is tried in small, and the page shows what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from durably_cli.cli.help import page
from tests.benchmarks.scraper import results
from tests.benchmarks.scraper.forms import FORMS, Form, missing
from tests.benchmarks.scraper.trials import tried

ALWAYS = [form for form in FORMS if not form.name.startswith("DBOS")]  # what needs no download


def test_the_page_shows_what_was_measured() -> None:
    kept = results.load()
    assert results.page(kept, page("performance")) == page("performance")
    assert {row.name: row.lines for row in kept.rows} == {form.name: form.lines for form in FORMS}


@pytest.mark.long
@pytest.mark.parametrize("form", ALWAYS, ids=lambda form: form.name)
def test_a_form_that_is_killed_fetches_all_pages_and_only_those_in_flight_twice(
    form: Form,
) -> None:
    if form.name in missing({}):
        pytest.skip(missing({})[form.name])
    trial = tried(form, Path(), killed=True, pages=100)
    assert trial.lost == 0
    assert trial.twice <= 16
