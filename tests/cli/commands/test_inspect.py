"""`durably inspect`: a run's whole story."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed
from durably_cli.system import clock
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project
from tests.harness.strategies import lines_of


@pytest.fixture
def told(project: Project) -> Project:
    """A run that failed once and was resumed, with logs, labels, keys and a failed step."""
    project.job(
        """
        class Order(BaseModel):
            item: str
            count: int

        @define_job
        def shop(step: Step, payload: Order) -> dict:
            step.log.info("begun", count=payload.count)
            price = step.run("price", lambda: 12.5)
            try:
                step.run("coupon", lambda: 1 / 0)
            except ZeroDivisionError:
                step.log.warn("no coupon")
            step.progress(1, 2, "half way")
            if step.attempt == 1:
                raise RuntimeError("till is closed")
            return {"total": price * payload.count}
        """
    )
    project.run(
        "trigger",
        "shop",
        "-p",
        "item=tea",
        "-p",
        "count:=2",
        "--label",
        "team=shop",
        "--idempotency-key",
        "order-1",
        "--concurrency-key",
        "till",
        expect=1,
    )
    return project


def test_json_has_the_whole_story(told: Project) -> None:
    run = told.inspect()
    assert run["status"] == "failed"
    assert run["input"] == {"item": "tea", "count": 2}
    assert run["output"] is None
    assert run["error"]["type"] == "RuntimeError"
    assert "in shop" in run["error"]["traceback"]
    assert run["labels"] == {"team": "shop"}
    assert run["idempotency_key"] == "order-1"
    assert run["concurrency_key"] == "till"
    assert [(step["name"], step["status"], step["bytes"]) for step in run["checkpoints"]] == [
        ("price", "completed", 4),
        ("coupon", "failed", None),
    ]
    assert run["checkpoints"][1]["error"]["type"] == "ZeroDivisionError"
    assert [line["message"] for line in run["logs"]] == ["begun", "no coupon"]
    assert run["in_doubt"] == []
    told.run("resume", "@last")
    run = told.inspect()
    assert run["output"] == {"total": 25.0}
    assert run["error"] is None
    assert len(run["attempts"]) == 2


def test_in_a_pipe_every_fact_is_a_line_that_says_what_it_is(told: Project) -> None:
    lines = [line.split("\t") for line in told.run("inspect", "@last").out.splitlines()]
    facts = {line[0]: line[1:] for line in lines}
    assert facts["status"] == ["failed"]
    assert facts["input"] == ['{"item":"tea","count":2}']
    assert [line[1:3] for line in lines if line[0] == "step"] == [
        ["price", "completed"],
        ["coupon", "failed"],
    ]
    assert facts["error"] == ["RuntimeError: till is closed"]
    assert ["log", "warn", "no coupon"] in [
        [line[0], line[2], line[4]] for line in lines if line[0] == "log"
    ]


def test_a_terminal_gets_it_in_sections(told: Project) -> None:
    told.run("resume", "@last")
    shown = on_a_terminal(told, "inspect", "@last")
    for part in (
        "✓ completed",
        "order-1",
        "1 step completed, 1 failed, in 2 attempts",
        "attempt 1  ",
        "✓  price",
        "✗  coupon",
        "ZeroDivisionError: ",
        "3 log lines",
    ):
        assert part in shown


def test_what_happened_comes_first_then_what_to_type_next_then_the_rest(told: Project) -> None:
    shown = on_a_terminal(told, "inspect", "@last")
    run = told.inspect()["id"][-8:]
    parts = ("✗ failed", "RuntimeError: till is closed", f"resume {run}\n", "Traceback")
    parts += ("1 step completed", "2 log lines", "details", "input", "journal")
    places = [shown.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_bars_and_numbers_are_whole_however_narrow_the_terminal_is(
    told: Project, columns: int
) -> None:
    shown = on_a_terminal(told, "inspect", "@last", columns=columns)
    steps = shown[shown.index("\n1 step completed") : shown.index("log lines")]
    rows = [line for line in steps.split("\n") if line[:1] in ("✓", "✗")]
    assert len(rows) == 2
    for row in rows:
        assert re.search(r"  ━+ +\d+ ms", row), row
        assert len(row) <= columns


def test_one_result_is_printed_alone(told: Project) -> None:
    assert told.run("inspect", "@last", "--step", "price").out == "12.5\n"
    assert "has no result" in told.run("inspect", "@last", "--step", "coupon", expect=4).err
    assert "there is no step" in told.run("inspect", "@last", "--step", "x", expect=4).err


def test_events_are_the_raw_lines(told: Project) -> None:
    assert told.run("inspect", "@last", "--events").out == told.journal().read_text()
    types = [json.loads(line)["type"] for line in told.journal().read_text().splitlines()]
    assert types[0] == "run.created"
    assert types[-1] == "run.failed"


def test_ways_of_printing_exclude_each_other(told: Project) -> None:
    told.run("inspect", "@last", "--events", "--step", "x", expect=2)


def retime(project: Project, seconds: Callable[[str], float]) -> None:
    """The last run's steps took so long each, one right behind the other."""
    journal, moment = project.journal(), datetime(2026, 11, 28, tzinfo=UTC)
    events = list[Event]()
    with journal.open("rb") as file:
        before = [*JournalReader(file.fileno(), journal, journal.stem)]
    for event in before:
        changed: dict[str, Any] = {}
        if isinstance(event, StepCompleted | StepFailed):
            changed = {"ms": round(1000 * seconds(event.name))}
            moment += timedelta(seconds=seconds(event.name))
        events.append(event._replace(at=clock.format_time(moment), **changed))
    journal.write_bytes(b"".join(lines_of(events, journal.stem)))


