"""What users must not write: the marked lines are errors, and no others. It never runs."""

import sqlite3
from functools import partial
from typing import Any

from durably import AsyncStep, File, Job, Step, define_job
from pydantic import BaseModel


class SyncUsersInput(BaseModel):
    org_id: str
    force: bool = False


class SyncUsersOutput(BaseModel):
    synced_count: int
    errors: list[str]


class User(BaseModel):
    id: str
    name: str


class Source:
    def __init__(self, path: str) -> None:
        self.path = path

    def fetch(self, org_id: str) -> list[User]:
        return fetch_users(org_id, 1)


def fetch_users(org_id: str, limit: int) -> list[User]:
    return [User(id=str(number), name=org_id) for number in range(limit)]


def save_user(user: User) -> str | None:
    return None if user.name else f"{user.id} has no name"


def anything() -> Any:
    return 1


@define_job(name="sync-users", input=SyncUsersInput, output=SyncUsersOutput)
def sync_users(step: Step, payload: SyncUsersInput) -> SyncUsersOutput:
    return SyncUsersOutput(synced_count=0, errors=[])


@define_job
def bare(step: Step, payload: SyncUsersInput) -> int:
    return 1


@define_job(input=dict[str, int])
def plain_dict(step: Step, payload: dict[str, int]) -> str | None:
    return None


@define_job(input=SyncUsersInput, output=SyncUsersOutput)  # error: it returns a str
def returns_another(step: Step, payload: SyncUsersInput) -> str:
    return payload.org_id


@define_job(input=SyncUsersInput, output=SyncUsersOutput)  # error: it may return None
def returns_none_too(step: Step, payload: SyncUsersInput) -> SyncUsersOutput | None:
    return None


@define_job(input=SyncUsersInput, output=SyncUsersOutput)  # error: its payload is a User
def takes_another(step: Step, payload: User) -> SyncUsersOutput:
    return SyncUsersOutput(synced_count=0, errors=[])


@define_job(input=SyncUsersInput)  # error: its payload is a dict
def takes_dict(step: Step, payload: dict[str, str]) -> int:
    return 1


@define_job(name="returns-list", output=SyncUsersOutput)  # error: it returns a list
def returns_list(step: Step, payload: SyncUsersInput) -> list[User]:
    return []


@define_job(output=SyncUsersOutput)  # error: it is async
async def asynchronous(step: Step, payload: SyncUsersInput) -> SyncUsersOutput:
    return SyncUsersOutput(synced_count=0, errors=[])


@define_job  # error: it takes no step
def without_step() -> int:
    return 1


@define_job(name="other-order")  # error: the step comes first
def other_order(payload: SyncUsersInput, step: Step) -> int:
    return 1


def trigger_jobs(payload: SyncUsersInput) -> None:
    sync_users.trigger("acme")  # error: a str
    sync_users.trigger(User(id="1", name="Ada"))  # error: another model
    sync_users.trigger({"org_id": "acme"})  # error: a dict for a model
    sync_users.trigger(None)  # error: None
    sync_users.trigger()  # error: no input
    sync_users.trigger(payload, "key")  # error: keys are given by name
    sync_users.trigger(payload, key="first")  # error: no such keyword
    sync_users.trigger(payload, idempotency_key=1)  # error: an int for a key
    sync_users.trigger(payload, concurrency_key=["acme"])  # error: a list for a key
    sync_users.trigger(payload, labels={"count": 1})  # error: an int for a label
    sync_users.trigger(payload, labels=["core"])  # error: a list for labels
    bare.trigger("acme")  # error: a str
    plain_dict.trigger({"count": "one"})  # error: a str for an int
    plain_dict.trigger(payload)  # error: a model for a dict


