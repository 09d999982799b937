"""`step.map`, `step.for_each` and `step.scope`: many items, several at once."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from durably import Retry, RetryAfter, Step, StepMisused

from durably_cli.journal.events import ProgressReported
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepStarted
from durably_cli.journal.step_names import ItemName
from durably_cli.steps.many_steps import _PROGRESS_SECONDS
from tests.conftest import Project

PAGES = """
    class Input(BaseModel):
        n: int = 40
        at_once: int = 8
        on_error: str = "stop"

    def fetch(n: int) -> int:
        effect(f"fetch {n}")
        time.sleep(0.01)
        while n >= 16 and os.path.exists("hold"):
            time.sleep(0.005)
        if os.path.exists(f"broken {n}"):
            raise OSError(f"no page {n}")
        return n * n

    @define_job
    def pages(step: Step, payload: Input) -> int:
        found = step.map("fetch", fetch, range(payload.n), concurrency=payload.at_once,
            on_error=payload.on_error)
        results = found.ok.values() if payload.on_error == "collect" else found
        step.run("report", effect, f"report {len(results)}")
        return sum(results)
"""


def lines(project: Project, kind: str, of: str | None = "fetch") -> list[dict[str, Any]]:
    found = (json.loads(line) for line in project.journal().read_text().splitlines())
    return [
        line
        for line in found
        if line["type"] == kind and (line.get("map") == [of] if of else "map" not in line)
    ]


def broken(project: Project, *numbers: int) -> None:
    for number in numbers:
        (project.root / f"broken {number}").touch()


def mend(project: Project) -> None:
    for path in project.root.glob("broken *"):
        path.unlink()


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_at_first(n: int) -> int:
        time.sleep(0.02 if n < 4 else 0)
        return -n

    assert Step().map("m", slow_at_first, range(40)) == [-n for n in range(40)]


def test_so_many_are_side_by_side_and_no_more() -> None:
    now, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(5)  # which would wait for ever if there were fewer

    def act(n: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        together.wait(60)
        time.sleep(0.005)
        with lock:
            now -= 1

    Step().map("m", act, range(60), concurrency=5)
    assert most == 5


def test_an_item_is_a_step_and_the_map_is_one(project: Project) -> None:
    project.job(PAGES)
    assert project.run("trigger", "pages").out == f"{sum(n * n for n in range(40))}\n"
    assert {line["name"] for line in lines(project, "step.started")} == {*map(str, range(40))}
    (started,) = lines(project, "map.started", None)
    assert started["name"] == "fetch"
    (completed,) = [
        line for line in lines(project, "step.completed", None) if line["name"] == "fetch"
    ]
    assert completed["result"] == {"items": 40, "failed": []}
    assert project.run("verify").code == 0
    assert (
        json.loads(project.run("inspect", "@last", "--step", "fetch[3]", "--json").out)["step"][
            "result"
        ]
        == 9
    )


def test_killed_it_does_no_acknowledged_item_again_and_at_most_so_many_twice(
    project: Project,
) -> None:
    project.job(PAGES)
    (project.root / "hold").touch()
    with project.start("trigger", "pages") as process:
        project.wait_for_effects(16 + 8)
        process.kill()
    (project.root / "hold").unlink()
    acknowledged = {line["name"] for line in lines(project, "step.completed")}
    assert len(acknowledged) == 16
    assert len(project.inspect()["in_doubt"]) == 8
    assert project.run("resume", "@last").out == f"{sum(n * n for n in range(40))}\n"
    often = Counter(project.effects)
    assert all(often[f"fetch {name}"] == 1 for name in acknowledged)
    assert sum(often[f"fetch {n}"] - 1 for n in range(40)) == 8
    assert often["report 40"] == 1


def test_behind_a_failure_no_other_item_begins_and_those_in_flight_come_to_their_end() -> None:
    """The failure is known once the progress says so, which is reported every half second."""
    together, is_known = threading.Barrier(4), threading.Event()
    events = list[Event]()

    def see(event: Event) -> None:
        events.append(event)
        if isinstance(event, ProgressReported):
            is_known.set()

    def fetch(n: int) -> int:
        together.wait(60)
        if n == 0:
            time.sleep(_PROGRESS_SECONDS)
            raise OSError("no page 0")
        assert is_known.wait(60)
        return n

    with pytest.raises(ExceptionGroup):
        Step({}, see).map("m", fetch, range(40), concurrency=4)
    begun = [each.name for each in events if isinstance(each, StepStarted)]
    assert sorted(begun) == [f"m[{n}]" for n in range(4)]
    completed = [each.name for each in events if isinstance(each, StepCompleted)]
    assert sorted(completed) == [f"m[{n}]" for n in range(1, 4)]


def test_a_resume_executes_the_item_that_failed_and_the_rest(project: Project) -> None:
    project.job(PAGES)
    broken(project, 10)
    failed = project.run("trigger", "pages", "-p", "at_once:=1", expect=1)
    assert "1 of " in failed.err
    assert "no page 10" in failed.err
    assert project.effects == [f"fetch {n}" for n in range(11)]
    assert project.runs()[0]["steps_failed"] == 1
    mend(project)
    project.run("resume", "@last")
    often = Counter(project.effects)
    assert often["fetch 10"] == 2
    assert sum(often.values()) == 42
    assert often["report 40"] == 1


@pytest.mark.parametrize("on_error", ["continue", "collect"])
def test_others_go_on_and_a_resume_executes_the_failed_ones_and_no_other(
    project: Project, on_error: str
) -> None:
    project.job(
        PAGES.replace(
            "return sum",
            "found.raise_if_failed() if payload.on_error == 'collect' else 0\n        return sum",
        )
    )
    broken(project, 3, 30)
    failed = project.run("trigger", "pages", "-p", f"on_error={on_error}", expect=1)
    assert "2 of 40 items of 'fetch' failed" in failed.err
    first = Counter(project.effects)
    assert all(first[f"fetch {n}"] == 1 for n in range(40))
    assert set(project.inspect()["causes"]) >= {"fetch[3]", "fetch[30]"}
    mend(project)
    project.run("resume", "@last")
    again = Counter(project.effects) - first
    expected = Counter({"fetch 3": 1, "fetch 30": 1})
    if on_error == "continue":
        expected["report 40"] = 1
    assert again == expected


COLLECTED = """
    from durably import Results

    def fetch(n: int) -> int:
        effect(f"fetch {n}")
        if os.path.exists(f"broken {n}"):
            raise OSError(f"no page {n}")
        return n

    @define_job
    def pages(step: Step) -> dict[str, str]:
        found: Results[int] = step.map("fetch", fetch, range(40), on_error="collect")
        step.run("report", effect, "report")
        if os.path.exists("kill"):
            os.kill(os.getpid(), 9)
        return {str(key): repr(each) for key, each in found.failed.items()}
