"""Finished steps that are executed again, and what came after them."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from durably_cli.__main__ import main
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How
from tests.harness.system_calls import Call, Fault, signals, watch

CHAIN = """
def number() -> int:
    effect("fetch")
    return int(open("n").read())

def double(n: int) -> int:
    effect(f"double {n}")
    return 2 * n

def show(n: int) -> int:
    effect(f"show {n}")
    if os.path.exists("fail in show"):
        raise OSError("in show")
    return n

@define_job
def chain(step: Step) -> int:
    step.run("before", effect, "before")
    n = step.run("fetch", number)
    m = step.run("double", double, n)
    step.run("show", show, m)
    if not os.path.exists("mended"):
        raise ValueError("not mended")
    return m
"""
DONE = ["before", "fetch", "double 3", "show 6"]


@pytest.fixture
def chain(project: Project) -> Project:
    """A run whose steps have all completed, and which has failed."""
    project.job(CHAIN, "chain")
    (project.root / "n").write_text("3")
    project.run("trigger", "chain", expect=1)
    assert project.effects == DONE
    return project


def counts(project: Project) -> tuple[int, list[tuple[str, str]]]:
    run = project.inspect()
    return run["steps"], [(step["name"], step["status"]) for step in run["checkpoints"]]


def test_another_result_has_what_came_after_executed_again(chain: Project) -> None:
    (chain.root / "n").write_text("5")
    again = chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert chain.effects == [*DONE, "fetch", "double 5", "show 10"]
    assert "step fetch gives another result: what 2 steps after it gave is discarded" in again.err
    steps, states = counts(chain)
    assert (steps, {state for _, state in states}) == (4, {"completed"})
    (chain.root / "mended").touch()
    done = chain.run("resume", "@last")
    assert done.out == "10\n"
    assert "0 steps run, 4 steps replayed" in done.err


def test_an_equal_result_leaves_what_came_after(chain: Project) -> None:
    again = chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert chain.effects == [*DONE, "fetch"]
    assert "failed, 3 steps replayed" in again.err


def test_only_leaves_what_came_after_whatever_it_gives(chain: Project) -> None:
    (chain.root / "n").write_text("5")
    chain.run("resume", "@last", "--redo", "fetch", "--only", expect=1)
    assert chain.effects == [*DONE, "fetch"]


def test_what_came_before_is_never_executed_again(chain: Project) -> None:
    chain.run("resume", "@last", "--redo", "double", "--redo", "show", expect=1)
    assert chain.effects == [*DONE, "double 3", "show 6"]


def test_to_be_executed_again_does_not_move_a_step_behind_others(chain: Project) -> None:
    chain.run("resume", "@last", "--redo", "before", expect=1)
    (chain.root / "n").write_text("5")
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert chain.effects.count("before") == 2


def test_a_pattern_is_all_that_fits(chain: Project) -> None:
    chain.run("resume", "@last", "--redo", "*e*", "--only", expect=1)
    assert chain.effects == [*DONE, "before", "fetch", "double 3"]
    refused = chain.run("resume", "@last", "--redo", "x*", expect=4).err
    assert "has begun no step that 'x*' fits" in refused


def test_names_are_taken_as_they_are(project: Project) -> None:
    project.job(
        """
        @define_job
        def odd(step: Step) -> None:
            for name in ("fit[a]", "fit[b]", "fit*"):
                step.run(name, effect, name)
            raise ValueError
        """,
        "odd",
    )
    project.run("trigger", "odd", expect=1)
    project.run("resume", "@last", "--redo", "fit*", expect=1)
    assert project.effects[3:] == ["fit*"], "a step of that very name"
    project.run("resume", "@last", "--redo", "fit[*]", "--only", expect=1)
    assert project.effects[4:] == ["fit[a]", "fit[b]"]


def test_what_came_after_stays_to_be_executed_though_every_attempt_is_cut_short(
    chain: Project,
) -> None:
    (chain.root / "n").write_text("5")
    (chain.root / "fail in show").touch()
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert chain.effects == [*DONE, "fetch", "double 5", "show 10"]
    (chain.root / "fail in show").unlink()
    chain.run("resume", "@last", expect=1)
    assert chain.effects == [*DONE, "fetch", "double 5", "show 10", "show 10"]


def test_a_redone_step_that_fails_still_outdates_what_came_after_once_it_gives_another_result(
    chain: Project,
) -> None:
    (chain.root / "n").write_text("none")
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert counts(chain)[0] == 3
    (chain.root / "n").write_text("5")
    chain.run("resume", "@last", expect=1)
    assert chain.effects == [*DONE, "fetch", "fetch", "double 5", "show 10"]


KEYS = """
from durably_cli import idempotency_key