def test_a_long_run_shows_its_head_its_tail_and_its_failures(project: Project) -> None:
    project.job(
        """
        @define_job
        def long(step: Step, payload: dict) -> None:
            for n in range(1000):
                try:
                    step.run(f"step-{n:04}", fail if n == 500 else int)
                except ValueError:
                    pass

        def fail() -> None:
            raise ValueError("five hundred")
        """
    )
    project.run("trigger", "long")
    retime(project, lambda name: 0.2 if name == "step-0700" else 0.001)
    shown = on_a_terminal(project, "inspect", "@last")
    assert "999 steps completed" in shown
    assert "step-0000" in shown
    assert "step-0999" in shown
    assert re.search(r"\.\.\. \d+ more \.\.\.", shown)
    assert "slowest: step-0700 0.2 s" in shown
    assert "ValueError: five hundred" in shown
    assert len(shown.splitlines()) < 60
    assert max(map(len, shown.splitlines()[:2])) <= 100
    narrow = on_a_terminal(project, "inspect", "@last", columns=40)
    slowest = narrow[narrow.index("  slowest:") : narrow.index("\n\ndetails")].split("\n")
    assert len(slowest) > 1
    for line in slowest:
        assert re.search(r"step-\d+ [\d.]+ m?s,? *$", line), line
        assert len(line) <= 40
    lines = project.run("inspect", "@last").out.splitlines()
    assert sum(line.startswith("step\t") for line in lines) == 1000
    assert "has no log lines of that level" in on_a_terminal(
        project, "logs", "@last", "--level", "error"
    )


def test_long_names_are_told_apart_and_no_slowest_are_named_of_equals(project: Project) -> None:
    project.job(
        """
        @define_job
        def alike(step: Step, payload: dict) -> None:
            for n in range(6):
                step.run("import-customer-with-a-very-long-name-of-number-" + str(n), int)
        """
    )
    project.run("trigger", "alike")
    retime(project, lambda name: 0.15)
    shown = on_a_terminal(project, "inspect", "@last", columns=80)
    for n in range(6):
        assert re.search(rf"import-\S+…\S*-{n} ", shown), shown
    assert "slowest" not in shown
    assert "has no log lines\n" in on_a_terminal(project, "logs", "@last")


@pytest.fixture
def fetched(project: Project) -> Project:
    """A run with a map, of which one item has failed, and a step with a * in its name."""
    project.job(
        """
        @define_job
        def fetching(step: Step) -> None:
            def fetch(key: str) -> str:
                step_log.info(f"fetching {key}")
                if key == "bad":
                    raise ValueError(key)
                return key * (100_000 if key == "large" else 1)

            step_log = step.log
            step.map("fetch", fetch, ["a", "large", "bad"], on_error="collect", concurrency=1)
            step.run("glob", str, "glob")
            step.run("g*b", str, "starred")
        """,
        "fetching",
    )
    project.run("trigger", "fetching")
    return project


def test_results_of_steps_that_fit_a_pattern_stand_in_a_line_each(fetched: Project) -> None:
    found = fetched.run("inspect", "@last", "--step", "fetch[*]").out
    rows = dict(line.split("\t") for line in found.splitlines())
    assert {name: json.loads(result) for name, result in rows.items()} == {
        "fetch[a]": "a",
        "fetch[large]": "large" * 100_000,
    }
    steps = json.loads(fetched.run("inspect", "@last", "--step", "fetch[*]", "--json").out)["steps"]
    assert {step["name"]: json.dumps(step["result"]) for step in steps} == rows
    shown = on_a_terminal(fetched, "inspect", "@last", "--step", "fetch[*]")
    assert shown.startswith('fetch[a]\n"a"\nfetch[large]\n{\n  "$blob": ')
    assert fetched.run("inspect", "@last", "--step", "g*b").out == '"starred"\n', "its name"
    none = fetched.run("inspect", "@last", "--step", "*[bad]", expect=4)
    assert "no step that '*[bad]' fits has a result" in none.err
    assert (
        "there is no step that 'x*' fits"
        in fetched.run("inspect", "@last", "--step", "x*", expect=4).err
    )


def test_log_lines_of_steps_that_fit_a_pattern(fetched: Project) -> None:
    lines = fetched.run("logs", "@last", "--step", "fetch[*a*]").out.splitlines()
    said = {tuple(line.split("\t")[2:4]) for line in lines}
    assert said == {(f"fetch[{key}]", f"fetching {key}") for key in ("a", "large", "bad")}
    assert len(fetched.run("logs", "@last", "--step", "*[a]").out.splitlines()) == 1
    none = fetched.run("logs", "@last", "--step", "x*", expect=4)
    assert "there is no step that 'x*' fits" in none.err
