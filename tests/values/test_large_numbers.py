"""A number that is too large for a model is bad input, whatever its field and its way in."""

from __future__ import annotations

import functools
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Annotated, Any, Literal

import pydantic
import pytest
from pydantic import BaseModel, ByteSize, Field, PositiveInt, create_model

from durably_cli import Step, define_job
from durably_cli.cli.arguments import read_input
from durably_cli.errors import InvalidInput
from durably_cli.project.job import Job


class Number(IntEnum):
    ONE = 1


TYPES: list[Any] = [
    *(int, float, bool, str, Decimal, complex, ByteSize, PositiveInt, Number, Any),
    # Before pydantic 2.14 a Fraction of 1e999999999999999999999 is computed for ever.
    *((Fraction,) if tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 14) else ()),
    *(date, datetime, time, timedelta, int | str, float | int, Literal[1, 2], list[int]),
    *(set[float], dict[int, float], Annotated[float, Field(multiple_of=0.1)]),
    Annotated[Decimal, Field(max_digits=5)],
]
NUMBERS = {
    "beyond floats": "1e400",
    "below floats": "-1e400",
    "beyond machine words": "9223372036854775808",
    "beyond floats in digits": "1" + "0" * 400,
    "beyond integers": "9" * 4301,
    "beyond decimals": "1e999999999999999999999",
    "beyond moments": "1e20",
}


@functools.cache
def jobs() -> list[Job[Any, Any]]:
    return [job_of(kind) for kind in TYPES]


def job_of(kind: Any) -> Job[Any, Any]:
    def work(step: Step, payload: Any) -> None: ...

    return define_job(name="work", input=create_model("Input", x=(kind, ...)))(work)


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_commands_read_it_or_refuse_it(number: str) -> None:
    for kind, job in zip(TYPES, jobs(), strict=True):
        ways: list[tuple[str | None, list[str], dict[str, Any]]] = [
            (None, [], {"x": job.fields[0].value_of(number)}),
            (None, [f"x={number}"], {}),
            (None, [f"x:={number}"], {}),
            (f'{{"x": {number}}}', [], {}),
            (f'{{"x": [{number}]}}', [], {}),
            (f'{{"x": {{"1": {number}}}}}', [], {}),
        ]
        for given, fields, flags in ways:
            try:
                job.settle(read_input(given, fields, flags), is_compared=True)
            except InvalidInput as refused:
                assert refused.exit_code == 65, (kind, given)


def test_python_is_refused_it() -> None:
    refused: list[tuple[Any, Any]] = [
        (int, 10**4300),
        (Any, [10**5000]),
        (int | str, -(10**5000)),
        (set[int], {10**5000}),
        (dict[int, int], {10**5000: 1}),
        (Any, float("inf")),
        (dict[str, Any], {"a": float("nan")}),
    ]
    for kind, value in refused:
        model: type[BaseModel] = create_model("Input", x=(kind, ...))
        job: Job[Any, Any] = define_job(name="work", input=model)(lambda step, payload: None)
        with pytest.raises(InvalidInput) as refused:
            job.trigger(model.model_construct(x=value), idempotency_key="k")
        assert "help input" in (refused.value.hint or "")
