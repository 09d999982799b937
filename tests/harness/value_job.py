"""A job whose steps return values of all kinds; a test copies it into a project and runs it there.

Its effects are JSON lines: what a step made, what the job got from it in each attempt, and what was
refused with which words.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, PrivateAttr, RootModel, computed_field
from typing_extensions import TypedDict

from durably_cli import Step, define_job

T = TypeVar("T")


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Mode(StrEnum):
    FAST = "fast"


class Base(BaseModel):
    x: int = 1


class Derived(Base):
    y: int = 2


class Aliased(BaseModel):
    org_id: str = Field(alias="orgId")


class Computed(BaseModel):
    side: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def area(self) -> int:
        return self.side**2


class WithPrivate(BaseModel):
    shown: int
    _hidden: int = PrivateAttr(default=0)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    name: str = "Rex"


Animal = Annotated[Cat | Dog, Field(discriminator="kind")]


class Owner(BaseModel):
    pets: list[Animal]
    since: date | None = None


class Box(BaseModel, Generic[T]):
    content: T


class Names(RootModel[list[str]]):
    pass


class OneWay(BaseModel):
    org_id: str = Field(serialization_alias="organisation")


@dataclasses.dataclass
class Point:
    x: int
    y: float
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    inner: Point
    when: datetime


class Pair(NamedTuple):
    a: int
    b: str


class Movie(TypedDict):
    title: str
    year: int


class LoudText(str):
    pass


class LoudInt(int):
    pass


class LoudDict(dict[str, int]):
    pass


NOON = datetime(2026, 11, 24, 12, 0, 0, 123456)
REPEATED = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
EAST = timezone(timedelta(hours=5, minutes=30))


async def coroutine() -> int:
    return 1


def private(value: int) -> WithPrivate:
    made = WithPrivate(shown=1)
    made._hidden = value
    return made


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


Made = tuple[Callable[[], Any], Any]

KEPT: dict[str, Made] = {
    "none": (lambda: None, None),
    "true": (lambda: True, None),
    "false as bool": (lambda: False, bool),
    "zero": (lambda: 0, None),
    "a big int": (lambda: 2**64 + 1, None),
    "a bigger int": (lambda: 10**4000, int),
    "a negative int": (lambda: -(2**63) - 1, int),
    "minus zero": (lambda: -0.0, None),
    "a large float": (lambda: 1e308, None),
    "a small float": (lambda: 5e-324, float),
    "a third": (lambda: 1 / 3, None),
    "a whole float": (lambda: 3.0, None),
    "a text": (lambda: "text", str),
    "an empty text": (lambda: "", None),
    "NUL": (lambda: "a\0b", None),
    "control characters": (lambda: "\x1b[31m\r\n\t\x7f\u2028", None),
    "emoji": (lambda: "\U0001f600\N{SNOWMAN}e\u0301", None),
    "10 KB of text": (lambda: 'ä"\\' * 3413, None),
    "what looks like JSON": (lambda: '{"crc":"00000000"}\\u0000', None),
    "a list": (lambda: [1, "a", None, [True, 2.0]], None),
    "a dict": (lambda: {"b": 1, "a": {"": [], "\0": {}}}, None),
    "nested 150 deep": (lambda: nested(150), None),
    "what looks like a blob": (lambda: {"$blob": "x.blobs/" + "0" * 64, "bytes": 5}, None),
    "what looks like a blob inside": (lambda: [{"$blob": "x", "bytes": 5}], None),
    "more than 64 KiB": (lambda: ["x" * 70_000, 1.5], None),
    "more than 64 KiB of models": (lambda: [Base(x=n) for n in range(9000)], list[Base]),
    "bytes": (lambda: b"bytes", bytes),
    "bytes that are no UTF-8": (lambda: [b"\xff\0", b"text"], list[bytes]),
    "a datetime of a zone": (lambda: REPEATED, datetime),
    "a tuple": (lambda: (1, "a"), tuple[int, str]),
    "tuples in a list": (lambda: [(1, 2), (3, 4)], list[tuple[int, int]]),
    "a set": (lambda: {1, 2, 3}, set[int]),
    "a frozenset": (lambda: frozenset({"a"}), frozenset[str]),
    "a deque": (lambda: deque([1, 2]), deque[int]),
    "a dict with int keys": (lambda: {1: "a", 20: "b"}, dict[int, str]),
    "a dict with date keys": (lambda: {date(2026, 1, 2): 1}, dict[date, int]),
    "a naive datetime": (lambda: NOON, datetime),
    "a datetime in UTC": (lambda: NOON.replace(tzinfo=UTC), datetime),
    "a datetime with an offset": (lambda: NOON.replace(tzinfo=EAST), datetime),
    "a time in UTC": (lambda: time(1, 2, 3, tzinfo=UTC), time),
    "a date": (lambda: NOON.date(), date),
    "a time": (lambda: time(1, 2, 3, 4), time),
    "a timedelta": (lambda: timedelta(days=-1, seconds=3, microseconds=5), timedelta),
    "a Decimal": (lambda: Decimal("1.10"), Decimal),
    "a large Decimal": (lambda: Decimal("1E+999"), Decimal),
    "a UUID": (lambda: UUID(int=7), UUID),
    "a Path": (lambda: Path("/tmp/ä b"), Path),
    "an Enum": (lambda: Colour.RED, Colour),
    "an IntEnum": (lambda: Level.HIGH, Level),
    "a StrEnum": (lambda: Mode.FAST, Mode),
    "a dataclass": (lambda: Point(1, 2.5, ["a"]), Point),
    "a frozen dataclass": (lambda: Frozen(Point(1, 2.5), NOON), Frozen),
    "a NamedTuple": (lambda: Pair(1, "b"), Pair),
    "a TypedDict": (lambda: Movie(title="Dune", year=1984), Movie),
    "a model": (lambda: Base(x=3), Base),
    "a subclass by a union": (lambda: Derived(x=3), Base | Derived),
    "an alias": (lambda: Aliased(orgId="o"), Aliased),
    "a computed field": (lambda: Computed(side=3), Computed),
    "a private attribute at its default": (lambda: private(0), WithPrivate),
    "a discriminated union": (lambda: [Cat(), Dog()], list[Animal]),
    "models in a model": (lambda: Owner(pets=[Dog(), Cat()], since=NOON.date()), Owner),
    "an Optional that is None": (lambda: None, Base | None),
    "an Optional that is not": (lambda: Base(x=4), Base | None),
    "a generic model": (lambda: Box[list[int]](content=[1]), Box[list[int]]),
    "a RootModel": (lambda: Names(["a"]), Names),
    "a Literal": (lambda: "left", Literal["left", "right"]),
    "an int where a float is declared": (lambda: 3, float),
}

REFUSED: dict[str, tuple[*Made, str, str]] = {
    "nan": (lambda: float("nan"), None, "", "return None or a text in its place"),
    "inf": (lambda: {"k": [1, float("inf")]}, None, "at $['k'][1],", "return None or a text"),
    "nan as float": (lambda: float("nan"), float, "", "return None or a text"),
    "half a surrogate pair": (lambda: ["\ud800"], None, "at $[0],", "lone surrogate"),
    "a tuple that nothing declares": (lambda: [(1, 2)], None, "at $[0],", "return a list"),
    "a set that nothing declares": (lambda: {1}, None, "", "annotate what the function"),
    "bytes that nothing declares": (lambda: b"x", None, "", "annotate what the function"),
    "a dict with int keys": (lambda: {1: 2}, None, "", "use text for keys"),
    "a dict with both keys": (lambda: {1: 2, "1": 3}, None, "", "use text for keys"),
    "a generator": (lambda: (n for n in range(3)), None, "", "return a list of what"),
    "a coroutine": (coroutine, None, "is async", "asyncio.run"),
    "a subclass of str": (lambda: LoudText("a"), None, "", "return a str"),
    "a subclass of int": (lambda: [LoudInt(1)], None, "at $[0],", "return a int"),
    "a subclass of dict": (lambda: LoudDict(a=1), None, "", "return a dict"),
    "an OrderedDict": (lambda: OrderedDict(a=1), None, "", "return a dict"),
    "an IntEnum as int": (lambda: Level.HIGH, int, "", "return a int"),
    "a bool where an int is declared": (lambda: True, int, "", "return a int"),
    "text where an int is declared": (lambda: "5", int, "", "its declared type is int"),
    "a model where a dict is declared": (lambda: Base(), dict, "", "declared type is dict"),
    "a model that nothing declares": (lambda: [Base()], None, "at $[0],", "annotate what"),
    "a subclass with more fields": (lambda: [Derived()], list[Base], "at $[0],", "return a Base"),
    "a private attribute that is set": (lambda: private(5), WithPrivate, "", "different"),
    "an alias of one way": (lambda: OneWay(org_id="o"), OneWay, "at $.org_id,", "required"),
    "an int that is too long": (lambda: [10**5000], None, "at $[0],", "4,300 digits"),
    "nested too deeply": (lambda: nested(100_000), None, "", "nested too deeply"),
}


def told(what: str, name: str, value: object) -> None:
    """Append a line to the effects."""
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (json.dumps([what, name, value]) + "\n").encode())
    os.close(fd)


def deep(value: Any) -> str:
    """The value with the types of all its parts."""
    kind = type(value).__qualname__
    if isinstance(value, BaseModel):
        return f"{kind}{deep(vars(value))}{deep(value.__pydantic_private__)}"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return f"{kind}{[deep(getattr(value, each.name)) for each in dataclasses.fields(value)]}"
    if isinstance(value, dict):
        return f"{kind}{[(deep(key), deep(item)) for key, item in value.items()]}"
    if isinstance(value, (set, frozenset)):
        return f"{kind}{sorted(map(deep, value))}"
    if isinstance(value, (list, tuple, deque)):
        return f"{kind}[{', '.join(map(deep, value))}]"
    if isinstance(value, (datetime, time)):  # a zone comes back as one of another class
        return f"{kind} {value.isoformat()} {value.utcoffset()}"
    return f"{kind} {value!r}"


@define_job
def values(step: Step, payload: dict[str, Any]) -> None:
    """Return every value from a step, and say what came of it."""
    for name, (make, declared) in KEPT.items():
        got = step.run(name, made, name, make, returns=declared)
        told(f"got {step.attempt}", name, deep(got))
    for name, (make, declared, _, _) in REFUSED.items():
        try:
            step.run(f"refused: {name}", make, returns=declared)
        except Exception as error:
            told(f"refused {step.attempt}", name, str(error))
    if step.attempt == 1:
        raise RuntimeError("the first attempt fails")


def made(name, make):  # type: ignore[no-untyped-def]
    """What the step returns; annotated with nothing, so that only `returns` declares its type."""
    value = make()
    told("made", name, deep(value))
    return value
