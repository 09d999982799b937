"""The figures of the documentation are those that were measured."""

from __future__ import annotations

from durably_cli.cli.help import page
from tests.benchmarks import results
from tests.benchmarks.__main__ import DRAWN, PICTURE
from tests.benchmarks.measuring import Part

PART = Part("lists", "ms", {"durably": 90.0, "bare": 100.0}, {"bare": 0.8})


def test_the_page_and_the_picture_show_what_was_measured() -> None:
    kept = results.load()
    assert results.page(kept, page("performance")) == page("performance")
    assert results.picture(kept, DRAWN) == PICTURE.read_text(encoding="utf-8")


def test_a_limit_that_is_missed_is_said() -> None:
    assert list(results.table([PART]))[-1].endswith("| 0.9 | ≤ 0.8 **missed** |")
    more = PART._replace(more_is_better=True)
    assert list(results.table([more]))[-1].endswith("| 0.9 | ≥ 0.8 |")
    assert list(results.table([more._replace(limits={"bare": 0.95})]))[-1].endswith("**missed** |")
