"""The figures of the documentation are those that were measured."""

from __future__ import annotations

from durably_cli.cli.help import page
from tests.benchmarks import results
from tests.benchmarks.__main__ import PICTURE
from tests.benchmarks.measuring import OURS, Part
from tests.benchmarks.picture import PANELS, bars

PART = Part("lists", "ms", {"durably": 90.0, "bare": 100.0}, {"bare": 0.8})


def test_the_page_and_the_picture_show_what_was_measured() -> None:
    kept = results.load()
    assert results.page(kept, page("performance")) == page("performance")
    drawn = PICTURE.read_text(encoding="utf-8")
    shown = [part for part in kept.parts if part.work in PANELS]
    assert len(shown) == len(PANELS) == 4
    for part in shown:
        assert len(bars(part)) == 4, part.work
        for name, number in bars(part).items():  # matplotlib leaves its texts as comments
            assert f"<!--  {results.figure(number)} " in drawn, (part.work, name)
            assert all(f"<!-- {word} -->" in drawn for word in name.split(", ", 1)), name


def test_a_peer_has_one_bar_that_of_its_best_settings_which_lose_no_step() -> None:
    figures = {OURS: 9.0, "a bare loop": 1.0, "p, slow": 8.0, "p, fast": 4.0}
    part = PART._replace(figures=figures | {"p, WAL, synchronous NORMAL": 2.0})
    assert bars(part) == {OURS: 9.0, "p, fast": 4.0}
    assert bars(part._replace(more_is_better=True)) == {OURS: 9.0, "p, slow": 8.0}


def test_a_limit_that_is_missed_is_said() -> None:
    assert list(results.table([PART]))[-1].endswith("| 0.9 | ≤ 0.8 **missed** |")
    more = PART._replace(more_is_better=True)
    assert list(results.table([more]))[-1].endswith("| 0.9 | ≥ 0.8 |")
    assert list(results.table([more._replace(limits={"bare": 0.95})]))[-1].endswith("**missed** |")
