"""Which run a person means."""

from __future__ import annotations

import os

import pytest

from tests.conftest import Project
from tests.harness.pasting import hint_of, paste

JOB = "@define_job\ndef sync_users(step: Step) -> int:\n    return 1\n"


def test_what_people_type_for_a_run_is_answered_with_the_word_that_means_it(
    project: Project,
) -> None:
    project.job(JOB, "sync_users")
    project.run("trigger", "sync-users")
    for typed, meant in (
        ("latest", "@last"),
        ("@lst", "@last"),
        ("FAILED", "@failed"),
        ("sync-users", "@last/sync-users"),
        ("sync_users", "@last/sync-users"),
    ):
        refused = project.run("resume", typed, expect=2)
        assert f"'{typed}' is no run; did you mean {meant}?" in refused.err
        if meant != "@failed":
            assert paste(project, hint_of(refused), project.root).code == 0
    assert "did you mean" not in project.run("resume", "other", expect=2).err


def test_runs_belong_to_a_user_which_is_said_where_there_is_none(project: Project) -> None:
    project.job(JOB, "sync_users")
    owner = ""
    if os.geteuid() == 0:
        os.chown(project.root, 12345, -1)
        owner = f"; the project is #12345's: sudo -u '#12345' -H DURABLY_DATA_DIR={project.data}"
    for command in ("@last", "@failed", "3f2a9c1d"):
        said = project.run("inspect", command, expect=4).err
        assert "runs belong to the user who made them, and " in said
        assert owner in said
    project.run("trigger", "sync-users")
    assert "runs belong to" not in project.run("inspect", "3f2a9c1d", expect=4).err


@pytest.mark.parametrize("query", ["@", "@last/", "@last/no_such_job", "xyz", "key:", "a\n"])
def test_what_means_no_run_is_an_error_in_a_line(project: Project, query: str) -> None:
    refused = project.run("inspect", query, expect=None)
    assert refused.code in (2, 4), refused
