"""Handlers whose keyword-only parameters are the fields of their input."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from durably import AsyncStep, DurablyStore, Step, define_job

from durably_cli.errors import InvalidInput
from tests.conftest import Project

THUMBS = """
    from pathlib import Path
    from typing import Annotated
    from pydantic import Field

    @define_job
    def thumbs(
        step: Step,
        *,
        folder: Path,
        size: Annotated[int, Field(description="in pixels", ge=1)] = 200,
        tags: list[str] = [],
        json: bool = False,
    ) -> str:
        tags.append("seen")
        return step.run("make", lambda: f"{folder} {size} {tags} {json}")
"""


@pytest.fixture
def thumbs(project: Project) -> Project:
    project.job(THUMBS, "thumbs")
    return project


def test_they_are_flags_and_fields_of_the_input(thumbs: Project) -> None:
    run = ("trigger", "thumbs")
    assert thumbs.run(*run, "--folder", "a").out == "\"a 200 ['seen'] False\"\n"
    assert thumbs.run(*run, "--folder", "a").out == "\"a 200 ['seen'] False\"\n", "a new list"
    given = '{"folder": "b", "tags": ["x"], "json": true}'
    assert thumbs.run(*run, "-i", given, "--size", "3").out == "\"b 3 ['x', 'seen'] True\"\n"
    shown = thumbs.run(*run, "--help").out
    assert "--folder PATH" in shown
    assert "in pixels" in shown
    assert "[default: 200]" in shown
    assert "[default: []]" in shown
    assert thumbs.run(*run, "--folder", "a").out == "\"a 200 ['seen'] False\"\n", (
        "shown and as it was"
    )


def test_a_default_that_is_a_secret_is_not_shown(project: Project) -> None:
    job = """
        from pydantic import SecretStr

        @define_job
        def sends(step: Step, *, keys: list[SecretStr] = [SecretStr("abc123")]) -> None: ...
    """
    project.job(job, "sends")
    shown = project.run("trigger", "sends", "--help").out + project.run("jobs", "sends").out
    assert '[default: ["**********"]]' in shown
    assert "abc123" not in shown


def test_what_does_not_fit_is_refused_with_every_field(thumbs: Project) -> None:
    said = thumbs.run("trigger", "thumbs", "--size", "0", expect=65).err
    assert "folder: Field required" in said
    assert "size: Input should be greater than or equal to 1" in said
    assert thumbs.runs() == []


def test_a_resume_has_the_fields_that_the_run_was_made_with(thumbs: Project) -> None:
    thumbs.run("trigger", "thumbs", "--folder", "a", "--size", "7")
    assert json.loads(json.dumps(thumbs.inspect()["input"])) == {
        "folder": "a",
        "size": 7,
        "tags": [],
        "json": False,
    }


@define_job
def adds(step: Step, *, one: int, other: int = 2) -> int:
    return step.run("add", lambda: one + other)


@define_job(name="adds-soon")
async def adds_soon(step: AsyncStep, *, one: int, other: int = 2) -> int:
    return await step.run("add", lambda: one + other)


@define_job
def makes_both(step: Step) -> int:
    return step.run_job("a", adds, {"one": 1}) + step.run_job("b", adds_soon, {"one": 5})


def test_python_calls_the_handler_as_it_is_written(durably_store: DurablyStore) -> None:
    assert adds(Step(), one=1) == 3
    assert asyncio.run(adds_soon(AsyncStep(), one=1, other=5)) == 6
    assert adds.trigger({"one": 4}).output == 6
    assert adds_soon.trigger({"one": 4, "other": 4}).output == 8
    assert makes_both.trigger().output == 10
    assert makes_both(Step()) == 10


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"one": 1, "another": 2}, "unexpected keyword argument 'another'"),
        ({}, "missing 1 required keyword-only argument: 'one'"),
        ({"one": "text"}, "one"),
        ([1], "it is a list"),
    ],
)
def test_python_is_refused_what_is_no_input(
    durably_store: DurablyStore, given: Any, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        adds.trigger(given)


def test_what_cannot_be_fields_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="does not say what size is: write size: str"):

        @define_job
        def untyped(step: Step, *, size) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(TypeError, match=r"make payload and size fields of its input, \(step, \*, "):

        @define_job
        def both(step: Step, payload: dict[str, int], *, size: int) -> None: ...

    with pytest.raises(TypeError, match="has an input, and its handler must take it"):

        @define_job(input=dict)  # type: ignore[arg-type]
        def given(step: Step, *, size: int) -> None: ...


def test_a_refusal_shows_the_handler_as_it_is_written() -> None:
    with pytest.raises(
        TypeError, match=r"not \(step, \*, size, \*\*more\): name each field of its"
    ):

        @define_job  # type: ignore[arg-type]
        def others(step: Step, *, size: int, **more: int) -> None: ...

    with pytest.raises(TypeError, match=r"async def soon\(step: AsyncStep, \*, size\), and await"):

        @define_job
        async def soon(step: Step, *, size: int = 1) -> None: ...