def send(fail: bool) -> str:
    effect(idempotency_key())
    if fail:
        raise OSError
    return "sent"

@define_job
def keys(step: Step) -> None:
    step.run("send", send, step.attempt == 1)
    raise ValueError
"""


def test_only_a_discarded_result_gives_a_new_idempotency_key(project: Project) -> None:
    project.job(KEYS, "keys")
    project.run("trigger", "keys", expect=1)
    project.run("resume", "@last", "--redo", "send", expect=1)
    first, second = project.effects
    assert first == second, "the first try had failed"
    project.run("resume", "@last", "--redo", "send", expect=1)
    project.run("resume", "@last", "--redo", "send", expect=1)
    assert project.effects[2:] == [f"{first}-1", f"{first}-2"]


def test_a_redone_transaction_is_one_more_and_a_failed_one_is_not(project: Project) -> None:
    project.job(
        """
        def book(connection) -> int:
            connection.execute("CREATE TABLE IF NOT EXISTS books (n)")
            connection.execute("INSERT INTO books VALUES (1)")
            return connection.execute("SELECT COUNT(*) FROM books").fetchone()[0]

        @define_job
        def books(step: Step) -> int:
            n = step.transaction("book", "books.db", book)
            if not os.path.exists("mended"):
                raise ValueError
            return n
        """,
        "books",
    )
    project.run("trigger", "books", expect=1)
    project.run("resume", "@last", expect=1)
    project.run("resume", "@last", "--redo", "book", expect=1)
    (project.root / "mended").touch()
    assert project.run("resume", "@last").out == "2\n"


STOPS = CHAIN.replace('step.run("show", show, m)', 'step.run("show", show, m, in_doubt="stop")')


@pytest.mark.parametrize("says", ["keep", "again"])
def test_a_step_that_stops_in_doubt_is_not_called_for_what_one_before_it_gives(
    project: Project, says: str
) -> None:
    project.job(STOPS, "chain")
    (project.root / "n").write_text("3")
    project.run("trigger", "chain", expect=1)
    (project.root / "n").write_text("5")
    for words in (["--redo", "fetch"], []):
        stopped = project.run("resume", "@last", *words, expect=1)
        assert (
            "step 'show' was done, and step 'fetch' before it gives another result" in stopped.err
        )
        assert "to execute it again" in stopped.err
        assert "--redo show" in stopped.err
        assert project.inspect()["undecided"] == ["show"]
    assert project.effects == [*DONE, "fetch", "double 5"]
    (project.root / "mended").touch()
    if says == "keep":
        lines = stopped.err.splitlines()
        (line,) = (line for line in lines if line.startswith("to let its result stand, type: "))
        words = shlex.split(line.partition("type: ")[2])
        kept = project.run(*words[words.index("resume") :])
        assert (kept.out, project.effects[-1]) == ("10\n", "double 5")
        assert project.run("inspect", "@last", "--step", "show").out.strip() in line
    else:
        project.run("resume", "@last", "--redo", "show")
        assert project.effects[-1] == "show 10"


def test_who_and_when_and_what_stand_in_the_journal(chain: Project) -> None:
    (chain.root / "n").write_text("5")
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    lines = chain.run("inspect", "@last", "--events").out.splitlines()
    found: dict[str, list[dict[str, Any]]] = {}
    for event in map(json.loads, lines):
        found.setdefault(event["type"], []).append(event)
    (discarded,) = found["step.discarded"]
    assert discarded["name"] == "fetch"
    assert discarded["by"]
    assert len(discarded["sha256"]) == 64
    outdated = found["step.outdated"]
    assert [(each["name"], each["because"]) for each in outdated] == [
        ("show", "fetch"),
        ("double", "fetch"),
    ], "the last one first"
    completed = [each for each in found["step.completed"] if each["name"] == "fetch"]
    assert all(each["seq"] < completed[1]["seq"] for each in outdated), "before the new result"


def test_a_completed_run_is_final_and_can_be_forked(chain: Project) -> None:
    (chain.root / "mended").touch()
    chain.run("resume", "@last")
    refused = chain.run("resume", "@last", "--redo", "fetch", "--only", expect=2).err
    assert "is completed, which is final" in refused
    assert "fork" in refused
    assert "--redo fetch --only" in refused


def test_order_of_names_and_of_sets_makes_no_other_result(project: Project) -> None:
    project.job(
        """
        def found() -> dict[str, set[str]]:
            names = ["a", "b"] if not os.path.exists("again") else ["b", "a"]
            return {name: {"x", "y", "z", "w"} for name in names}

        @define_job
        def unordered(step: Step) -> None:
            step.run("found", found)
            step.run("after", effect, "after")
            raise ValueError
        """,
        "unordered",
    )
    project.run("trigger", "unordered", expect=1)
    (project.root / "again").touch()
    for seed in ("1", "2"):
        project.env["PYTHONHASHSEED"] = seed
        project.run("resume", "@last", "--redo", "found", expect=1)
    assert project.effects == ["after"]


TOKENS = """
import uuid