"""


def test_what_was_collected_is_replayed_as_it_was_and_a_fork_may_execute_it_again(
    project: Project,
) -> None:
    project.job(COLLECTED)
    broken(project, 3, 30)
    (project.root / "kill").touch()
    project.run("trigger", "pages", expect=-9)
    mend(project)
    (project.root / "kill").unlink()
    done = project.run("resume", "@last")
    assert json.loads(done.out) == {str(n): f"OSError('no page {n}')" for n in (3, 30)}
    assert max(Counter(project.effects).values()) == 1
    assert json.loads(project.run("fork", "@last").out).keys() == {"3", "30"}
    assert project.run("fork", "@last", "--redo-failed").out == "{}\n"
    assert Counter(project.effects) - Counter({"fetch 3": 1, "fetch 30": 1}) == Counter(
        {"report": 2} | {f"fetch {n}": 1 for n in range(40)}  # as what came behind the map
    )


def test_killed_before_its_end_a_map_has_lived_on_after_no_failure(project: Project) -> None:
    project.job(PAGES)
    broken(project, 0)
    (project.root / "hold").touch()
    with project.start("trigger", "pages", "-p", "on_error=collect") as process:
        project.wait_for_effects(16 + 8)
        process.kill()
    (project.root / "hold").unlink()
    mend(project)
    project.run("resume", "@last")
    assert project.effects[-1] == "report 40"
    assert Counter(project.effects)["fetch 0"] == 2


CAUGHT = """
    def fetch(n: int) -> int:
        effect(f"fetch {n}")
        if os.path.exists(f"broken {n}"):
            raise OSError(f"no page {n}")
        return n

    @define_job
    def pages(step: Step) -> int:
        try:
            return sum(step.map("fetch", fetch, range(40), on_error="HOW", concurrency=2))
        except* OSError as group:
            found = [group.message, *map(str, group.exceptions)]
        step.run("report", effect, f"report {found}")
        if os.path.exists("kill"):
            os.kill(os.getpid(), 9)
        return found
