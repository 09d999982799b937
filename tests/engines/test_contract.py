"""What holds on every engine: each test looks through commands and the effects only.

All jobs are in one project: what each does is in the text beside its test.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from tests.harness.contract import Contract, job, wait
from tests.harness.quick import some_quick

# The kinds of steps. A job ends with a step that fails at first: what is before it is replayed.

KIND = """
    def mended():
        if not there("mended"):
            raise RuntimeError("not mended")

    @define_job(name={name!r})
    {handler} work({step}):
        found = {call}kind(step)
        {call}step.run("end", mended)
        return found
"""

SYNC = {"handler": "def", "step": "step: Step", "call": ""}
ASYNC = {"handler": "async def", "step": "step: AsyncStep", "call": "await "}


class Kind(NamedTuple):
    """A kind of step: what a job with it gives, and which effects it has, in any order."""

    name: str
    gives: Any
    effects: list[str]


def kind(name: str, text: str, gives: Any, *effects: str) -> Kind:
    """Have a job with these steps."""
    how = ASYNC if "async def kind" in text else SYNC
    job(name, text + KIND.format(name=name, **how))
    return Kind(name, gives, list(effects))


KINDS = [
    kind(
        "runs",
        """
    class Of(BaseModel):
        n: int
        at: str

    def kind(step):
        first = step.run("a", lambda n: Of(n=n, at=effect("x")), 3, returns=Of)
        return [first.n, first.at, step.run("b", effect, "y")]
    """,
        [3, "x", "y"],
        *("x", "y"),
    ),
    kind(
        "tries",
        """
    calls = []

    def flaky():
        calls.append(1)
        effect(f"call {len(calls)}")
        if len(calls) < 3:
            raise ConnectionError("busy")
        return len(calls)

    def kind(step):
        return step.run("it", flaky, tries=Retry(4, delay=0.01, on=ConnectionError))
    """,
        3,
        *("call 1", "call 2", "call 3"),
    ),
    kind(
        "asks-for-time",
        """
    calls = []

    def kind(step):
        return step.run("it", again_in_a_moment, tries=2)

    def again_in_a_moment():
        calls.append(effect("call"))
        if len(calls) == 1:
            raise RetryAfter(0.05)
        return "ok"
    """,
        "ok",
        *("call", "call"),
    ),
    kind(
        "is-late",
        """
    def slowly():
        while True:
            time.sleep(0.01)

    def kind(step):
        try:
            step.run("slow", lambda: effect("began") and slowly(), timeout=0.3)
        except StepTimeout:
            return step.run("instead", effect, "late")
    """,
        "late",
        *("began", "late"),
    ),
    kind(
        "falls-back",
        """
    def primary():
        effect("primary")
        raise OSError("down")

    def kind(step):
        try:
            return step.run("primary", primary)
        except OSError as error:
            return str(error) + step.run("fallback", effect, ", fallback")
    """,
        "down, fallback",
        *("primary", ", fallback"),
    ),
    kind(
        "threads",
        """
    from concurrent.futures import ThreadPoolExecutor

    def kind(step):
        with ThreadPoolExecutor(4) as pool:
            found = [pool.submit(step.run, f"s{n}", effect, f"{n}") for n in range(6)]
        return [each.result() for each in found]
    """,
        [*"012345"],
        *"012345",
    ),
    kind(
        "maps",
        """
    def kind(step):
        return step.map("all", effect, ["a", "b", "c", "d"], concurrency=3)
    """,
        [*"abcd"],
        *"abcd",
    ),
    kind(
        "maps-at-most",
        """
    import threading
    inside, most, lock = 0, 0, threading.Lock()

    def one(n):
        global inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.02)
        with lock:
            inside -= 1

    def kind(step):
        step.map("all", one, range(8), concurrency=2)
        return step.run("most", lambda: most)
    """,
        2,
    ),
    kind(
        "collects",
        """
    def one(word):
        if word == "b":
            raise ValueError("no b")
        return effect(word)

    def kind(step):
        found = step.map("all", one, ["a", "b", "c"], on_error="collect")
        return [sorted(found.ok.values()), [str(each) for each in found.failed.values()]]
    """,
        [["a", "c"], ["no b"]],
        *"ac",
    ),
    kind(
        "for-each",
        """
    def body(step, word):
        return step.run("one", effect, word + "1") + step.run("two", effect, word + "2")

    def kind(step):
        return step.for_each("all", body, ["a", "b"]) + [body(step.scope("more"), "c")]
    """,
        ["a1a2", "b1b2", "c1c2"],
        *("a1", "a2", "b1", "b2", "c1", "c2"),
    ),
    kind(
        "programs",
        """
    import subprocess

    def kind(step):
        first = step.sh("first", "echo out; echo err >&2; cat", input="in")
        listed = step.sh("listed", ["sh", "-c", "exit 3"], check=False).returncode
        try:
            step.sh("fails", "exit 4")
        except subprocess.CalledProcessError as error:
            return [first.stdout, first.stderr, listed, error.returncode]
    """,
        ["out\nin", "err\n", 3, 4],
    ),
    kind(
        "late-programs",
        """
    def kind(step):
        try:
            step.sh("slow", "sleep 60", timeout=0.3)
        except StepTimeout:
            return step.run("inside", lambda: sh("echo it is late").stdout)
    """,
        "it is late\n",
    ),
    kind(
        "large-programs",
        """
    def kind(step):
        found = step.sh("much", [sys.executable, "-c", "print('x' * 200_000)"])
        return [len(found.stdout) < 200_000, len(open(found.stdout_file).read())]
    """,
        [True, 200_001],
    ),
    kind(
        "transacts",
        """
    def put(connection, word):
        effect(word)
        connection.execute("CREATE TABLE IF NOT EXISTS paid (word TEXT)")
        connection.execute("INSERT INTO paid VALUES (?)", (word,))
        return connection.execute("SELECT COUNT(*) FROM paid").fetchone()[0]

    def kind(step):
        return [step.transaction(f"put-{n}", "transacts.db", put, f"{n}") for n in range(2)]
    """,
        [1, 2],
        *"01",
    ),
    kind(
        "sleeps",
        """
    from datetime import UTC, datetime, timedelta

    def kind(step):
        step.sleep("a", 0.05)
        step.sleep("b", until=datetime.now(UTC) + timedelta(seconds=0.6))
        return step.run("behind", effect, "behind")
    """,
        "behind",
        "behind",
    ),
    kind(
        "polls",
        """
    calls = []

    def look():
        calls.append(1)
        return "found" if len(calls) == 3 else None

    def kind(step):
        try:
            step.poll("never", lambda: None, every=0.05, timeout=0.2)
        except WaitTimeout:
            return step.poll("it", look, every=0.05)
    """,
        "found",
    ),
    kind(
        "waits-in-vain",
        """
    def kind(step):
        given = step.wait_signal("a", int, timeout=0.2, default=7)
        try:
            step.wait_signal("b", Approval, timeout=0.7)
        except WaitTimeout:
            return step.run("behind", effect, f"{given}")
    """,
        "7",
        "7",
    ),
    kind(
        "files",
        """
    def write() -> File:
        effect("wrote")
        with open("files.txt", "w") as file:
            file.write("abc")
        return File("files.txt")

    def kind(step):
        return step.run("write", write).size
    """,
        3,
        "wrote",
    ),
    kind(
        "keys",
        """
    import durably_cli

    def kind(step):
        inside = step.run("it", durably_cli.idempotency_key)
        return [inside == step.idempotency_key("it"), step.created_at.tzinfo is not None]
    """,
        [True, True],
    ),
    kind(
        "asyncs",
        """
    import asyncio

    async def slowly(word: str) -> str:
        await asyncio.sleep(0.01)
        return effect(word)

    async def kind(step):
        found = await asyncio.gather(*(step.run(f"s{n}", slowly, f"{n}") for n in range(5)))
        found += await step.map("all", slowly, ["a", "b"])
        found.append((await step.sh("program", "echo hi")).stdout)
        await step.sleep("nap", 0.01)
        try:
            await step.run("late", asyncio.sleep, 60, timeout=0.1)
        except StepTimeout:
            return found
    """,
        [*"01234", *"ab", "hi\n"],
        *"01234",
        *"ab",
    ),
]


@pytest.mark.parametrize("of", KINDS, ids=[each.name for each in KINDS])
def test_what_each_kind_of_step_gave_is_replayed(contract: Contract, of: Kind) -> None:
    job = contract.of(of.name)
    failed = job.trigger(expect=1).err
    if contract.has_workers and of.name in EXEMPT:
        seen, said = EXEMPT[of.name]
        assert seen in failed and said in contract.project.run("help", "engines").out
        return
    assert "RuntimeError: not mended" in failed
    assert sorted(job.effects) == sorted(of.effects)
    job.make("mended")
    assert json.loads(job.run("resume").out) == of.gives
    assert sorted(job.effects) == sorted(of.effects), "nothing is done again"
    events = job.events()
    assert [each["seq"] for each in events] == list(range(len(events)))
    types = [each["type"] for each in events]
    assert types.count("run.failed") == 1
    assert (types[-1], events[-1]["output"]) == ("run.completed", of.gives)


# What is not there on the engine dbos, and why: `durably help engines` says it, too.

EXEMPT = {
    "large-programs": ("expected str, bytes or os.PathLike object, not NoneType", "64 KiB"),
}
"""The kinds of steps, what is seen of them, and a word of the help."""


# What a run shows.

STEPS = job(
    "steps",
    """
    @define_job
    def steps(step: Step, *, n: int = 3) -> list[str]:
        return [step.run(f"s{i}", effect, f"e{i}") for i in range(n)]
    """,
)


def test_a_run_completes_with_its_output_steps_and_input(contract: Contract) -> None:
    steps = contract.of(STEPS)
    assert json.loads(steps.trigger("--n", "2", "--label", "team=a").out) == ["e0", "e1"]
    run = steps.inspect()
    assert (run["status"], run["input"]["n"], run["output"]) == ("completed", 2, ["e0", "e1"])
    assert run["steps"] == 2
    assert [each["name"] for each in run["checkpoints"]] == ["s0", "s1"]
    assert steps.effects == ["e0", "e1"]
    assert [each["id"] for each in steps.runs("--label", "team=a")] == [run["id"]]
    assert steps.runs("--label", "team=b") == []
    assert steps.run("inspect", "--step", "s1").out == '"e1"\n'
    assert json.loads(steps.run("resume").out) == ["e0", "e1"], "it is final"
    assert steps.effects == ["e0", "e1"]


def test_an_input_that_the_model_rejects_makes_no_run(contract: Contract) -> None:
    steps = contract.of(STEPS)
    before = len(steps.runs())
    steps.trigger("-i", '{"n": "many"}', expect=65)
    assert len(steps.runs()) == before


LOGS = job(
    "logs",
    """
    import logging

    class Given(BaseModel):
        token: Secret

    @define_job
    def logs(step: Step, payload: Given) -> None:
        told = payload.token.get_secret_value()
        step.log.info("token " + told, n=1, parts=["a", {"b": None}], token=told)
        logging.getLogger("other").warning("also %s", told)
        step.progress(3, 4, "nearly")
        step.run("tells", tell, told)

    def tell(told):
        raise RuntimeError(f"said {told}")
    """,
)


def test_logs_and_progress_are_there_and_a_secret_is_nowhere(contract: Contract) -> None:
    logs = contract.of(LOGS)
    token = logs.make("token", "tops3cret")
    logs.trigger("-i", json.dumps({"token": f"file:{token}"}), expect=1)
    said = logs.run("logs", "--json").out
    first, second = (json.loads(line) for line in said.splitlines()[:2])
    assert first["data"].pop("token") != "tops3cret"
    assert first["data"] == {"n": 1, "parts": ["a", {"b": None}]}
    assert second["message"].startswith("also ")
    shown = logs.inspect()
    assert shown["progress"]["message"] == "nearly"
    assert "tops3cret" not in said + logs.run("inspect", "--events").out


LARGE = job(
    "large",
    """
    @define_job
    def large(step: Step, *, mib: int) -> int:
        step.log.info("x" * (mib << 20))
        text = step.run("it", lambda: "x" * (mib << 20))
        step.run("end", lambda: None if there("mended") else 1 / 0)
        return len(text)
    """,
)


@pytest.mark.parametrize("mib", some_quick([1, 16], 1))
def test_large_results_are_replayed(contract: Contract, mib: int) -> None:
    large = contract.of(LARGE)
    large.make("mended").unlink()  # of a test before
    large.trigger("--mib", f"{mib}", "-q", expect=1)
    large.make("mended")
    assert large.run("resume").out == f"{mib << 20}\n"


def test_a_result_of_more_than_64_mib_is_refused_where_rows_have_it(contract: Contract) -> None:
    large = contract.of(LARGE)
    large.make("mended")
    if not contract.has_workers:
        assert large.trigger("--mib", "65").out == f"{65 << 20}\n"
        return
    refused = large.trigger("--mib", "65", expect=1).err
    assert "the result of step 'it' cannot be kept" in refused and "return where that is" in refused
    assert large.inspect()["status"] == "failed"
    assert large.trigger("--mib", "1").out == f"{1 << 20}\n", "its worker goes on"


HOOK = job(
    "hook",
    """
    def failed(run):
        effect(f"{run.status} {run.error.type}")

    @define_job(on_failure=failed)
    def hook(step: Step) -> None:
        if not there("mended"):
            raise ValueError("no")
    """,
)


def test_on_failure_is_called_once_for_each_attempt_that_has_failed(contract: Contract) -> None:
    hook = contract.of(HOOK)
    hook.trigger(expect=1)
    wait(lambda: bool(hook.effects))
    hook.run("resume", expect=1)
    wait(lambda: len(hook.effects) > 1)
    hook.make("mended")
    hook.run("resume")
    assert hook.effects == ["failed ValueError"] * 2


LIMITED = job(
    "limited",
    """
    @define_job(timeout=1)
    def limited(step: Step) -> str:
        step.run("first", effect, "first")
        if not there("quick"):
            for n in range(600):
                step.run(f"s{n}", time.sleep, 0.05)
        return step.run("last", effect, "last")
    """,
)


def test_an_attempt_that_takes_longer_than_the_job_may_ends_and_is_resumed(
    contract: Contract,
) -> None:
    limited = contract.of(LIMITED)
    limited.trigger(expect=124)
    assert limited.inspect()["status"] == "interrupted"
    limited.make("quick")
    assert limited.run("resume").out == '"last"\n'
    assert limited.effects == ["first", "last"]


# Again: a failed run, and steps that a person wants done again.

MENDED = job(
    "mends",
    """
    def other():
        if not there("mended"):
            raise RuntimeError("not mended")
        return effect("other")

    @define_job
    def mends(step: Step) -> list[str]:
        found = [step.run(name, effect, name) for name in open(order()).read().split()]
        return [*found, step.run("other", other)]

    def order():
        return "jobs.mends-order"
    """,
)


def test_results_are_replayed_by_name_whatever_the_order_now(contract: Contract) -> None:
    mends = contract.of(MENDED)
    mends.make("order", "a b c")
    failed = mends.trigger(expect=1)
    assert "RuntimeError: not mended" in failed.err
    assert "not mended" in mends.run("wait", expect=1).err
    mends.make("order", "new c a b")
    mends.make("mended")
    assert json.loads(mends.run("resume").out) == ["new", "c", "a", "b", "other"]
    assert mends.effects == ["a", "b", "c", "new", "other"]


REDONE = job(
    "redone",
    """
    def first():
        effect("first")
        return there("changed")

    @define_job
    def redone(step: Step) -> None:
        step.run("first", first)
        step.run("behind", effect, "behind")
        step.run("end", lambda: None if there("mended") else 1 / 0)
    """,
)


def test_a_redone_step_is_executed_again_and_what_came_after_if_it_differs(
    contract: Contract,
) -> None:
    redone = contract.of(REDONE)
    redone.trigger(expect=1)
    redone.run("resume", "--redo", "first", expect=1)
    assert redone.effects == ["first", "behind", "first"], "it gave the same"
    redone.make("changed")
    redone.run("resume", "--redo", "first", "--only", expect=1)
    assert redone.effects[3:] == ["first"]
    redone.make("changed").unlink()
    redone.make("mended")
    redone.run("resume", "--redo", "first")
    assert redone.effects[4:] == ["first", "behind"]
    discarded = [each for each in redone.events() if each["type"] == "step.discarded"]
    assert [each["name"] for each in discarded] == ["first"] * 3


VOUCHED = job(
    "vouched",
    """
    def write() -> File:
        effect("wrote")
        with open("vouched.txt", "w") as file:
            file.write("more" if there("mended") else "abc")
        return File("vouched.txt")

    @define_job
    def vouched(step: Step) -> int:
        file = step.run("write", write)
        step.run("behind", effect, "behind")
        step.run("end", lambda: None if there("mended") else 1 / 0)
        return file.size
    """,
)


def test_a_file_that_has_changed_is_made_again_and_what_came_after(contract: Contract) -> None:
    vouched = contract.of(VOUCHED)
    vouched.trigger(expect=1)
    vouched.run("resume", expect=1)
    assert vouched.effects == ["wrote", "behind"]
    contract.project.root.joinpath("vouched.txt").write_text("other")
    vouched.make("mended")
    assert vouched.run("resume").out == "4\n"
    assert vouched.effects[2:] == ["wrote", "behind"]


# Waits.

APPROVED = '{"approved": true}'

ASKS = job(
    "asks",
    """
    @define_job
    def asks(step: Step, *, of: str = "600s") -> str:
        step.run("before", effect, "before")
        answer = step.wait_signal("ok", Approval, prompt="Go on?", timeout=of)
        return step.run("behind", effect, f"{answer.approved} {answer.reason}")
    """,
)


@pytest.mark.parametrize(("command", "says"), [("approve", True), ("deny", False)])
def test_a_question_is_answered_once(contract: Contract, command: str, says: bool) -> None:
    asks = contract.of(ASKS)
    with asks.start() as waiting:
        asks.until("waiting")
        (question,) = asks.inspect()["waits"]
        assert (question["step"], question["prompt"]) == ("ok", "Go on?")
        asks.run(command, "--reason", "so")
        assert waiting.result().code == 0
    assert asks.effects == ["before", f"{says} so"]
    asks.run(command, expect=0)
    asks.run("deny" if says else "approve", expect=5)


def test_an_answer_behind_the_deadline_is_refused(contract: Contract) -> None:
    asks = contract.of(ASKS)
    assert "WaitTimeout" in asks.trigger("--of", "0.7", expect=1).err
    asks.run("signal", "ok", "-i", APPROVED, expect=5)
    assert asks.effects == ["before"]


TOLD = job(
    "told",
    """
    @define_job
    def told(step: Step) -> int:
        step.run("before", effect, "before")
        while not there("go"):
            step.run(f"s{time.time()}", time.sleep, 0.05)
        return step.wait_signal("it", int) + step.wait_signal("more", int)
    """,
)


def test_signals_are_received_once_early_ones_too(contract: Contract) -> None:
    told = contract.of(TOLD)
    with told.start() as waiting:
        told.wait_for_effects(1)
        told.run("signal", "it", "-i", "3")
        told.run("signal", "it", "-i", "3")
        told.run("signal", "it", "-i", "4", expect=5)
        told.make("go")
        told.until("waiting")
        told.run("signal", "mroe", "-i", "1", expect=4)
        told.run("signal", "more", "-i", '"one"', expect=65)
        program = "import durably, sys; durably.signal(sys.argv[1], 'more', 4)"
        project, run = contract.project, told.inspect()["id"]
        args = (sys.executable, "-c", program, run)
        subprocess.run(args, cwd=project.root, env=project.env, check=True)
        assert waiting.result().out == "7\n"


POLLS = job(
    "polling",
    """
    @define_job
    def polling(step: Step) -> str:
        step.run("before", effect, "before")
        step.poll("it", lambda: there("it") or None, every=0.7)
        return step.run("behind", effect, "behind")
    """,
)


def test_a_poll_goes_on_until_it_finds_something(contract: Contract) -> None:
    polls = contract.of(POLLS)
    with polls.start() as waiting:
        polls.until("waiting")
        polls.run("wait", "--timeout", "0.3s", expect=124)
        polls.make("it")
        assert waiting.result().code == 0
    assert polls.effects == ["before", "behind"]


def test_a_run_that_waits_is_cancelled(contract: Contract) -> None:
    asks = contract.of(ASKS)
    with asks.start() as waiting:
        asks.until("waiting")
        asks.run("cancel", "--reason", "wrong month", "--timeout", "60s")
        assert waiting.result().code == 3
    assert "wrong month" in asks.inspect()["reason"]
    asks.run("signal", "ok", "-i", APPROVED, expect=5)
    assert asks.effects == ["before"]


LONG = job(
    "long",
    """
    @define_job
    def long(step: Step) -> None:
        for n in range(600):
            step.run(f"s{n}", lambda: effect(f"e{n}") and time.sleep(0.1))
    """,
)

PROGRAM = job(
    "program",
    """
    @define_job
    def program(step: Step) -> None:
        step.run("before", effect, "before")
        step.sh("slow", "sleep 600")
    """,
)


@pytest.mark.parametrize("name", [LONG, PROGRAM])
def test_a_run_that_executes_is_cancelled(contract: Contract, name: str) -> None:
    long = contract.of(name)
    with long.start() as waiting:
        long.wait_for_effects(1)
        long.run("cancel", "--reason", "wrong month", "--timeout", "60s")
        assert waiting.result().code == 3
    run = long.inspect()
    assert run["status"] == "cancelled" and "wrong month" in run["reason"]
    assert len(long.effects) < 600
    long.run("resume", expect=3)
    long.run("cancel")


# Keys.

KEYED = job(
    "keyed",
    """
    @define_job
    def keyed(step: Step, *, n: int = 2) -> int:
        step.run("it", effect, f"{n}")
        step.run("end", lambda: None if there("mended") else 1 / 0)
        return n
    """,
)


def test_one_idempotency_key_is_one_run(contract: Contract) -> None:
    keyed = contract.of(KEYED)
    key = ("--idempotency-key", "today")
    keyed.trigger(*key, expect=1)
    assert "failed before" in keyed.trigger(*key, expect=1).err
    keyed.make("mended")
    first = keyed.trigger(*key, "--retry-failed").out
    assert keyed.trigger(*key, "--n", "2").out == first
    assert keyed.trigger(*key, "--n", "3", expect=5).err.startswith("durably: the idempotency key")
    assert keyed.effects == ["2"]
    assert contract.project.inspect("key:keyed/today")["output"] == 2
    assert len(keyed.runs()) == 1


TURNS = job(
    "turns",
    """
    @define_job
    def turns(step: Step, *, n: int) -> None:
        step.run("a", effect, f"begin {n}")
        if n == 1:
            step.run("held", held)
        step.run("c", effect, f"end {n}")

    def held():
        while not there("go"):
            time.sleep(0.02)
    """,
)


def test_runs_that_share_a_concurrency_key_are_apart(contract: Contract) -> None:
    turns = contract.of(TURNS)
    key = ("--concurrency-key", "one")
    with turns.start("--n", "1", *key) as first:
        turns.wait_for_effects(1)
        assert "nothing was run" in turns.trigger("--n", "2", *key, "--on-conflict", "skip").err
        turns.trigger("--n", "3", *key, "--on-conflict", "fail", expect=75)
        with turns.start("--n", "4", *key) as second:
            turns.trigger("--n", "5", "--concurrency-key", "other")
            turns.make("go")
            assert (first.result().code, second.result().code) == (0, 0)
    assert turns.effects == ["begin 1", "begin 5", "end 5", "end 1", "begin 4", "end 4"]


# Runs whose process is killed in the middle of a step.

DOUBTFUL = job(
    "doubtful",
    """
    @define_job
    def doubtful(step: Step) -> str:
        step.run("before", effect, "before")
        return step.run("it", stay_here, in_doubt="stop")
    """,
    is_killed=True,
)


def test_a_step_that_may_have_happened_is_not_called_again_until_somebody_decides(
    contract: Contract,
) -> None:
    doubtful = contract.killed(DOUBTFUL)
    assert "--done it" in contract.go_on(doubtful, expect=1).err
    doubtful.run("resume", expect=1)
    assert doubtful.run("resume", "--done", "it", "--result", '"paid"').out == '"paid"\n'
    assert doubtful.effects == ["before", "here"]


LOOKS = job(
    "looks",
    """
    def look(at):
        effect("looked")
        if at == "missing":
            raise NotDone
        return "found"

    @define_job
    def looks(step: Step) -> list[str]:
        found = step.map("all", act, ["there", "missing"], in_doubt=look, concurrency=1)
        return found

    def act(at):
        return "did" if there("killed") else stay_here()
    """,
    is_killed=True,
)


def test_a_step_that_may_have_happened_is_looked_for(contract: Contract) -> None:
    looks = contract.killed(LOOKS)
    assert json.loads(contract.go_on(looks).out) == ["found", "did"]
    assert looks.effects == ["here", "looked"]


AGAIN = job(
    "again",
    """
    @define_job
    def again(step: Step) -> str:
        step.run("before", effect, "before")
        return step.run("it", stay_here)
    """,
    is_killed=True,
)


def test_only_the_step_in_flight_is_called_again(contract: Contract) -> None:
    again = contract.killed(AGAIN)
    assert contract.go_on(again).out == '"again"\n'
    assert again.effects == ["before", "here", "here", "again"]


CARRIED = job(
    "carried",
    """
    def primary():
        effect("primary")
        raise OSError("down")

    @define_job
    def carried(step: Step) -> str:
        try:
            return step.run("primary", primary)
        except OSError as error:
            return step.run("fallback", stay_here) + f", for it was {error}"
    """,
    is_killed=True,
)


def test_a_failure_that_the_handler_lived_on_after_is_carried(contract: Contract) -> None:
    carried = contract.killed(CARRIED)
    assert contract.go_on(carried).out == '"again, for it was down"\n'
    assert carried.effects == ["primary", "here", "here", "again"]


TRANSACTION = job(
    "transaction",
    """
    import sqlite3

    class Stays(sqlite3.Connection):
        def close(self):
            super().close()
            if not there("killed") and there("open"):
                stay_here()

    def connect():
        return sqlite3.connect("transaction.db", factory=Stays)

    def pay(connection, word):
        connection.execute("CREATE TABLE IF NOT EXISTS paid (word TEXT)")
        connection.execute("INSERT INTO paid VALUES (?)", (word,))
        open("jobs.transaction-open", "w").close()
        return effect(word)

    @define_job
    def transaction(step: Step) -> str:
        return step.transaction("pay", connect, pay, "ann")
    """,
    is_killed=True,
)


def test_a_transaction_happens_once_though_its_process_is_killed_behind_it(
    contract: Contract,
) -> None:
    transaction = contract.killed(TRANSACTION)
    assert contract.go_on(transaction).out == '"ann"\n'
    with closing(sqlite3.connect(contract.project.root / "transaction.db")) as connection:
        assert connection.execute("SELECT word FROM paid").fetchall() == [("ann",)]
    assert transaction.effects == ["ann", "here"]
