"""What users write: no checker may find an error here, and it runs."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, assert_type

from durably import (
    Approval,
    AsyncJob,
    AsyncStep,
    CommandResult,
    DurablyStore,
    File,
    FileChanged,
    Job,
    NotDone,
    Results,
    Run,
    RunFailed,
    Step,
    define_job,
    signal,
)
from pydantic import BaseModel
from typing_extensions import TypedDict


class SyncUsersInput(BaseModel):
    org_id: str
    force: bool = False


class SyncUsersOutput(BaseModel):
    synced_count: int
    errors: list[str]


class User(BaseModel):
    id: str
    name: str


class Batch(TypedDict):
    org_id: str
    sizes: list[int]


@dataclass
class Range:
    first: int
    last: int

    def size(self, scale: int = 1) -> int:
        return (self.last - self.first) * scale


class Greeter:
    def __init__(self, greeting: str) -> None:
        self.greeting = greeting

    def greet(self, user: User, mark: str = "!") -> str:
        return f"{self.greeting} {user.name}{mark}"

    def __call__(self, count: int) -> list[str]:
        return [self.greeting] * count


def fetch_users(org_id: str, limit: int) -> list[User]:
    return [User(id=str(number), name=org_id) for number in range(limit)]


def save_user(user: User, force: bool = False) -> str | None:
    return None if force else f"{user.id} is there already"


def read_anything(text: str) -> Any:
    return json.loads(text)


def users_of_unknown_type(org_id: str) -> Any:
    return [User(id="1", name=org_id)]


def total(*numbers: int) -> int:
    return sum(numbers)


@define_job(name="sync-users", input=SyncUsersInput, output=SyncUsersOutput)
def sync_users(step: Step, payload: SyncUsersInput) -> SyncUsersOutput:
    users = step.run("fetch-users", fetch_users, payload.org_id, 3)
    assert_type(users, list[User])
    step.log.info("fetched users", count=len(users))
    errors: list[str] = []
    for done, user in enumerate(users):
        step.progress(done, len(users), user.name)
        error = step.run(f"save-{user.id}", save_user, user, payload.force)
        assert_type(error, str | None)
        if error:
            errors.append(error)
    return SyncUsersOutput(synced_count=len(users) - len(errors), errors=errors)


@define_job
def bare(step: Step, payload: SyncUsersInput) -> int:
    return len(payload.org_id)


@define_job
def of_the_step(step: Step) -> int:
    return step.attempt


assert_type(of_the_step, Job[None, int])


@define_job(name="named", output=list[User])
def named_of_the_step(step: Step) -> list[User]:
    return step.run("fetch", fetch_users, "org", 2)


@define_job()
def with_nothing(step: Step, payload: Range) -> list[int]:
    return [payload.first, payload.last]


@define_job(name="inferred.from-annotations")
def inferred(step: Step, payload: Batch) -> SyncUsersOutput | None:
    return SyncUsersOutput(synced_count=sum(payload["sizes"]), errors=[])


@define_job(input=SyncUsersInput)
def only_input(step: Step, payload: SyncUsersInput) -> str:
    return payload.org_id


@define_job(name="only-the-output", output=SyncUsersOutput)
def only_output(step: Step, payload: dict[str, int]) -> SyncUsersOutput:
    return SyncUsersOutput(synced_count=payload["count"], errors=[])


@define_job(input=Batch, output=list[User])
def typed_dict(step: Step, payload: Batch) -> list[User]:
    return step.run("fetch", fetch_users, payload["org_id"], payload["sizes"][0])


@define_job(input=Range, output=Range)
def of_dataclass(step: Step, payload: Range) -> Range:
    return step.run("grow", Range, payload.first, payload.last + 1)


@define_job(input=dict[str, Any], output=dict[str, int])
def plain_dict(step: Step, payload: dict[str, Any]) -> dict[str, int]:
    return {key: len(str(value)) for key, value in payload.items()}


@define_job
def without_output(step: Step, payload: None) -> None:
    step.run("greet", print, "hello")


@define_job
def kinds_of_functions(step: Step, payload: Range) -> None:
    greeter, user = Greeter("hello"), User(id="1", name="Ada")
    assert_type(step.run("function", fetch_users, "acme", 1), list[User])
    assert_type(step.run("default", save_user, user), str | None)
    assert_type(step.run("many", total, 1, 2, 3), int)
    assert_type(step.run("lambda", lambda: payload.first + 1), int)
    assert_type(step.run("lambda-of-model", lambda: fetch_users("acme", 1)[0].name), str)
    assert_type(step.run("lambda-with-argument", lambda last: last + 1, payload.last), int)
    assert_type(step.run("method", payload.size, 2), int)
    assert_type(step.run("method-with-default", greeter.greet, user), str)
    assert_type(step.run("partial", partial(fetch_users, "acme"), 2), list[User])
    assert_type(step.run("whole-partial", partial(fetch_users, "acme", 2)), list[User])
    assert_type(step.run("class", Range, 1, 2), Range)
    assert_type(step.run("class-of-python", int, "12"), int)
    assert_type(step.run("callable", greeter, 2), list[str])
    assert_type(step.run("builtin", len, [1, 2]), int)


@define_job
def results_of_declared_type(step: Step, payload: Range) -> None:
    users = step.run("of-any", users_of_unknown_type, "acme", returns=list[User])
    assert_type(users, list[User])
    assert_type(users[0].name, str)
    found = step.run("of-lambda", lambda: read_anything('{"a": 1}'), returns=dict[str, int])
    assert_type(found, dict[str, int])
    by_id = step.run("of-empty", lambda: {"acme": []}, returns=dict[str, list[User]])
    assert_type(by_id, dict[str, list[User]])
    record = {"id": "1", "name": "Ada"}
    assert_type(step.run("of-model", User.model_validate, record, returns=User), User)
    assert_type(step.run("of-json", read_anything, "1", returns=int), int)
    assert_type(step.run("the-same", fetch_users, "acme", 1, returns=list[User]), list[User])
    assert_type(step.run("pair", lambda: (1, "a"), returns=tuple[int, str]), tuple[int, str])


@define_job
def the_step(step: Step, payload: SyncUsersInput) -> str:
    assert_type(step.run_id, str)
    assert_type(step.attempt, int)
    step.log.info("a line")
    step.log.info("a line", count=1, user=User(id="1", name="Ada"), parts=[1, 2])
    step.log.warn("a line", reason="odd")
    step.log.error("a line", reason=None)
    step.log.debug("a line", n=1)
    step.log.warning("a line", n=1)
    step.log.exception("a line", n=1)
    step.progress(1)
    step.progress(1, 10)
    step.progress(0.5, 1.0, "half of it")
    step.progress(3, message="no total")
    if payload.org_id == "fails":
        raise ValueError("no such organisation")
    return f"{step.run_id}, attempt {step.attempt}"


def pay(connection: sqlite3.Connection, word: str) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS paid (word TEXT)")
    return connection.execute("INSERT INTO paid VALUES (?)", (word,)).rowcount


@define_job
def in_a_database(step: Step) -> int:
    assert_type(step.transaction("path", "paid.db", pay, "one"), int)
    rows = step.transaction("connection", lambda: sqlite3.connect("paid.db"), pay, "two", tries=2)
    return rows + step.transaction("declared", Path("paid.db"), pay, "three", returns=int)


class Export(BaseModel):
    table: File
    others: list[File] = []


def export(name: str) -> File:
    Path(name).write_text("a,b")
    return File(Path(name), changed="fail")


def export_all(names: list[str]) -> Export:
    return Export(table=export(names[0]), others=[export(name) for name in names])


@define_job
def of_files(step: Step) -> File:
    file = step.run("one", export, "one.csv")
    assert_type(file, File)
    with open(file) as opened:
        assert_type(opened.read(), str)
    assert_type((file.path, file.size, file.sha256, file.mtime), tuple[Path, int, str, int | None])
    assert_type(file.is_unchanged(), bool)
    assert_type(step.run("declared", lambda: File("one.csv"), returns=File), File)
    return step.run("all", export_all, ["one.csv", "two.csv"]).others[0]


def trigger_jobs() -> None:
    run = sync_users.trigger(SyncUsersInput(org_id="acme", force=True))
    assert_type(run, Run[SyncUsersOutput])
    assert_type(run.output, SyncUsersOutput)
    assert_type(run.output.synced_count, int)
    assert_type(run.output.errors, list[str])
    assert_type(run.id, str)
    same = sync_users.trigger(
        SyncUsersInput(org_id="acme", force=True),
        idempotency_key="first",
        concurrency_key="acme",
        labels={"team": "core", "trigger": "test"},
    )
    if same.status == "completed" and same.error is None:
        print(same.id.upper(), same.status.upper(), same.output.synced_count)
    assert_type(bare.trigger(SyncUsersInput(org_id="acme")).output, int)
    assert_type(with_nothing.trigger(Range(1, 2)).output, list[int])
    assert_type(inferred.trigger({"org_id": "acme", "sizes": [1]}).output, SyncUsersOutput | None)
    assert_type(only_input.trigger(SyncUsersInput(org_id="acme")).output, str)
    assert_type(only_output.trigger({"count": 1}).output.synced_count, int)
    assert_type(typed_dict.trigger({"org_id": "acme", "sizes": [1, 2]}).output[0], User)
    assert_type(typed_dict.trigger(Batch(org_id="acme", sizes=[1])).output, list[User])
    assert_type(of_dataclass.trigger(Range(1, 2)).output.last, int)
    assert_type(plain_dict.trigger({"a": 1, "b": [None]}).output, dict[str, int])
    assert_type(without_output.trigger(None).output, None)
    assert_type(kinds_of_functions.trigger(Range(1, 2)).output, None)
    assert_type(results_of_declared_type.trigger(Range(1, 2)).output, None)
    assert_type(of_the_step.trigger().output + of_the_step(Step()), int)
    assert_type(in_a_database.trigger().output, int)
    assert_type(of_files.trigger().output.size, int)
    assert_type(named_of_the_step.trigger(labels={"a": "b"}).output, list[User])
    failing = the_step.trigger(SyncUsersInput(org_id="fails"))
    try:
        assert_type(failing.output, str)
    except RunFailed as failed:
        print(failed, failing.error.message if failing.error else "")


def call_jobs() -> None:
    payload = SyncUsersInput(org_id="acme", force=True)
    output = sync_users(Step(), payload)
    assert_type(output, SyncUsersOutput)
    assert output.synced_count == 3
    assert_type(of_dataclass(Step(), Range(1, 2)), Range)
    assert_type(plain_dict(Step(), {"a": 1}), dict[str, int])
    assert_type(inferred(Step(), {"org_id": "acme", "sizes": []}), SyncUsersOutput | None)
    kinds_of_functions(Step(), Range(1, 2))
    results_of_declared_type(Step(), Range(1, 2))
    the_step(Step(run_id="test", attempt=2), payload)


def names_of(jobs: list[Job[Any, Any]]) -> list[str]:
    return [job.name for job in jobs]


assert_type(sync_users, Job[SyncUsersInput, SyncUsersOutput])
assert_type(only_input, Job[SyncUsersInput, str])
assert_type(only_output, Job[dict[str, int], SyncUsersOutput])
a_handler: Callable[[Step, SyncUsersInput], SyncUsersOutput] = sync_users

if __name__ == "__main__":
    trigger_jobs()
    call_jobs()
    print(*names_of([sync_users, only_input, only_output]))


def charge(cents: int) -> str:
    return f"paid {cents}"


def find_charge(cents: int) -> str:
    if cents > 100:
        raise NotDone
    return f"found {cents}"


@define_job
def doubts(step: Step) -> str:
    asked = step.run("asked", charge, 1, in_doubt="stop")
    again = step.run("again", charge, 2, in_doubt="again")
    assert_type(step.run("looked", charge, 3, in_doubt=find_charge, tries=2), str)
    assert_type(step.run("declared", lambda: "x", returns=str, in_doubt=lambda: "y"), str)
    try:
        return step.sh("dump", "true", in_doubt="stop").stdout + asked + again
    except FileChanged as changed:
        return str(changed)


async def price_of(symbol: str) -> float:
    return float(len(symbol))


@define_job
async def prices(step: AsyncStep, payload: list[str]) -> float:
    assert_type(await step.run("one", price_of, "A"), float)
    assert_type(await step.run("plain", charge, 1, tries=2, timeout="1m"), str)
    assert_type(await step.run("declared", lambda: 1, returns=int), int)
    assert_type(await step.map("items", price_of, payload), list[float])
    assert_type(await step.map("plain items", len, payload, concurrency=64), list[int])
    assert_type(await step.map("collected", price_of, payload, on_error="collect"), Results[float])
    assert_type(await step.for_each("bodies", price_in_steps, payload), list[float])
    assert_type(await step.sh("program", "true"), CommandResult)
    assert_type(await step.scope("scope").run("one", price_of, "B"), float)
    first, second = await asyncio.gather(
        step.run("first", price_of, "C"), step.run("second", price_of, "D")
    )
    assert_type(first, float)
    number: float
    text: str
    number, text = await asyncio.gather(
        step.run("third", price_of, "E"), step.run("fourth", charge, 2)
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(step.run("fifth", price_of, "F"))
    assert_type(task.result(), float)
    step.log.info("priced", text=text)
    step.progress(1, 2)
    return first + second + number


async def price_in_steps(step: AsyncStep, symbol: str) -> float:
    return await step.run("price", price_of, symbol)


@define_job(name="of-no-input", output=int, timeout="1m")
async def of_no_input(step: AsyncStep) -> int:
    return step.attempt


assert_type(prices, AsyncJob[list[str], float])
assert_type(of_no_input, AsyncJob[None, int])
any_job: Job[list[str], float] = prices


async def call_async_jobs() -> None:
    assert_type(await prices(AsyncStep(), ["A"]), float)
    assert_type(await of_no_input(AsyncStep()), int)


def map_many(step: Step) -> None:
    assert_type(step.map("lengths", len, ["a", "b"]), list[int])
    assert_type(step.map("collected", len, ["a"], on_error="collect").failed, dict[Any, Exception])
    assert_type(step.for_each("bodies", lambda step, item: len(item), ["a"]), list[int])


@define_job
def of_fields(step: Step, *, folder: Path, size: int = 200) -> int:
    return size


@define_job(name="of-fields-with-defaults")
def of_fields_with_defaults(step: Step, *, size: int = 200) -> int:
    return size


@define_job
async def of_fields_in_a_loop(step: AsyncStep, *, folder: Path) -> str:
    return str(folder)


def call_jobs_of_fields(step: Step) -> None:
    assert_type(of_fields(Step(), folder=Path(), size=3), int)
    assert_type(of_fields_with_defaults(Step(), size=3), int)
    assert_type(of_fields_with_defaults(Step()), int)
    assert_type(step.run_job("fields", of_fields, {"folder": Path()}), int)


def trigger_jobs_of_fields() -> None:
    assert_type(of_fields.trigger({"folder": Path()}), Run[int])
    assert_type(of_fields_with_defaults.trigger({"size": 3}), Run[int])
    of_fields.main()


async def call_jobs_of_fields_in_a_loop() -> None:
    assert_type(await of_fields_in_a_loop(AsyncStep(), folder=Path()), str)


@define_job
def part(step: Step, payload: int) -> str:
    return str(payload)


def wait_for_much(step: Step) -> None:
    step.sleep("a while", "3d")
    polled = step.poll("polled", lambda: 3 if step.attempt else None, every="10s", timeout="3d")
    assert_type(polled, int)
    assert_type(step.poll("with arguments", charge_or_none, 3, every=1, tries=3), str)
    assert_type(step.wait_signal("number", int, timeout=1, default=None), int | None)
    assert_type(step.wait_signal("approval", Approval), Approval)
    assert_type(step.run_job("child", part, 3, labels={"a": "b"}), str)


def charge_or_none(number: int) -> str | None:
    return str(number)


async def wait_in_a_loop(step: AsyncStep) -> None:
    await step.sleep("a while", timedelta(days=3))
    assert_type(await step.poll("polled", charge_or_none, 3, every="10s"), str)
    assert_type(await step.wait_signal("number", int, timeout=1, default=None), int | None)
    assert_type(await step.run_job("child", part, 3), str)


def take_up(durably_store: DurablyStore) -> None:
    run = part.trigger(1, suspend=True)
    durably_store.pass_time("3d")
    signal(run, "number", 3)
    signal(run.id, "number", 3)
    assert_type(part.resume(run.id, suspend=True), Run[str])


if __name__ == "__main__":
    asyncio.run(call_async_jobs())
    map_many(Step())
    call_jobs_of_fields(Step())
    asyncio.run(call_jobs_of_fields_in_a_loop())
    wait_for_much(Step(signals={"number": 1, "approval": Approval(approved=True)}))
