"""A run's timeline as an SVG: bars at their places, attempts below one another, all of it text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from tests.conftest import Project

SVG = "{http://www.w3.org/2000/svg}"


def drawn(project: Project) -> ElementTree.Element:
    return ElementTree.fromstring(project.run("inspect", "@last", "--svg", "-").out)


def made(project: Project, *events: str) -> None:
    """A run with these events, given as Python, on a day of its own."""
    import subprocess
    import sys

    lines = "\n".join(f"    journal.append({event})" for event in events) or "    pass"
    program = f"""
from durably_cli.system import ids
from durably_cli.project import stores
from durably_cli.project import places
from durably_cli.journal.events import *
from durably_cli.journal.step_events import *
from durably_cli.journal.step_names import item_of
store = stores.open_store(places.find_project(), to_write=True)
at = "2026-11-24T10:00:{{:06.3f}}Z".format
with store.create(RunCreated(1, ids.new(), "made", Json("{{}}"), at(0))) as journal:
{lines}
"""
    subprocess.run([sys.executable, "-c", program], cwd=project.root, env=project.env, check=True)


def test_bars_stand_at_their_places_on_one_axis(project: Project) -> None:
    made(
        project,
        'RunStarted(1, 1, "h", at(0))',
        'StepStarted("one", at(0))',
        'StepCompleted("one", 2000, Json("1"), at(2))',
        'StepStarted("two", at(2))',
        'LogWritten("info", "x", at(4))',
        'RunStarted(2, 1, "h", at(30))',
        'StepStarted("two", at(30))',
        'StepFailed("two", 4000, ErrorInfo("ValueError", "no"), at(34))',
        'RunHasFailed(ErrorInfo("ValueError", "no"), at(34), "two")',
    )
    svg = drawn(project)
    bars = {
        rect.get("class"): (float(rect.get("x", 0)), float(rect.get("width", 0)))
        for rect in svg.iter(f"{SVG}rect")
        if rect.get("rx") == "2" and rect.get("class") != "replayed"
    }
    left, width = bars["completed"]
    assert bars["doubt"] == (left + width, width), "two seconds each, one behind the other"
    assert bars["failed"] == (left + 2 * width, 2 * width)
    texts = [text.text for text in svg.iter(f"{SVG}text")]
    assert "✗ killed or crashed" in texts
    assert "↺ 1 step done before" in texts
    assert "saved 2.0 s" in texts
    assert any("ValueError: no" in (title.text or "") for title in svg.iter(f"{SVG}title"))


def test_a_long_run_is_drawn_in_part_and_says_so(project: Project) -> None:
    steps = [
        event
        for n in range(300)
        for event in (
            f'StepStarted("step-{n}", at({n / 10}))',
            f'StepCompleted("step-{n}", 100, Json("1"), at({n / 10}))',
        )
    ]
    made(project, 'RunStarted(1, 1, "h", at(0))', *steps)
    svg = drawn(project)
    assert len([rect for rect in svg.iter(f"{SVG}rect") if rect.get("rx") == "2"]) < 60
    assert any("more …" in (text.text or "") for text in svg.iter(f"{SVG}text"))
    assert int(svg.get("height", 0)) < 1500


def test_names_are_text_and_never_markup(project: Project) -> None:
    made(
        project,
        'RunStarted(1, 1, "h", at(0))',
        r'StepStarted("</svg><script>alert(1)</script>\x1b[31m\"", at(0))',
        r'StepCompleted("</svg><script>alert(1)</script>\x1b[31m\"", 5, Json("1"), at(1))',
    )
    text = project.run("inspect", "@last", "--svg", "-").out
    assert all(character.isprintable() or character == "\n" for character in text)
    assert not list(drawn(project).iter(f"{SVG}script"))
    assert text.count("http") == 1, "the namespace alone"


def test_a_run_that_never_began_is_drawn_too(project: Project) -> None:
    made(project, *[])
    assert "made" in (drawn(project).get("aria-label") or "")


def test_a_name_takes_no_more_room_than_there_is(project: Project) -> None:
    made(
        project,
        'RunStarted(1, 1, "h", at(0))',
        f'StepStarted("{"long" * 20}", at(0))',
        f'StepCompleted("{"long" * 20}", 5, Json("1"), at(1))',
        f'StepStarted("{"長い" * 20}", at(1))',
    )
    texts = {text.text for text in drawn(project).iter(f"{SVG}text")}
    assert {"long" * 3 + "lo…" + "ng" + "long" * 3, "長い" * 3 + "長…い" + "長い" * 3} <= texts


def test_items_whose_names_end_differently_are_told_apart(project: Project) -> None:
    items = [f'item_of("thumbnails", "/home/me/pictures/2026/img-{n:04}.jpg")' for n in range(2)]
    made(
        project,
        'RunStarted(1, 1, "h", at(0))',
        'MapStarted("thumbnails", at(0), [], 2)',
        *(f"StepStarted({item}, at({n}))" for n, item in enumerate(items)),
        *(f'StepCompleted({item}, 5, Json("1"), at({n + 2}))' for n, item in enumerate(items)),
    )
    texts = [text.text or "" for text in drawn(project).iter(f"{SVG}text")]
    for n in range(2):
        assert sum(text.startswith("[/home/me") and f"-000{n}.jpg]" in text for text in texts) == 1
