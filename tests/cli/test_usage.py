"""A command line that cannot be read is answered with what to type."""

from __future__ import annotations

import json
import re

import pytest
import typer.main

from durably_cli.cli.app import app
from durably_cli.cli.suggesting import NEVER_OPTIONS
from durably_cli.cli.usage import OPTION_FOR
from tests.cli.commands.test_list import on_a_terminal
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

    class Own(BaseModel):
        org: str = ""
        wait: int = 1

    @define_job
    def own(step: Step, payload: Own) -> int:
        return payload.wait

    @define_job
    def a_text(step: Step, payload: str) -> str:
        return payload

    @define_job
    def loose(step: Step, payload: dict) -> dict:
        return payload

    @define_job(name="x-y")
    def called_otherwise(step: Step) -> None: ...

    def sync_user(user): ...
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("shop"))
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
        ("trigger --nothing org_1", "jobs"),
    ],
)
def test_the_next_step_is_said_of_what_is_missing_or_too_much(
    shop: Project, typed: str, step: str
) -> None:
    refused = shop.run(*typed.split(" "), expect=2)
    assert without_data(hint_of(refused)) == f"durably {step}"
    if "JOB" not in step and "@last" not in step:
        assert paste(shop, hint_of(refused), shop.root).code == 0


RETYPED = [
    ("-v", "--version"),
    ("trigger other --nothing x", "trigger other --help"),
    ("--json list", "list --json"),
    ("list --statsu failed", "list --status failed"),
    ("list --status faild", "list --status failed"),
    ("list --limit=5", "list -n 5"),
    ("list --format json", "list --json"),
    ("trigger sync-users --froce --org-id=5", "trigger sync-users --force --org-id=5"),
    ("trigger sync_users --force", "trigger sync-users --force"),
    ("trigger SYNC_USERS --org-id x", "trigger sync-users --org-id x"),
    ("jobs sync_users", "jobs sync-users"),
    ("trigger sync-user", "jobs sync-users"),
    ("trigger called-otherwise", "trigger x-y"),
    ("trigger called_otherwise", "trigger x-y"),
    ("trigger a-text --name bob", "trigger a-text --input '\"bob\"'"),
    ("trigger a-text", "trigger a-text --input '\"text\"'"),
    ("trigger a-text --input=bob", "trigger a-text '--input=\"bob\"'"),
    ("trigger a-text -i jobs/sync_users.py", "trigger a-text -i @jobs/sync_users.py"),
    ("trigger a-text --idempotency-kye 5", "trigger a-text --idempotency-key 5"),
    ("trigger loose --name bob", "trigger loose -p name=bob"),
    ("trigger own --wait 3 --org x", "trigger own -p wait=3 --org x"),
    ("trigger own --org x --wait", "trigger own --org x -p wait:=true"),
    ("trigger own --wait=4", "trigger own -p wait=4"),
    ("resume other", "resume @last/other"),
    ("logs Last", "logs @last"),
    ("delete other", "inspect @last/other"),
]
"""Command lines, and those to type in their place."""


def test_what_was_typed_is_said_again_put_right(shop: Project) -> None:
    shop.run("trigger", "other")
    for typed, right in RETYPED:
        refused = shop.run(*typed.split(" "), expect=None)
        assert refused.code in (2, 4, 65), (typed, refused)
        assert without_data(hint_of(refused)) == f"durably {right}"
        if any(word in typed for word in ("own", "a-text --name")):
            assert paste(shop, hint_of(refused), shop.root).code == 0, right


@pytest.mark.parametrize(
    "typed",
    [
        "prune --older-thn 2d",
        "cancel --tiemout 2s",
        "resume -q @last --tiemout 2s",
        "--json nope",
        "list --format xml",
    ],
)
def test_what_ends_a_run_goes_into_a_mail_or_is_not_sure_is_not_said_again(
    shop: Project, typed: str
) -> None:
    assert "try:" not in shop.run(*typed.split(" "), expect=2).err


def test_help_says_why_a_field_has_no_flag(shop: Project) -> None:
    taken = r"-p wait=.*\(--no-wait is trigger's own\)"
    assert re.search(taken, " ".join(shop.run("trigger", "own", "--help").out.split()))
    assert re.search(taken, on_a_terminal(shop, "jobs", "own"))


def test_a_program_is_given_the_same_hint_and_the_message_without_it(shop: Project) -> None:
    for typed, message, right in (
        ("run other", "No such command 'run'.", "trigger other --json"),
        ("list --statsu failed", "No such option: --statsu", "list --status failed --json"),
        ("bogus", "No such command 'bogus'.", "--help"),
        ("list --watch", "--watch and --json exclude each other", "list --json"),
    ):
        error = json.loads(shop.run(*typed.split(" "), "--json", expect=2).out)["error"]
        assert error["message"].partition(" (")[0] == message
        assert without_data(error["hint"]) == f"durably {right}"
        assert error["next"] == [error["hint"]]


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
