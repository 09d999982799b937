"""One contract for every kind of step, in plain handlers and in async ones.

Each handler here is killed behind each of its events and effects, and resumed: what was
acknowledged has happened once, everything else once or twice, and the run ends as it should.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably_cli.engines.local.signals_sent import SignalsSent
from durably_cli.errors import WaitTimeout
from durably_cli.journal.state import Status
from durably_cli.steps.child_run import ChildJob
from durably_cli.steps.doubt import NotDone
from durably_cli.steps.mail import Sent
from durably_cli.steps.step import Step
from durably_cli.steps.tries import Retry
from durably_cli.system import clock
from durably_cli.values.file import File
from durably_cli.values.strict_json import Json
from tests.harness.attempts import Trial, World
from tests.harness.made_async import made_async
from tests.harness.quick import drawn, quick_or_some

SOON = Retry(5, delay=0.001)


def run(step: Step, world: World) -> None:
    assert step.run("a", world.do, "a") == "a"
    assert step.run("b", lambda: [world.do("b")], returns=list[str]) == ["b"]


def tries(step: Step, world: World) -> None:
    assert step.run("a", third_time_lucky, world, tries=SOON) == "a"


def third_time_lucky(world: World) -> str:
    if Counter(world.effects)["try"] < 2:
        world.do("try")
        raise OSError("not yet")
    return world.do("a")


def caught(step: Step, world: World) -> None:
    try:
        step.run("fails", world.fail, "fails")
    except RuntimeError as error:
        assert str(error) == "fails failed"
    step.run("a", world.do, "a")


def looked(step: Step, world: World) -> None:
    assert step.run("a", world.do, "a", in_doubt=lambda name: look(world, name)) == "a"
    step.run("b", world.do, "b")


def look(world: World, name: str) -> str:
    if name in world.effects:
        return name
    raise NotDone


def sh(step: Step, world: World) -> None:
    done = step.sh("a", f"echo a >> {world.folder}/effects; echo out; exit 3", check=False)
    assert (done.stdout, done.returncode) == ("out\n", 3)
    step.run("b", world.do, "b")


def transaction(step: Step, world: World) -> None:
    step.transaction("t", world.folder / "a.db", insert, 5)
    step.run("a", world.do, "a")
    rows = sqlite3.connect(world.folder / "a.db").execute("SELECT n FROM paid").fetchall()
    assert rows == [(5,)]


def insert(connection: sqlite3.Connection, n: int) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS paid (n)")
    connection.execute("INSERT INTO paid VALUES (?)", (n,))
    return n


def items(step: Step, world: World) -> None:
    assert step.map("m", world.do, ["m[a]", "m[b]", "m[c]"], key=key, concurrency=2) == [
        "m[a]",
        "m[b]",
        "m[c]",
    ]
    step.run("a", world.do, "a")


def key(text: str) -> str:
    return text[2]


def collected(step: Step, world: World) -> None:
    found = step.map("m", odd, [1, 2, 3, 4], concurrency=2, on_error="collect", tries=SOON)
    assert found.ok == {1: 10, 3: 30}
    assert [str(error) for error in found.failed.values()] == ["2 is even", "4 is even"]
    step.run("a", world.do, "a")


def odd(n: int) -> int:
    if n % 2 == 0:
        raise ValueError(f"{n} is even")
    return n * 10


def each(step: Step, world: World) -> None:
    found = step.for_each("m", body_of(world), ["x", "y", "z"], concurrency=2)
    assert found == ["x!", "y!", "z!"]


def body_of(world: World) -> Callable[[Step, str], Any]:
    def plain(step: Step, item: str) -> str:
        step.run("fetch", world.do, f"m[{item}].fetch")
        return step.run("store", world.do, f"m[{item}].store") and item + "!"

    async def on_a_loop(step: Any, item: str) -> str:
        await step.run("fetch", world.do, f"m[{item}].fetch")
        return await step.run("store", world.do, f"m[{item}].store") and item + "!"

    return on_a_loop if world.is_async else plain


def scopes(step: Step, world: World) -> None:
    step.scope("one").run("a", world.do, "one.a")
    step.scope("two").run("a", world.do, "two.a")
    step.run("a", world.do, "a")


def file(step: Step, world: World) -> None:
    found = step.run("f", write, world)
    assert found.path.read_text() == "content"
    step.run("a", world.do, "a")


def write(world: World) -> File:
    world.do("f")
    path = world.folder / "out"
    path.write_text("content")
    return File(path)


def sleep(step: Step, world: World) -> None:
    step.run("a", world.do, "a")
    step.sleep("nap", 0.02)
    step.sleep("till", until="2020-01-01T00:00:00Z")
    step.run("b", world.do, "b")


def poll(step: Step, world: World) -> None:
    assert step.poll("ready", third_look, world, every=0.001, tries=3) == "ready"
    step.run("a", world.do, "a")


def third_look(world: World) -> str | None:
    looks = Counter(world.effects)["try"]
    if looks < 3:
        world.do("try")
    if looks == 1:
        raise OSError("not yet")
    return "ready" if looks == 3 else None


def signal(step: Step, world: World) -> None:
    step.run("send", send, world)
    assert step.wait_signal("go", int) == 3
    assert step.wait_signal("no", int, timeout=0.001, default=None) is None
    step.run("a", world.do, "a")


def send(world: World) -> None:
    (journal,) = world.folder.glob("runs/*/*.jsonl")
    SignalsSent(journal).send("go", Sent(Json("3"), "me", clock.now()), world.folder / "tmp")


def timed_out(step: Step, world: World) -> None:
    try:
        step.wait_signal("no", int, timeout=0.2)
    except WaitTimeout as error:
        assert str(error) == "step 'no': no signal has come within 0.2 s"
    step.run("a", world.do, "a")


def child(step: Step, world: World) -> None:
    step.run("a", world.do, "a")
    step.run_job("kid", Kid(world), None)
    step.run("c", world.do, "c")


class Kid:
    def __init__(self, world: World) -> None:
        self._world = world

    def as_child(self) -> ChildJob[None, None]:
        found: ChildJob[None, None] = self._world.job.of(kid)
        return found


def kid(step: Step, world: World) -> None:
    step.run("a", world.do, "kid.a")
    step.sleep("nap", 0.001)
    step.run("b", world.do, "kid.b")


KINDS = [run, tries, caught, looked, sh, transaction, items, collected, each, scopes, file]
KINDS += [sleep, poll, signal, timed_out, child]


@quick_or_some([run, signal, child], 2, KINDS)
@pytest.mark.parametrize("form", ["plain", "async"])
def test_killed_anywhere_what_is_acknowledged_has_happened_once(
    form: str, handler: Any, every: int, tmp_path: Path
) -> None:
    for kill_after in drawn(every):
        folder = tmp_path / str(kill_after)
        trial = Trial(
            made_async(handler) if form == "async" else handler, folder, effects_count=True
        )
        trial.world.is_async = form == "async"
        was_killed = not trial.begin(kill_after)
        acknowledged = set(trial.completed) & set(trial.world.effects)
        before = Counter(trial.world.effects)
        assert trial.resume()
        with trial.view() as view:
            assert trial.status is Status.COMPLETED, (kill_after, view.state.error)
        after = Counter(trial.world.effects)
        assert max(count for name, count in after.items() if name != "try") <= 2, after
        assert {name: after[name] for name in acknowledged} == {
            name: before[name] for name in acknowledged
        }
        if handler is looked:
            assert after["a"] == 1
        if not was_killed:
            assert kill_after > 3
            return