"""


@pytest.mark.parametrize("how", ["stop", "continue"])
def test_the_failure_of_a_map_that_a_handler_lived_on_after_is_replayed(
    project: Project, how: str
) -> None:
    project.job(
        CAUGHT.replace("HOW", how).replace("-> int:\n        try", "-> list[str]:\n        try")
    )
    broken(project, 3)
    (project.root / "kill").touch()
    project.run("trigger", "pages", expect=-9)
    (project.root / "kill").unlink()
    mend(project)
    before = project.effects
    found = json.loads(project.run("resume", "@last").out)
    assert found[1:] == ["no page 3"]
    assert f"report {found}" in before  # as many items as there were then
    assert project.effects == before


def test_one_item_is_redone_and_what_came_behind_the_map_but_no_sibling(project: Project) -> None:
    project.job(
        """
        def read(name: str) -> int:
            effect(f"read {name}")
            return int(open("n").read())

        @define_job
        def work(step: Step) -> int:
            found = step.map("read", read, "abcd".split(",")[0:1] + ["b", "c"], concurrency=1)
            total = step.run("total", lambda: (effect("total"), sum(found))[1])
            if not os.path.exists("mended"):
                raise ValueError
            return total
        """
    )
    (project.root / "n").write_text("1")
    project.run("trigger", "work", expect=1)
    (project.root / "n").write_text("2")
    (project.root / "mended").touch()
    assert project.run("resume", "@last", "--redo", "read[b]").out == "4\n"
    assert Counter(project.effects) == Counter(
        {"read abcd": 1, "read b": 2, "read c": 1, "total": 2}
    )
    assert project.run("fork", "@last", "--redo", "read").out == "6\n"
    assert Counter(project.effects)["read c"] == 2


def test_a_list_that_has_changed_has_its_new_items_executed_and_hands_no_result_to_another(
    project: Project,
) -> None:
    project.job(
        """
        def act(name: str) -> str:
            effect(name)
            return name.upper()

        @define_job
        def work(step: Step) -> str:
            found = step.map("m", act, open("list").read().split())
            step.run("behind", effect, "behind")
            if not os.path.exists("mended"):
                raise ValueError
            return "".join(found)
        """
    )
    (project.root / "list").write_text("a b c")
    project.run("trigger", "work", expect=1)
    (project.root / "list").write_text("x c a y")
    (project.root / "mended").touch()
    done = project.run("resume", "@last")
    assert done.out == '"XCAY"\n'
    assert sorted(project.effects) == ["a", "b", "behind", "c", "x", "y"]
    assert "'m' had completed, and goes on with m[" in done.err
    assert "--redo behind" in done.err
    assert "m[b]" in done.err


def test_a_generator_is_taken_as_it_is_needed_and_what_it_raises_ends_the_map() -> None:
    taken = list[int]()

    def items() -> Iterator[int]:
        for n in itertools.count():
            taken.append(n)
            if n == 30:
                raise RuntimeError("no more pages")
            yield n

    events = list[Event]()
    with pytest.raises(RuntimeError, match="no more pages"):
        Step({}, events.append).map("m", lambda n: time.sleep(0.001), items(), concurrency=3)
    assert len(taken) == 31
    completed = [each.name for each in events if isinstance(each, StepCompleted)]
    assert sorted(completed) == sorted(f"m[{n}]" for n in range(30))


def test_a_rate_is_of_all_workers_together() -> None:
    begun = time.monotonic()
    Step().map("m", abs, range(8), rate="20/s", returns=int)
    assert time.monotonic() - begun >= 7 / 20


def waiting_step(seconds: Callable[[float], float]) -> Step:
    """In memory no time passes, but here: so many seconds of a pause that is so long at most."""
    step = Step()
    step._stop.seconds_until = lambda at, longest: seconds(longest)  # type: ignore[method-assign]
    return step


def test_pauses_of_tries_hold_up_no_other_item() -> None:
    """None is over before all items have been tried: who waited for one would wait for ever."""
    tried, again = list[int](), list[int]()

    def act(n: int) -> int:
        (again if n in tried else tried).append(n)
        if n < 8 and n not in again:
            raise OSError
        return n

    step = waiting_step(lambda longest: 3600 if len(tried) < 40 else 0)
    found = step.map("m", act, range(40), concurrency=2, tries=Retry(2, delay=1))
    assert found == [*range(40)]
    assert sorted(again) == [*range(8)]


def test_a_server_that_says_when_holds_all_of_them_back() -> None:
    """The other item in flight ends once that is known, and still nothing begins."""
    is_known, both, begun = threading.Event(), threading.Barrier(2), list[float]()

    def pause(longest: float) -> float:
        is_known.set()
        return longest

    def act(n: int) -> int:
        begun.append(time.monotonic())
        if not is_known.is_set():
            both.wait(60)
            if n == 0:
                raise RetryAfter(0.3)
        assert is_known.wait(60)
        return n

    waiting_step(pause).map("m", act, range(20), concurrency=2, tries=Retry(3, delay=0))
    assert len(begun) == 21
    assert sum(each < begun[0] + 0.3 for each in begun) == 2


def test_progress_is_reported_by_itself(project: Project) -> None:
    project.job(PAGES)
    project.run("trigger", "pages")
    progress = project.runs()[0]["progress"]
    assert (progress["current"], progress["total"], progress["message"]) == (40, 40, "fetch")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"items": ["a", "a"]}, "two items of 'm' have the key 'a'"),
    ({"items": [1, "a"]}, "of several types"),
    ({"items": [1, True]}, "no text, number or path"),
    ({"items": [{}]}, "say by key="),
    ({"items": [""]}, "not empty"),
    ({"items": "abc"}, "no list of items"),
    ({"items": 3}, "no list of items"),
    ({"items": [1], "concurrency": 0}, "concurrency is how many at once"),
    ({"items": [1], "concurrency": True}, "concurrency is how many at once"),
    ({"items": [1], "on_error": "ignore"}, "on_error is 'stop', 'continue' or 'collect'"),
    ({"items": [1], "rate": "fast"}, "a rate reads 100/s"),
    ({"items": [1], "rate": "0/s"}, "a rate reads 100/s"),
    ({"items": [1], "rate": "nan/s"}, "a rate reads 100/s"),
    ({"items": [1], "rate": 5}, "a rate reads 100/s"),
]


@pytest.mark.parametrize(("given", "said"), BAD, ids=[str(given) for given, _ in BAD])
def test_what_makes_no_sense_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(StepMisused, match=said.replace("'", ".")):
        Step().map("m", lambda n: None, **given)


def test_keys_may_be_paths_and_floats_and_what_key_says() -> None:
    step = Step()
    assert step.map("p", lambda path: path.name, [Path("a/b"), Path("c")]) == ["b", "c"]
    assert step.map("f", lambda number: number * 2, [0.5, 1.5]) == [1.0, 3.0]
    rows = [{"id": 1, "n": 3}, {"id": 2, "n": 4}]
    assert step.map("r", lambda row: row["n"], rows, key=lambda row: row["id"]) == [3, 4]


def test_an_item_reads_as_its_map_and_its_key_and_its_line_has_them_apart(tmp_path: Path) -> None:
    events = list[Event]()
    step = Step({}, events.append)
    step.for_each("users", lambda mine, user: mine.map("files", len, [f"{user}.txt"]), ["ann"])
    step.scope("last").run("one", int)
    names = [event.name for event in events if isinstance(event, (StepStarted, MapStarted))]
    assert names == ["users", "users[ann].files", "users[ann].files[ann.txt]", "last.one"]
    assert isinstance(names[2], ItemName)
    assert names[2].scope == "users[ann].files"


EACH = """
    def upload(user: str) -> str:
        effect(f"upload {user}")
        if os.path.exists(f"broken {user}"):
            raise OSError(user)
        return user

    def both(step: Step, user: str) -> str:
        first = step.run("upload", upload, user)
        step.run("mail", effect, f"mail {first}")
        return first.upper()

    @define_job
    def users(step: Step) -> list[str]:
        found = step.for_each("users", both, ["ann", "bob", "eve"], on_error="continue")
        if os.path.exists("kill"):
            os.kill(os.getpid(), 9)
        return found