def fetch() -> int:
    effect("fetch")
    return int(open("n").read())

def first(n: int) -> str:
    return uuid.uuid4().hex

def second(token: str) -> str:
    return effect(f"second {token}")

@define_job
def tokens(step: Step) -> list[str]:
    n = step.run("fetch", fetch)
    token = step.run("first", first, n)
    seen = step.run("second", second, token)
    if not os.path.exists("mended"):
        raise ValueError("not mended")
    return [seen, f"second {token}"]
"""


@pytest.mark.parametrize("outdated", [1, 2])
def test_cut_short_while_it_is_said_what_counts_no_more_nothing_of_the_old_is_mixed_in(
    project: Project, tmp_path: Path, outdated: int
) -> None:
    """Then the next attempt gives the old result again, so that nothing more counts no more."""
    project.job(TOKENS, "tokens")
    (project.root / "n").write_text("3")
    project.run("trigger", "tokens", expect=1)
    (project.root / "n").write_text("5")
    said = list[str]()

    def is_that_one(call: Call) -> bool:
        said.extend([call.event] * call.event.startswith("step.outdated"))
        return len(said) == outdated

    def act() -> None:
        sys.argv = ["durably", "resume", "@last", "--redo", "fetch"]
        watch(tmp_path / "calls", Fault("dies", is_that_one, signals(signal.SIGKILL)))
        main()

    assert forking.call(How(project.root, project.env), act).code == -signal.SIGKILL
    (project.root / "n").write_text("3")
    (project.root / "mended").touch()
    seen, token = json.loads(project.run("resume", "@last").out)
    assert seen == token


def test_a_fork_replays_the_failure_of_a_redone_step_that_the_job_lived_on_after(
    project: Project,
) -> None:
    project.job(
        """
        def primary() -> int:
            effect("primary")
            if os.path.exists("broken"):
                raise OSError("broken")
            return 1

        @define_job
        def either(step: Step) -> int:
            try:
                n = step.run("primary", primary)
            except OSError:
                n = step.run("fallback", lambda: len(effect("fallback")))
            if not os.path.exists("broken"):
                raise ValueError("not yet")
            return n
        """,
        "either",
    )
    project.run("trigger", "either", expect=1)
    (project.root / "broken").touch()
    project.run("resume", "@last", "--redo", "primary")
    assert project.effects == ["primary", "primary", "fallback"]
    project.run("fork", "@last")
    assert project.effects == ["primary", "primary", "fallback"], "it never does both"
    project.run("fork", "@last", "--redo-failed")
    assert project.effects[3:] == ["primary", "fallback"], "it came after what is redone"


FALLS_BACK = """
def a() -> int:
    effect("a")
    if os.path.exists("broken"):
        raise OSError("broken")
    return 7

@define_job
def falls_back(step: Step) -> list[int]:
    try:
        x = step.run("a", a)
    except OSError:
        x = step.run("fallback", lambda: 2)
    y = step.run("b", lambda: 100 * x)
    if not os.path.exists("mended"):
        raise ValueError
    return [x, y]
