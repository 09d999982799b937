"""A command line that cannot be read is answered with what to type."""

from __future__ import annotations

import re

import pytest
import typer.main

from durably_cli.cli.app import app
from durably_cli.cli.suggesting import NEVER_OPTIONS
from durably_cli.cli.usage import OPTION_FOR
from tests.conftest import Project
from tests.harness.pasting import hint_of, paste, without_data

JOBS = """
    class Order(BaseModel):
        org_id: str = ""
        force: bool = False

    @define_job
    def sync_users(step: Step, payload: Order) -> str:
        return f"{payload.org_id} {payload.force}"

    @define_job
    def other(step: Step) -> None: ...
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.job(JOBS, "sync_users")
    project.run("jobs")
    return project


@pytest.mark.parametrize(
    ("typed", "step"),
    [
        ("trigger", "jobs"),
        ("resume", "list"),
        ("delete", "list"),
        ("repair", "verify"),
        ("list sync-users", "list --job sync-users"),
        ("list failed", "list --status failed"),
        ("list @last", "inspect @last"),
        ("trigger sync-users org_1", "trigger sync-users --help"),
        ("trigger sync-users --force true", "trigger sync-users --help"),
        ("trigger --nothing org_1", "trigger JOB --help"),
    ],
)
def test_the_next_step_is_said_of_what_is_missing_or_too_much(
    shop: Project, typed: str, step: str
) -> None:
    refused = shop.run(*typed.split(" "), expect=2)
    assert without_data(hint_of(refused)) == f"durably {step}"
    if "JOB" not in step and "@last" not in step:
        assert paste(shop, hint_of(refused), shop.root).code == 0


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("-v", "--version"),
        ("list --failed", "--status failed"),
        ("list --limit", "-n"),
        ("list -o json", "--json"),
        ("inspect -w @last", "--follow"),
        ("trigger other --key 5", "--idempotency-key"),
        ("trigger sync-users -org-id 5", "--org-id"),
        ("trigger sync-users --org_id 5", "--org-id"),
    ],
)
def test_an_option_that_is_often_typed_is_answered_with_the_one_that_does_it(
    shop: Project, typed: str, wanted: str
) -> None:
    said = shop.run(*typed.split(" "), expect=2).err
    assert re.search(rf"No such option: \S+ \(Possible options: {wanted}\)", said), said


def test_what_people_type_leads_to_options_that_there_are_and_that_destroy_nothing() -> None:
    group = typer.main.get_command(app)
    for name, table in OPTION_FOR.items():
        command = group.get_command(None, name) if name else group  # type: ignore[attr-defined]
        there_are = {option for each in command.params for option in each.opts}
        wanted = {option.split(" ")[0] for option in table.values()}
        assert wanted <= there_are - NEVER_OPTIONS, name
        assert not set(table) & there_are, name


@pytest.mark.parametrize(
    ("typed", "output"),
    [
        ("--org-id x sync-users", "x False"),
        ("--force sync-users --org-id=y", "y True"),
        ("--org-id x --json sync-users --no-force", '"output":"x False"'),
        ("--org-id other sync-users --force", None),
    ],
)
def test_flags_of_a_job_may_stand_before_its_name(
    shop: Project, typed: str, output: str | None
) -> None:
    done = shop.run("trigger", *typed.split(" "), expect=0 if output else 2)
    assert (output or "") in done.out
