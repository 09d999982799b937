"""Flags made of a job's input: what they set, what they refuse, and when the job is imported."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project

ORDER = """
    from typing import Any
    from pydantic import Field

    effect("imported")

    class Order(BaseModel):
        item: str = Field(description="what is ordered", examples=["tea"])
        count: int = 1
        gift: bool = False
        tags: list[str] = []
        address: dict[str, Any] | None = None
        label: str = ""

    @define_job
    def order(step: Step, payload: Order) -> dict:
        '''Order an item.'''
        return payload.model_dump()

    @define_job
    def number(step: Step, payload: int) -> int:
        return payload
"""


@pytest.fixture
def shop(project: Project) -> Project:
    project.job(ORDER, "order")
    return project


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--item", "tea"), {}),
        (("--item=tea", "--count=2"), {"count": 2}),
        (("--item", "tea", "--gift"), {"gift": True}),
        (("--item", "tea", "-p", "gift:=true", "--no-gift"), {"gift": False}),
        (("--item", "tea", "--tags", "a", "--tags", "b"), {"tags": ["a", "b"]}),
        (("--item", "tea", "--address", '{"city": "Oslo"}'), {"address": {"city": "Oslo"}}),
        (("-i", '{"item": "x", "count": 5}', "-p", "item=y", "--item", "tea"), {"count": 5}),
        (("--item", "tea", "--label", "a=b", "-p", "label=mine"), {"label": "mine"}),
        (("--item", "--count"), {"item": "--count"}),
    ],
)
def test_flags_are_laid_over_fields_and_those_over_the_input(
    shop: Project, args: tuple[str, ...], expected: dict[str, object]
) -> None:
    whole = {"item": "tea", "count": 1, "gift": False, "tags": [], "address": None, "label": ""}
    assert json.loads(shop.run("trigger", "order", *args).out) == whole | expected


def test_the_model_names_all_that_will_not_do_in_one_list(shop: Project) -> None:
    result = shop.run("trigger", "order", "--count", "few", "--address", "Oslo", expect=65)
    for field in ("item: Field required", "count: Input should be", "address: Input should be"):
        assert f"  {field}" in result.err
    assert "durably jobs order" in result.err
    assert shop.runs() == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("order", "--itme", "tea"), "No such option: --itme"),
        (("order", "--item"), "Option '--item' requires an argument"),
        (("order", "--item", "tea", "more"), "unexpected extra argument"),
        (("number", "--item", "tea"), "No such option: --item"),
    ],
)
def test_what_is_no_flag_of_the_job_is_a_usage_error(
    shop: Project, args: tuple[str, ...], said: str
) -> None:
    result = shop.run("trigger", *args, expect=2)
    assert said in result.err
    assert shop.runs() == []


def test_an_unknown_job_with_flags_is_told_the_nearest_names(shop: Project) -> None:
    assert "did you mean order?" in shop.run("trigger", "ordr", "--item", "tea", expect=4).err


def test_help_of_trigger_shows_the_fields_of_the_job(shop: Project) -> None:
    shown = shop.run("trigger", "order", "--help").out
    for part in (
        "--item STRING",
        'what is ordered, such as "tea"',
        "[required]",
        "--gift / --no-gift",
    ):
        assert part in shown
    assert "trigger [OPTIONS] JOB\n" in shown
    assert "-p label=STRING" in shown
    assert "Fields" not in shop.run("trigger", "--help").out
    assert "there is no job nobody" in shop.run("trigger", "nobody", "--help").out


def test_a_job_is_imported_for_its_flags_alone_and_once(shop: Project) -> None:
    shop.run("trigger", "--help")
    shop.run("list", "--job", "order")
    assert shop.effects == []
    shop.run("trigger", "order", "--item", "tea", "--idempotency-key", "k")
    assert shop.effects == ["imported"]
    shop.run("trigger", "order", "-p", "item=tea", "--idempotency-key", "k")
    assert shop.effects == ["imported"], "an ended run needs no job"


def test_what_a_module_prints_while_it_is_imported_stays_out_of_stdout(project: Project) -> None:
    project.job(f"\n    print('imported'){ORDER}", "order")
    result = project.run("trigger", "order", "--item", "tea")
    assert json.loads(result.out)["item"] == "tea"
    assert "imported" in result.err
    assert "imported" not in project.run("jobs").out


def test_a_number_of_more_digits_than_python_reads_is_for_the_model_to_refuse(
    shop: Project,
) -> None:
    told = shop.run("trigger", "order", "--item", "tea", "--count", "9" * 5000, expect=65).err
    assert "count" in told


def test_a_field_named_as_another_ones_off_flag_has_its_own(project: Project) -> None:
    project.job("""
        class Input(BaseModel):
            no_cache: bool = False
            cache: bool = False

        @define_job
        def work(step: Step, payload: Input) -> list[bool]:
            return [payload.cache, payload.no_cache]
    """)
    assert project.run("trigger", "work", "--no-cache").out == "[false,true]\n"
    assert project.run("trigger", "work", "--cache").out == "[true,false]\n"


def test_a_field_that_the_job_does_not_take_is_said_with_the_nearest_name(shop: Project) -> None:
    said = "the input of order has no field 'cuont', which is passed over: did you mean 'count'?"
    for given in (("-p", "cuont:=2", "--item", "tea"), ("-i", '{"item": "tea", "cuont": 2}')):
        result = shop.run("trigger", "order", *given)
        assert said in result.err.splitlines()
        assert json.loads(result.out)["count"] == 1
    assert shop.run("trigger", "order", "-q", "-p", "cuont:=2", "--item", "tea").err == ""
    wrong = shop.run("trigger", "order", "-p", "itme=tea", expect=65)
    assert "item: Field required: it has 'itme', which is no field" in wrong.err
    assert "--item" in shop.run("trigger", "order", "--itme", "tea", expect=2).err


def test_a_quiet_failure_and_a_resume_say_what_the_job_does_not_take(project: Project) -> None:
    text = """
        class Order(BaseModel):
            item: str

        @define_job
        def order(step: Step, payload: Order) -> None:
            raise RuntimeError("not yet")
    """
    project.job(text, "order")
    report = project.run("trigger", "order", "-q", "-p", "item=tea", "-p", "itme=x", expect=1).err
    assert "  unread   the input of order has no field 'itme'" in report
    project.job(text.replace("item: str", "items: str = ''"), "order")
    resumed = project.run("resume", "@last", expect=1).err
    assert "has no field 'item', which is passed over: did you mean 'items'?" in resumed


NESTED = """
    from pathlib import Path

    class Nested(BaseModel):
        rows: list[list[int]] = []
        pair: tuple[str, int] = ("", 0)
        pairs: list[tuple[str, int]] | None = None
        perhaps: tuple[Path, bool] | None = None
        words: tuple[str, ...] = ()

    @define_job
    def nested(step: Step, payload: Nested) -> dict:
        return payload.model_dump(mode="json", exclude_defaults=True)