"""


def test_of_an_item_of_for_each_what_was_done_is_replayed_and_the_rest_is_done(
    project: Project,
) -> None:
    project.job(EACH)
    (project.root / "broken bob").touch()
    failed = project.run("trigger", "users", expect=1)
    assert "1 of 3 items of 'users' failed" in failed.err
    assert project.inspect()["causes"][-1] == "users[bob].upload"
    (project.root / "broken bob").unlink()
    assert project.run("resume", "@last").out == '["ANN","BOB","EVE"]\n'
    assert Counter(project.effects) == Counter(
        {"upload ann": 1, "upload bob": 2, "upload eve": 1}
        | {f"mail {user}": 1 for user in ("ann", "bob", "eve")}
    )


def test_killed_behind_a_for_each_nothing_of_it_is_done_again(project: Project) -> None:
    project.job(EACH)
    (project.root / "kill").touch()
    project.run("trigger", "users", expect=-9)
    (project.root / "kill").unlink()
    assert project.run("resume", "@last").out == '["ANN","BOB","EVE"]\n'
    assert max(Counter(project.effects).values()) == 1


def test_a_body_may_ask_for_steps_of_its_scope_once_each_and_nest_none() -> None:
    step = Step()

    def twice(mine: Step, n: int) -> None:
        mine.run("a", int)
        mine.run("a", int)

    with pytest.raises(StepMisused, match="used twice"):
        step.for_each("m", twice, [1])


class Number(IntEnum):
    THREE = 3


TWICE = [
    [1, 2, 3, 2],
    [5, 3, 4, 3],
    [-1, -2, -1],
    [3, 1, Number.THREE],
    [10**30, 1, 10**30],
    ["b", "a", "c", "a"],
    ["5", "a", "5"],
    [0.5, 0.25, 0.5],
    [PurePosixPath("x"), Path("x")],
]


@pytest.mark.parametrize("items", TWICE, ids=str)
def test_two_items_of_one_key_are_refused_in_whatever_order_they_come(items: list[Any]) -> None:
    begun = list[Any]()
    with pytest.raises(StepMisused, match="two items of 'm' have the key"):
        Step().map("m", lambda item: begun.append(item), items, concurrency=1, returns=object)
    assert len(begun) == len(items) - 1


ONCE = [
    ["5", "05", "005", "\u0665", "-5", "+5", "5.0", "0", "00"],
    [10**17, 10**18 - 1, 10**18, 10**18 + 1, -(10**18)],
    [3, 1, 2, 0, 5, 4],
    [0.0, -0.0, 1e18],
]


@pytest.mark.parametrize("items", ONCE, ids=str)
def test_keys_that_only_look_alike_are_items_of_their_own(items: list[Any]) -> None:
    assert Step().map("m", str, items) == list(map(str, items))


def test_an_item_a_step_and_an_item_of_another_map_never_have_one_name() -> None:
    step = Step()
    step.map("m", int, [1, 2])
    step.map("n", int, ["1"], key=lambda item: "1][2")
    for name in ("m[1]", "m[2]", "n[1][2]"):
        with pytest.raises(StepMisused, match=r"used twice, at .*test_many\.py"):
            step.run(name, int)
    step.run("o[7]", int)
    with pytest.raises(StepMisused, match=r"or another step is named 'o\[7\]'"):
        step.map("o", int, [7])
    step.run("m[3]", int)
    step.run("m[01]", int)
    with pytest.raises(StepMisused, match="have the key '2'"):
        step.map("n[1]", int, [2])


def test_a_scope_lets_a_function_be_called_twice_and_its_name_is_used_once() -> None:
    step = Step()

    def sync(mine: Step) -> str:
        return mine.run("key", lambda: mine.idempotency_key("key"))

    assert sync(step.scope("one")) != sync(step.scope("two"))
    with pytest.raises(StepMisused, match="'one' is used twice"):
        step.scope("one")


def test_a_stop_ends_a_map_while_its_items_sleep(project: Project) -> None:
    project.job(PAGES.replace("time.sleep(0.01)", "time.sleep(600)"))
    with project.start("trigger", "pages") as process:
        project.wait_for_effects(8)
        process.terminate()
        process.communicate()
        assert process.returncode == 143
    assert len(project.inspect()["in_doubt"]) == 8
    assert len(project.effects) == 8


CARRIED = """
    def act(key: str) -> str:
        effect(key)
        return key

    def items():
        yield from "abc"
        if not os.path.exists("more"):
            raise ValueError("no more pages")
        yield from "de"

    def body(step: Step, key: str) -> str:
        if key == "b" and not os.path.exists("more"):
            raise ValueError("outside of a step")
        return step.run("act", act, key)

    @define_job
    def work(step: Step) -> str:
        try:
            how = "".join(WHAT)
        except (ValueError, ExceptionGroup):
            how = step.run("fallback", act, "fallback")
        step.run("behind", act, f"behind {how}")
        if not os.path.exists("more"):
            os.kill(os.getpid(), 9)
        return how