def use_runs(payload: SyncUsersInput) -> None:
    run = sync_users.trigger(payload)
    run.output.synced_count.upper()  # error: an int
    print(run.output.synced)  # error: no such field
    print(run.output["synced_count"])  # error: a model, not a dict
    run.output.errors.append(1)  # error: texts only
    run.output = SyncUsersOutput(synced_count=1, errors=[])  # error: it is read-only
    print(run.id + 1)  # error: a str
    print(run.state)  # error: no such attribute
    errors: list[int] = run.output.errors  # error: texts, not numbers
    bare.trigger(payload).output.upper()  # error: an int
    plain_dict.trigger({}).output.upper()  # error: it may be None
    text: str = sync_users(Step(), payload)  # error: a SyncUsersOutput
    sync_users(payload)  # error: the step is left out
    sync_users(Step(), "acme")  # error: a str
    job: Job[User, int] = bare  # error: it takes another model
    print(errors, text, job)


def call_steps(step: Step, source: Source, user: User) -> None:
    step.run("too-few", fetch_users, "acme")  # error: no limit
    step.run("none", fetch_users)  # error: no arguments
    step.run("too-many", fetch_users, "acme", 1, 2)  # error: one too many
    step.run("wrong", fetch_users, "acme", "1")  # error: a str for an int
    step.run("swapped", fetch_users, 1, "acme")  # error: the other order
    step.run("by-name", fetch_users, "acme", limit=1)  # error: not by name
    step.run("another", save_user, "1")  # error: a str for a User
    step.run("too-few-lambda", lambda org_id: org_id)  # error: no argument
    step.run("too-many-lambda", lambda: 1, 2)  # error: an argument for none
    step.run("method", source.fetch, 1)  # error: an int for a str
    step.run("too-many-method", source.fetch, "acme", 1)  # error: one too many
    step.run("partial", partial(fetch_users, "acme"), "1")  # error[pyright]: a str for an int
    step.run("class", Source, 1)  # error: an int for a str
    step.run("called", source.fetch("acme"))  # error: a result, not a function
    step.run("no-function")  # error: no function
    step.run(save_user, user)  # error: no name
    step.run(1, save_user, user)  # error: an int for a name
    step.run("wrong-typed", fetch_users, 1, "acme", returns=list[User])  # error: the other order
    step.run("few-typed", fetch_users, "acme", returns=list[User])  # error: no limit
    step.run("no-type", anything, returns=5)  # error: 5 is no type


def use_results(step: Step, source: Source, user: User) -> None:
    users = step.run("fetch", fetch_users, "acme", 1)
    print(users + 1)  # error: a list plus an int
    print(users.name)  # error: a list has no name
    print(users[0].nickname)  # error: no such field
    users.append("Ada")  # error: users only
    step.run("save", save_user, user).upper()  # error: it may be None
    step.run("lambda", lambda: 1).upper()  # error: an int
    step.run("method", source.fetch, "acme").upper()  # error: a list
    step.run("partial", partial(fetch_users, "acme"), 1).upper()  # error: a list
    print(step.run("class", Source, "users.json").name)  # error: no such attribute
    count: int = step.run("fetch-again", fetch_users, "acme", 1)  # error: a list, not an int
    print(count)


def use_declared_results(step: Step) -> None:
    number: int = step.run("text", anything, returns=str)  # error: a str, not an int
    users: list[str] = step.run("users", anything, returns=list[User])  # error: users, not texts
    step.run("number", anything, returns=int).upper()  # error: an int
    print(step.run("more-users", anything, returns=list[User]) + 1)  # error: a list
    print(step.run("user", anything, returns=User).nickname)  # error: no such field
    print(step.run("lambda", lambda: anything(), returns=list[User]).name)  # error: a list
    print(number, users)


def paid(connection: sqlite3.Connection, word: str) -> int:
    return connection.execute("INSERT INTO paid VALUES (?)", (word,)).rowcount


def use_transactions(step: Step) -> None:
    step.transaction("one", "a.db", paid, 1)  # error: a str, not an int
    step.transaction("two", "a.db", paid)  # error: an argument is missing
    step.transaction("three", 5, paid, "x")  # error: no path, and no function
    step.transaction("four", "a.db", paid, "x").upper()  # error: an int
    step.transaction("five", "a.db", paid, "x", timeout=1)  # error: it takes none