"""


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("--rows", "[1, 2]", "--rows", "[3]"), {"rows": [[1, 2], [3]]}),
        (("--pair", "1", "--pair", "2"), {"pair": ["1", 2]}),
        (("--pair", '["1", 2]'), {"pair": ["1", 2]}),
        (("--pairs", '["a", 1]', "--pairs", '["b", 2]'), {"pairs": [["a", 1], ["b", 2]]}),
        (("--perhaps", "x", "--perhaps", "true"), {"perhaps": ["sub/x", True]}),
        (("--words", "1", "--words", "[2"), {"words": ["1", "[2"]}),
    ],
)
def test_lists_of_lists_and_tuples_are_given_by_flag(
    project: Project, args: tuple[str, ...], expected: dict[str, object]
) -> None:
    project.job(NESTED, "nested")
    folder = project.root / "sub"
    folder.mkdir()
    given = json.loads(project.run("trigger", "nested", *args, cwd=folder).out)
    assert {name: given[name] for name in expected} == expected


@pytest.mark.parametrize(
    "args", [("--pair", "a\udcff"), ("--perhaps", "a\udcff"), ("-p", "x=\udcff")]
)
def test_an_argument_that_is_no_utf_8_is_refused_with_what_to_do(
    project: Project, args: tuple[str, ...]
) -> None:
    project.job(NESTED, "nested")
    said = project.run("trigger", "nested", *args, expect=65).err
    assert "is not UTF-8, and a journal holds text" in said
    assert "another name, or a link" in said
    assert project.runs() == []
