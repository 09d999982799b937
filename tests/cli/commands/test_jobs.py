"""`durably jobs`: the project's jobs, and what they take."""

from __future__ import annotations

import json
import os
import shlex
from unittest.mock import patch

import pytest

from durably_cli.cli.commands.jobs import last_runs
from durably_cli.engines.local.store import Store
from tests.cli.commands.test_list import on_a_terminal
from tests.cli.test_job_flags import ORDER
from tests.conftest import Project
from tests.harness.pasting import without_data


@pytest.fixture
def shop(project: Project) -> Project:
    project.job(ORDER, "order")
    project.run("trigger", "order", "--item", "tea")
    return project


def test_in_a_pipe_a_job_is_a_line_with_its_last_run(shop: Project) -> None:
    lines = [line.split("\t") for line in shop.run("jobs").out.splitlines()]
    run = shop.runs()[0]
    assert lines == [
        ["number", "", "", "", ""],
        ["order", "completed", run["created"], run["id"], "Order an item."],
    ]


def test_a_terminal_gets_tables(shop: Project) -> None:
    shown = on_a_terminal(shop, "jobs")
    assert "✓ completed" in shown
    assert "never" in shown
    assert "Order an item." in shown
    for columns in 60, 80, 200:
        shown = on_a_terminal(shop, "jobs", "order", columns=columns)
        for part in ("--item", "required", "list of string", "-p label=", "durably trigger order"):
            assert part in shown


def test_a_narrow_terminal_shows_names_whole_and_fewer_columns(shop: Project) -> None:
    name = "import-invoices-of-the-customer"
    doc = "Bring in all invoices of a customer, and send what is due to the bookkeeping."
    shop.job(f"@define_job(name={name!r})\ndef work(step: Step, payload: dict):\n    {doc!r}\n")
    for columns, head in (
        (56, "job what it does"),
        (70, "job last run what it does"),
        (75, "job last run age what it does"),
    ):
        first, *rows = on_a_terminal(shop, "jobs", columns=columns).splitlines()
        assert first.split() == head.split()
        assert any(row.startswith(f"{name}  ") for row in rows), rows
    shop.job("1 / 0", "broken")
    assert "ZeroDivisionError" in on_a_terminal(shop, "jobs", columns=40)


def test_without_a_cache_every_journal_is_looked_at_once_for_all_jobs(shop: Project) -> None:
    for number in range(3):
        shop.job(
            f"@define_job\ndef job_{number}(step: Step, payload: dict) -> None: ...", f"j{number}"
        )
        shop.run("trigger", f"job-{number}")
    (store,) = shop.data.iterdir()
    shop.cache.rename(shop.cache.with_name("gone"))
    shop.cache.write_text("no folder")
    with (
        patch.dict(os.environ, {"DURABLY_CACHE_DIR": str(shop.cache)}),
        patch.object(Store, "look", autospec=True, side_effect=Store.look) as look,
    ):
        names = ["job-0", "job-1", "job-2", "never-run"]
        found = last_runs(Store(store), names)
    assert sorted(found) == names[:3]
    runs = len(list(store.glob("runs/*/*.jsonl")))
    assert look.call_count <= 2 * runs  # for the index, and for the answer


def test_the_example_command_runs(shop: Project) -> None:
    shown = on_a_terminal(shop, "jobs", "order")
    command = shlex.split(without_data(shown.splitlines()[-1]))
    assert command[0] == "durably"
    shop.run(*command[1:])


def test_json_has_the_schemas(shop: Project) -> None:
    jobs = json.loads(shop.run("jobs", "--json").out)["jobs"]
    assert [job["name"] for job in jobs] == ["number", "order"]
    assert jobs[0]["input"] == {"type": "integer"}
    job = json.loads(shop.run("jobs", "order", "--json").out)["job"]
    assert job == jobs[1]
    assert job["input"]["properties"]["item"]["description"] == "what is ordered"
    assert job["last_run"]["status"] == "completed"


def test_a_module_that_does_not_import_is_listed_with_its_error(shop: Project) -> None:
    path = shop.job("import nothing_of_that_name\n", "broken")
    result = shop.run("jobs", expect=78)
    assert "order\tcompleted" in result.out
    assert f"{path}:" in result.err
    document = json.loads(shop.run("jobs", "--json", expect=78).out)
    assert document["broken"][0]["path"] == str(path)
    shown = on_a_terminal(shop, "jobs")
    assert "jobs/broken.py" in shown
    assert "✗ broken" in shown
    shop.run("jobs", "order")


def test_an_unknown_job_is_told_the_nearest_names(shop: Project) -> None:
    assert "did you mean order?" in shop.run("jobs", "ordr", expect=4).err


def test_no_jobs_are_nothing_in_a_pipe_and_a_word_on_a_terminal(project: Project) -> None:
    assert project.run("jobs").out == ""
    assert "no jobs in" in on_a_terminal(project, "jobs")
