"""A result that was refused is taken once the step declares a type that reads it."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project

PAID = """
    from durably_cli.values.secret import Secret

    class Input(BaseModel):
        token: Secret | None = None

    def call() RETURNS:
        effect("paid")
        return RESULT

    @define_job
    def paid(step: Step, payload: Input) -> str:
        return repr(step.run("call", call))
"""


def write(project: Project, returns: str, result: str) -> None:
    text = PAID.replace("RETURNS", f"-> {returns}" if returns else "").replace("RESULT", result)
    project.job(text, "paid")


@pytest.mark.parametrize(
    ("before", "result", "after", "shown"),
    [
        ("", "[(1, 2)]", "list[tuple[int, int]]", "[(1, 2)]"),
        ("int", '"text"', "str", "'text'"),
        ("", "{3, 4}", "set[int]", "{3, 4}"),
    ],
)
def test_a_paid_call_is_not_paid_again(
    project: Project, before: str, result: str, after: str, shown: str
) -> None:
    write(project, before, result)
    project.run("trigger", "paid", expect=1)
    write(project, after, result)
    assert json.loads(project.run("resume", "@last").out) == shown
    assert project.effects == ["paid"]


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("list[object]", "list[object]"), ("", "list[str]")]
)
def test_what_the_type_refuses_or_has_refused_is_called_again(
    project: Project, before: str, after: str
) -> None:
    write(project, before, "[(1, 2)]")
    project.run("trigger", "paid", expect=1)
    write(project, after, "[(1, 2)]")
    project.run("resume", "@last", expect=1)
    assert project.effects == ["paid", "paid"]


def test_redo_calls_it_again(project: Project) -> None:
    write(project, "", "[(1, 2)]")
    project.run("trigger", "paid", expect=1)
    write(project, "list[tuple[int, int]]", "[(1, 2)]")
    project.run("resume", "@last", "--redo", "call")
    assert project.effects == ["paid", "paid"]


def test_no_secret_is_salvaged(project: Project) -> None:
    write(project, "", '[("s3cr3t-value", 2)]')
    project.env["TOKEN"] = "s3cr3t-value"
    project.run("trigger", "paid", "--token", "env:TOKEN", expect=1)
    assert "s3cr3t" not in project.journal().read_text()
    assert "refused" not in json.loads(project.journal().read_text().splitlines()[3])
