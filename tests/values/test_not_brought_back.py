"""What `durably help input` says that JSON does not bring back is so, and the ways out work."""

from __future__ import annotations

from collections import defaultdict, deque
from decimal import Decimal
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, BaseModel

from durably_cli import Step, define_job
from durably_cli.cli.arguments import read_input
from durably_cli.engines import payload
from durably_cli.values import convert


class User(BaseModel):
    name: str | None = None
    mail: str | None = None


class Payment(BaseModel):
    amount: Decimal


Last3 = Annotated[deque[int], AfterValidator(lambda items: deque(items, maxlen=3))]
Fives = Annotated[defaultdict[str, int], AfterValidator(lambda items: defaultdict(five, items))]


def five() -> int:
    return 5


@define_job
def pay(step: Step, payload: Payment) -> None: ...


def test_help_names_them() -> None:
    said = (files("durably_cli.cli.help") / "input.md").read_text(encoding="utf-8")
    for word in "exclude_unset", "maxlen", "default_factory", "Decimal", "3 to 300":
        assert word in said


def test_all_fields_are_set_of_inputs_and_of_results() -> None:
    converter = convert.converter(User)
    settled = payload.fill_defaults(converter, read_input(None, ["name=Ann"])).input
    given = payload.load_payload(converter, settled).value
    returned = convert.round_trip(converter, User(name="Ann"))[1]
    assert given.model_fields_set == returned.model_fields_set == {"name", "mail"}


def test_a_deque_and_a_defaultdict_have_what_a_validator_gives_them() -> None:
    bare, wrapped = convert.converter(deque[int]), convert.converter(Last3)
    assert convert.round_trip(bare, deque([1], maxlen=3))[1].maxlen is None
    assert convert.round_trip(wrapped, deque([1], maxlen=3))[1].maxlen == 3
    bare, wrapped = convert.converter(defaultdict[str, int]), convert.converter(Fives)
    assert convert.round_trip(bare, defaultdict(five))[1]["a"] == 0
    assert convert.round_trip(wrapped, defaultdict(five))[1]["a"] == 5


def test_a_decimal_has_the_digits_of_its_text_and_of_a_number_those_of_a_float() -> None:
    digits = "12345678901234567.89"
    amounts = [
        payload.load_payload(pay.input, pay.settle(given, is_compared=False).input).value.amount
        for given in (
            read_input(None, [], {"amount": pay.fields[0].value_of(digits)}),
            read_input(None, [f"amount={digits}"]),
            read_input(f'{{"amount": "{digits}"}}', []),
            read_input(None, [f"amount:={digits}"]),
        )
    ]
    assert [*map(str, amounts)] == [digits, digits, digits, "12345678901234568"]