"""


@pytest.mark.parametrize(
    "what",
    ['step.map("m", act, items())', 'step.for_each("m", body, "a b c".split(), concurrency=1)'],
)
def test_a_failure_that_came_from_no_item_is_replayed_as_well(project: Project, what: str) -> None:
    project.job(CARRIED.replace("WHAT", what))
    project.run("trigger", "work", expect=-9)
    before = project.effects
    assert before[-2:] == ["fallback", "behind fallback"]
    (project.root / "more").touch()
    project.run("resume", "@last", expect=None)
    assert project.effects == before, "what stands in for it is not done beside it"


@pytest.mark.parametrize("is_first", [True, False])
def test_an_item_and_a_step_have_no_name_in_common(is_first: bool) -> None:
    step = Step()
    asks = [lambda: step.run("m[a]", int), lambda: step.map("m", len, ["a"])]
    first, second = asks if is_first else reversed(asks)
    first()
    with pytest.raises(StepMisused, match=r"m\[a\]"):
        second()


BLOCKS = """
    def items():
        yield from range(4)
        effect("blocks")
        time.sleep(600)

    @define_job(timeout=3600)
    def work(step: Step) -> None:
        step.map("m", effect, items())
"""


@pytest.mark.parametrize("ended_by", ["TERM", "cancel", "limit"])
def test_what_gives_the_items_may_block_and_a_stop_ends_it(project: Project, ended_by: str) -> None:
    project.job(BLOCKS)
    limit = ("--timeout", "1s") if ended_by == "limit" else ()
    with project.start("trigger", "work", *limit) as process:
        project.wait_for_effects(line="blocks")
        if ended_by == "TERM":
            process.terminate()
        elif ended_by == "cancel":
            assert project.run("cancel", "@last").code == 0
        process.communicate()
        assert process.returncode == {"TERM": 143, "cancel": 3, "limit": 124}[ended_by]


@pytest.mark.parametrize("may_begin", [0, 2])
def test_where_no_more_threads_can_be_it_goes_on_with_those_there_are(
    may_begin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, begun = threading.Thread.start, list[threading.Thread]()

    def limited(thread: threading.Thread) -> None:
        if len(begun) >= may_begin:
            raise RuntimeError("can't start new thread")
        begun.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    if may_begin:
        assert Step().map("m", abs, range(20), returns=int) == [*range(20)]
    else:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            Step().map("m", abs, range(20), returns=int)


def test_a_failure_does_not_wait_for_tries_of_others_that_pause(project: Project) -> None:
    project.job(
        """
        from durably import Retry

        def act(n: int) -> None:
            effect(f"act {n}")
            if n == 0:
                raise OSError
            time.sleep(0.2)
            raise ValueError

        @define_job
        def work(step: Step) -> None:
            step.map("m", act, range(2), tries=Retry(4, delay="1h", on=OSError))
        """
    )
    assert "ValueError" in project.run("trigger", "work", expect=1).err
    assert sorted(project.effects) == ["act 0", "act 1"]
    project.run("resume", "@last", expect=1)
    assert project.effects[2:] == ["act 1"], "the other one still pauses"


def test_nothing_is_said_of_a_for_each_of_which_nothing_goes_on(project: Project) -> None:
    behind = 'step.run("behind", effect, "behind")'
    fails = 'if os.path.exists("kill"):\n            raise ValueError'
    killed = 'if os.path.exists("kill"):\n            os.kill(os.getpid(), 9)'
    project.job(EACH.replace(killed, f"{behind}\n        {fails}"))
    (project.root / "kill").touch()
    project.run("trigger", "users", expect=1)
    (project.root / "kill").unlink()
    assert "goes on with" not in project.run("resume", "@last").err


def test_a_key_that_holds_a_secret_is_refused_as_every_name_is(project: Project) -> None:
    project.job(
        """
        from durably import Secret

        class Input(BaseModel):
            token: Secret

        @define_job
        def work(step: Step, payload: Input) -> None:
            keys = ["plain", f"{payload.token.get_secret_value()}-x"]
            step.map("m", effect, keys, concurrency=1)
        """
    )
    project.env["TOKEN"] = "s3cr3t-and-long-enough"
    failed = project.run("trigger", "work", "--token", "env:TOKEN", expect=1)
    assert "holds the secret token" in failed.err
    stored = [path.read_bytes() for path in project.data.rglob("*") if path.is_file()]
    assert not any(b"s3cr3t-and-long-enough" in data for data in stored)
    assert project.effects == ["plain"]


CHANGING = """
    def act(item: dict) -> int:
        effect(f"act {item['id']}")
        return item["n"]

    @define_job
    def work(step: Step) -> int:
        items = json.loads(open("items.json").read())
        found = step.map("m", act, items, key=lambda item: item["id"])
        step.run("last", last)
        return sum(found)

    def last() -> None:
        if not os.path.exists("mended"):
            raise OSError