def use_files(step: Step) -> None:
    file = step.run("file", lambda: File("out.csv"))
    File("out.csv", changed="never")  # error: no such word
    File(5)  # error: no path
    file.size = 5  # error: nobody changes it
    file.path.upper()  # error: a path
    print(file + "x")  # error: no text


def use_step(step: Step) -> None:
    step.log.info(1)  # error: a message is a text
    step.log.info("done", 1)  # error: data is given by name
    step.log.trace("done")  # error: no such level
    step.progress("half")  # error: a number
    step.progress(1, 10, 5)  # error: a message is a text
    print(step.run_id + 1)  # error: a str
    step.attempt.upper()  # error: an int
    step.sleep(1)  # error: no such method


def find(cents: int) -> int:
    return cents


def use_in_doubt(step: Step) -> None:
    step.run("one", find, 1, in_doubt="perhaps")  # error: no way to deal with doubt
    step.run("two", find, 1, in_doubt=lambda: 1)  # error: it takes the step's arguments
    step.run("three", find, 1, in_doubt=True)  # error: no way either
    step.sh("four", "true", in_doubt=lambda: 1)  # error: it takes the command
    step.transaction("five", "a.db", find, 1, in_doubt="stop")  # error: there is no doubt


async def price_of(symbol: str) -> float:
    return float(len(symbol))


async def use_async_steps(step: AsyncStep) -> None:
    await step.run("one", price_of, 1)  # error: an int for a str
    await step.run("two", price_of)  # error: no symbol
    step.run("three", price_of, "A").upper()  # error: a coroutine
    (await step.run("four", price_of, "A")).upper()  # error: a float
    await step.map("five", price_of, [1])  # error: ints for texts
    print((await step.map("six", len, ["a"])).ok)  # error: a list
    await step.for_each("seven", lambda step, item: 1, ["a"])  # error: a plain body
    await step.log.info("eight")  # error: nothing to await
    await step.transaction("nine", "a.db", price_of, timeout=1)  # error: it takes none


@define_job  # error: a plain function takes a Step
def takes_an_async_step(step: AsyncStep, payload: SyncUsersInput) -> int:
    return 1


@define_job
async def asynchronously(step: AsyncStep, payload: SyncUsersInput) -> int:
    return 1


async def call_async_job(payload: SyncUsersInput) -> None:
    asynchronously(Step(), payload)  # error: a Step
    asynchronously(AsyncStep(), payload).bit_length()  # error: a coroutine
    (await asynchronously(AsyncStep(), payload)).upper()  # error: an int
    asynchronously.trigger(payload).output.upper()  # error: an int


def map_many(step: Step) -> None:
    step.map("one", len, [1])  # error: ints have no length
    print(step.map("two", len, ["a"]).ok)  # error: a list
    step.map("three", len, ["a"], on_error="never")  # error: no such word
    step.map("four", len, ["a"], rate=5)  # error: a rate is a text


def wait_for_much(step: Step, child: Job[int, str]) -> None:
    step.sleep("one", [])  # error: no span of time
    step.poll("two", len, every=1)  # error: no argument for len
    step.wait_signal("three", int).upper()  # error: an int
    step.wait_signal("four", int, default=None).bit_length()  # error: it may be None
    step.run_job("five", child, "a")  # error: a text for an int
    step.run_job("six", child, 1).bit_length()  # error: a text
    child.resume(3)  # error: a run is named by a text


@define_job
def of_fields(step: Step, *, folder: str, size: int = 200) -> int:
    return size


def call_job_of_fields() -> None:
    of_fields(Step(), folder=3)  # error: a number for a text
    of_fields(Step())  # error: no folder
    of_fields(Step(), folder="a").upper()  # error: an int
    of_fields.trigger(3)  # error: no mapping