"""


def test_a_redone_step_that_fails_and_is_caught_outdates_what_came_after(project: Project) -> None:
    project.job(FALLS_BACK, "falls_back")
    project.run("trigger", "falls-back", expect=1)
    for name in ("broken", "mended"):
        (project.root / name).touch()
    assert project.run("resume", "@last", "--redo", "a").out == "[2,200]\n"


def test_a_redone_step_that_fails_and_ends_the_run_outdates_nothing_yet(chain: Project) -> None:
    (chain.root / "n").write_text("none")
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert counts(chain)[0] == 3
    (chain.root / "n").write_text("3")
    chain.run("resume", "@last", expect=1)
    assert chain.effects == [*DONE, "fetch", "fetch"]


def test_a_later_word_on_what_came_after_is_the_one(chain: Project) -> None:
    (chain.root / "n").write_text("none")
    chain.run("resume", "@last", "--redo", "fetch", "--only", expect=1)
    (chain.root / "n").write_text("5")
    chain.run("resume", "@last", "--redo", "fetch", expect=1)
    assert chain.effects[-2:] == ["double 5", "show 10"]


def test_a_start_that_failed_before_what_it_now_uses_was_there_does_not_count(
    project: Project,
) -> None:
    text = """
        def x(y: int) -> int:
            if not os.path.exists("y"):
                raise OSError
            return 10 * y

        @define_job
        def grown(step: Step) -> list[int]:
            y = 0
            x_ = step.run("x", x, y)
            if not os.path.exists("mended"):
                raise ValueError
            return [y, x_]
    """
    project.job(text, "grown")
    project.run("trigger", "grown", expect=1)
    project.job(text.replace("y = 0", 'y = step.run("y", lambda: int(open("y").read()))'), "grown")
    (project.root / "y").write_text("1")
    project.run("resume", "@last", expect=1)
    (project.root / "y").write_text("2")
    (project.root / "mended").touch()
    assert project.run("resume", "@last", "--redo", "y").out == "[2,20]\n"


def test_a_transaction_in_doubt_that_came_after_is_another_one(project: Project) -> None:
    project.job(
        """
        def book(connection, n: int) -> int:
            connection.execute("CREATE TABLE IF NOT EXISTS books (n)")
            connection.execute("INSERT INTO books VALUES (?)", (n,))
            return n

        class Dies(sqlite3.Connection):
            def close(self) -> None:
                super().close()
                if os.path.exists("kill"):
                    os.kill(os.getpid(), 9)

        @define_job
        def books(step: Step) -> list[int]:
            n = step.run("n", lambda: int(open("n").read()))
            connect = lambda: sqlite3.connect("books.db", factory=Dies)
            return [n, step.transaction("book", connect, book, n)]
        """.replace("def book", "import sqlite3\n\n        def book", 1),
        "books",
    )
    (project.root / "n").write_text("1")
    (project.root / "kill").touch()
    project.run("trigger", "books", expect=-9)
    (project.root / "kill").unlink()
    (project.root / "n").write_text("9")
    assert project.run("resume", "@last", "--redo", "n").out == "[9,9]\n"


def test_a_pattern_of_many_stars_takes_no_time(chain: Project) -> None:
    refused = chain.run("resume", "@last", "--redo", "*a" * 40 + "*b", expect=4).err
    assert "has begun no step" in refused


def test_many_steps_are_redone_in_a_time_that_grows_as_they_do(project: Project) -> None:
    """Each is named as a later one once: in how many lines, is counted."""
    project.job(
        """
        @define_job
        def many(step: Step) -> None:
            for n in range(200):
                step.run(f"s{n}", lambda: step.attempt)
            raise ValueError
        """,
        "many",
    )
    project.run("trigger", "many", expect=1)
    project.run("resume", "@last", "--redo", "*", expect=1)
    found = project.run("inspect", "@last", "--events").out
    assert found.count('"step.discarded"') == 200
    assert found.count('"step.outdated"') == 0
    assert project.inspect()["steps"] == 200


@pytest.mark.parametrize("command", ["resume", "fork"])
def test_a_result_that_is_damaged_can_be_redone(project: Project, command: str) -> None:
    project.job(
        """
        @define_job
        def big(step: Step) -> int:
            n = len(step.run("big", lambda: "x" * 100_000))
            if step.attempt == 1 and not os.path.exists("complete"):
                raise ValueError
            return n
        """,
        "big",
    )
    if command == "fork":
        (project.root / "complete").touch()
    project.run("trigger", "big", expect=int(command == "resume"))
    (blob,) = project.journal().with_suffix(".blobs").iterdir()
    blob.write_bytes(blob.read_bytes().replace(b"x", b"y", 1))
    assert project.run(command, "@last", "--redo", "big").out == "100000\n"
