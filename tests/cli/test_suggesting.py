"""What is said of a command or an option that does not exist; nothing that destroys is offered."""

from __future__ import annotations

from pathlib import Path

import pytest

from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.suggesting import CARE, COMMAND_FOR, NEVER
from tests.conftest import Project
from tests.harness.pasting import hint_of, paste, without_data

DESTROYS = ("delete", "prune", "repair", "--yes", "--free-keys")

JOB = """
    class Order(BaseModel):
        yesterday: bool = False

    @define_job
    def order(step: Step, payload: Order) -> None: ...
"""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("run",), "durably jobs"),
        (("run", "order", "--token", "x y"), "durably trigger order --token 'x y'"),
        (("run", "order", "--token", "hunter2", "-q"), "durably trigger ..."),
        (("START",), "durably jobs"),
        (("status",), "durably inspect @last"),
        (("runs",), "durably list"),
        (("ps", "-a"), "durably list -a"),
        (("retry", "@last"), "durably resume @last"),
        (("lsit",), "durably list"),
        (("inspct", "@last"), "durably inspect @last"),
        (("rm", "@last"), "durably help care"),
        (("adopt", "/srv/old"), "durably import /srv/old"),
        (("cancle", "@last"), "durably cancel --help"),
    ],
)
def test_an_unknown_command_is_answered_with_the_one_that_does_it(
    project: Project, typed: tuple[str, ...], offered: str
) -> None:
    refused = project.run(*typed, expect=2)
    assert f"No such command '{typed[0]}'." in refused.err
    assert without_data(hint_of(refused)) == offered
    assert "hunter2" not in refused.err


@pytest.mark.parametrize(
    "typed", ["bogus", "prun", "pruned", "delet", "deleted", "repairs", "imports", "adpt"]
)
def test_what_is_near_a_command_that_destroys_or_near_none_is_answered_with_none(
    project: Project, typed: str
) -> None:
    said = project.run(typed, "@last", expect=2).err
    assert "try: " not in said
    assert not any(word in said.replace(f"'{typed}'", "") for word in DESTROYS)


def test_what_people_type_leads_to_commands_that_there_are_and_that_destroy_nothing() -> None:
    assert set(COMMAND_FOR.values()) - {CARE, "--version"} <= set(COMMANDS) - NEVER
    assert not set(COMMAND_FOR) & set(COMMANDS)


def test_a_jobs_name_is_answered_with_the_command_that_runs_it(
    project: Project, tmp_path: Path
) -> None:
    project.job(JOB, "order")
    project.job("raise SystemExit('imported')", "not_loaded_yet")
    refused = project.run("-C", "project", "order", cwd=tmp_path, expect=2)
    assert paste(project, hint_of(refused), tmp_path).code == 0, refused
    for typed, expected in (
        (("not-loaded-yet",), "durably trigger not-loaded-yet"),
        (("order", "--x"), "durably trigger order --x"),
    ):
        assert without_data(hint_of(project.run(*typed, expect=2))) == expected


@pytest.mark.parametrize(
    "args",
    [
        ("prune", "--older-than", "1d", "--ye"),
        ("prune", "--older-than", "1d", "--free-key"),
        ("repair", "@last", "--yess"),
        ("delete", "@last", "--freekeys"),
        ("import", "x", "--adoptt"),
    ],
)
def test_an_unknown_option_is_never_answered_with_one_that_destroys(
    project: Project, args: tuple[str, ...]
) -> None:
    refused = project.run(*args, expect=2)
    assert f"No such option: {args[-1]}" in refused.err
    offered = refused.err.partition(f"No such option: {args[-1]}")[2]
    assert not any(option in offered for option in ("--yes", "--free-keys", "--adopt"))


def test_other_options_are_still_offered(project: Project) -> None:
    project.job(JOB, "order")
    assert "--dry-run" in project.run("prune", "--dryrun", expect=2).err
    assert "--yesterday" in project.run("trigger", "order", "--yesterdy", expect=2).err


def test_the_help_that_is_pointed_to_can_be_pasted(project: Project) -> None:
    env = project.env | {"PATH": "/usr/bin:/bin"}
    said = project.run("list", "--nope", env=env, expect=2).err
    (line,) = (line for line in said.splitlines() if line.startswith("Try "))
    command = line.removeprefix("Try ").removesuffix(" for help.")
    shown = paste(project, command, project.root, PATH="/usr/bin:/bin")
    assert "Usage: durably list" in shown.out, (said, shown)