"""


def test_an_item_whose_input_has_changed_under_its_key_is_replayed_and_said(
    project: Project,
) -> None:
    project.job("    import json\n" + CHANGING)
    items = [{"id": name, "n": 1} for name in "abc"]
    (project.root / "items.json").write_text(json.dumps(items))
    project.run("trigger", "work", expect=1)
    (project.root / "mended").touch()
    items[1]["n"] = 5
    items.append({"id": "d", "n": 2})
    (project.root / "items.json").write_text(json.dumps(items[::-1]))
    resumed = project.run("resume", "@last")
    assert resumed.out == "5\n"
    assert "1 item of 'm' replayed as executed before, with another input" in resumed.err
    assert "--redo 'm[b]'" in resumed.err
    assert Counter(project.effects) == Counter(f"act {name}" for name in "abcd")
    assert "another input" in project.run("logs", "@last").out


@pytest.mark.long
def test_items_that_are_the_same_are_not_said_whatever_they_are(project: Project) -> None:
    project.job("""
        from dataclasses import dataclass

        @dataclass
        class Item:
            id: str
            words: set
            it: object

        class Odd:
            pass

        @define_job
        def work(step: Step) -> int:
            items = [Item(n, {"x", "y", "z", "w"}, it) for n, it in (("a", 1), ("b", Odd()))]
            step.map("m", lambda item: 1, items, key=lambda item: item.id)
            step.run("fails", int, "x" if step.attempt == 1 else "1")
            return 1
    """)
    project.starts_interpreters = True  # each has another order of sets
    project.run("trigger", "work", expect=1)
    assert "another input" not in project.run("resume", "@last").err


SUMMED = """
    def one(n: int) -> int:
        if n == 5 and not os.path.exists("mended"):
            raise OSError("no")
        return n

    @define_job
    def summed(step: Step, payload: dict) -> int:
        found = step.map("one", one, range(10), on_error="collect")
        total = step.run("total", sum, list(found.ok.values()), returns=int)
        if payload["strict"]:
            found.raise_if_failed()
        return total
"""


@pytest.mark.parametrize(
    ("strict", "command", "total"),
    [
        (False, ("fork", "@last", "--redo-failed"), "45\n"),
        (True, ("fork", "@last", "--redo-failed"), "45\n"),
        (True, ("resume", "@last", "--redo", "one[5]"), "45\n"),
        (True, ("resume", "@last"), "40\n"),
    ],
)
def test_what_came_behind_a_map_is_executed_again_if_somebody_asks_for_its_failed_item(
    project: Project, strict: bool, command: tuple[str, ...], total: str
) -> None:
    project.job(SUMMED)
    given = json.dumps({"strict": strict})
    project.run("trigger", "summed", "-i", given, expect=1 if strict else 0)
    (project.root / "mended").touch()
    done = project.run(*command)
    assert done.out == total
    if total == "40\n":
        assert "fork" in done.err
        assert "--redo total executes such a step again" in done.err
