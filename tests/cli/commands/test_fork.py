"""`durably fork` makes a new run of one that has ended, and executes what that run has not."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.quick import some_quick
from tests.harness.snapshots import snapshot
from tests.harness.terminals import TerminalWith

CHAIN = """
import signal

class Input(BaseModel):
    item: str = "tea"
    size: int = 1

def number() -> int:
    effect("fetch")
    return int(open("n").read())

def double(n: int) -> int:
    effect(f"double {n}")
    ends("double")
    return 2 * n

def show(n: int) -> int:
    effect(f"show {n}")
    ends("show")
    return n

def ends(name):
    if os.path.exists(f"fail in {name}"):
        raise OSError(f"in {name}")
    if os.path.exists(f"kill in {name}"):
        os.kill(os.getpid(), signal.SIGKILL)

@define_job
def chain(step: Step, payload: Input) -> str:
    item = step.run("order", effect, payload.item)
    n = step.run("fetch", number)
    m = step.run("double", double, n)
    step.run("show", show, m)
    return f"{m} {item}"
"""
DONE = ["tea", "fetch", "double 3", "show 6"]


@pytest.fixture
def chain(project: Project) -> Project:
    """A project with a job of four steps."""
    project.job(CHAIN, "chain")
    (project.root / "n").write_text("3")
    return project


@pytest.fixture
def done(chain: Project) -> Project:
    """The same, and a run that has completed."""
    chain.run("trigger", "chain", "--concurrency-key", "c")
    return chain


def killed_as_it_is_made(project: Project, *words: str) -> None:
    """Fork the last run so, and kill that before it has its turn."""
    project.job(HELD, "waits")
    with project.start("trigger", "waits", "--concurrency-key", "c") as holder:
        project.wait_for_effects(line="begun")
        with project.start("fork", project.runs()[1]["id"], *words) as waits:
            while project.runs()[0]["origin"] is None:
                assert waits.poll() is None
            assert waits.is_killed()
        assert holder.is_killed()


def ended(project: Project, how: str) -> None:
    """Make a run that ends so."""
    if how == "completed":
        project.run("trigger", "chain")
        return
    cause = project.root / ("fail in show" if how == "failed" else "kill in show")
    cause.touch()
    project.run("trigger", "chain", expect=1 if how == "failed" else -9)
    cause.unlink()
    if how == "cancelled":
        project.run("cancel", "@last")


def test_of_a_run_however_it_has_ended_the_rest_is_executed(chain: Project) -> None:
    for how in ("completed", "failed", "cancelled"):
        ended(chain, how)
        origin, before = chain.runs()[0]["id"], len(chain.effects)
        made = chain.run("fork", "@last")
        again = how != "completed"
        assert made.out == '"6 tea"\n'
        assert f"{int(again)} step{'s' * (not again)} run, {4 - again} steps replayed" in made.err
        assert f"a fork of run {origin[-8:]}, with {4 - again} results of it" in made.err
        assert ("show was in flight" in made.err) is (how == "cancelled")
        assert chain.effects[before:] == ["show 6"] * again
        listed = {run["id"]: (run["status"], run["origin"]) for run in chain.runs()}
        assert listed[origin] == (how, None)
        assert ("completed", origin) in listed.values()


def test_a_redone_step_takes_what_came_after_along_if_it_gives_something_else(
    done: Project,
) -> None:
    origin, (first,) = done.journal().read_bytes(), done.runs()
    equal = done.run("fork", first["id"], "--redo", "fetch")
    assert done.effects == [*DONE, "fetch"]
    assert "executed again: fetch" in equal.err
    assert "1 step run, 3 steps replayed" in equal.err
    (done.root / "n").write_text("5")
    other = done.run("fork", first["id"], "--redo", "fetch")
    assert done.effects == [*DONE, "fetch", "fetch", "double 5", "show 10"]
    assert "step fetch gives another result: what 2 steps after it gave is discarded" in other.err
    assert "3 steps run, 1 step replayed" in other.err
    assert other.out == '"10 tea"\n'
    done.run("fork", first["id"], "--redo", "fetch", "--only")
    assert done.effects[8:] == ["fetch"]
    assert done.journal(first["id"]).read_bytes() == origin


def test_one_that_is_killed_as_soon_as_it_is_made_goes_on_as_it_was_asked_for(
    done: Project,
) -> None:
    (done.root / "n").write_text("5")
    origin = done.runs()[0]["id"]
    killed_as_it_is_made(done, "--redo", "fetch")
    made = done.inspect()
    assert (made["status"], made["attempts"], made["origin"]) == ("interrupted", [], origin)
    assert done.effects == [*DONE, "begun"]
    again = done.run("resume", "@last")
    assert done.effects[5:] == ["fetch", "double 5", "show 10"]
    assert "executed again: fetch" in again.err
    assert "3 steps run, 1 step replayed" in again.err


def test_one_that_is_killed_behind_another_result_goes_on_with_what_came_after(
    done: Project,
) -> None:
    (done.root / "kill in double").touch()
    (done.root / "n").write_text("5")
    done.run("fork", "@last", "--redo", "fetch", expect=-9)
    (done.root / "kill in double").unlink()
    assert done.run("resume", "@last").out == '"10 tea"\n'
    assert done.effects == [*DONE, "fetch", "double 5", "double 5", "show 10"]


def test_what_was_asked_for_and_not_yet_decided_is_so_in_the_next_fork(done: Project) -> None:
    (done.root / "n").write_text("5")
    killed_as_it_is_made(done, "--redo", "fetch")
    done.run("cancel", "@last")
    rows = rows_of(done, "fork", "@last")
    assert [(row[0], row[1]) for row in rows] == [
        *(("order", "replay"), ("fetch", "run"), ("double", "perhaps"), ("show", "perhaps"))
    ]
    assert done.run("fork", "@last").out == '"10 tea"\n'
    assert done.effects[5:] == ["fetch", "double 5", "show 10"]
    assert done.inspect()["origin"] == done.runs()[1]["id"]


def test_what_counts_no_more_in_a_run_does_not_count_in_its_fork(done: Project) -> None:
    (done.root / "n").write_text("5")
    (done.root / "kill in double").touch()
    done.run("fork", "@last", "--redo", "fetch", expect=-9)
    done.run("cancel", "@last")
    (done.root / "kill in double").unlink()
    made = done.run("fork", "@last")
    assert made.out == '"10 tea"\n'
    assert done.effects == [*DONE, "fetch", "double 5", "double 5", "show 10"]
    assert "with 2 results of it" in made.err
    assert done.inspect()["steps"] == 4


@pytest.mark.parametrize(
    ("words", "item", "effects"),
    [
        (["-p", "item=milk"], '"6 tea"\n', []),
        (["-p", "item=milk", "--redo", "order", "--only"], '"6 milk"\n', ["milk"]),
        (["-p", "size:=1"], '"6 tea"\n', []),
    ],
)
def test_another_input_changes_no_step_that_is_not_named(
    done: Project, words: list[str], item: str, effects: list[str]
) -> None:
    assert done.run("fork", "@last", *words).out == item
    assert done.effects == [*DONE, *effects]
    wanted = {"item": "milk" if "item=milk" in words else "tea", "size": 1}
    assert done.inspect()["input"] == wanted


@pytest.mark.parametrize(
    "case",
    some_quick(
        [
            (["@last", "-p", "size=large"], 65, "size"),
            (["@last", "-p", "nothing"], 2, "is no field"),
            (["@last", "--redo", "fetsh"], 4, "has begun no step 'fetsh'; did you mean fetch?"),
            (["@last", "--redo", "x*"], 4, "has begun no step that 'x*' fits"),
            (["@last", "--only"], 2, "--only says nothing without --redo"),
            (["@last", "--timeout", "soon"], 2, "--timeout"),
            (["ffff"], 4, "ffff"),
        ],
        3,
    ),
)
def test_what_is_refused_makes_no_run(done: Project, case: tuple[list[str], int, str]) -> None:
    words, code, said = case
    before = snapshot(done.data)
    assert said in done.run("fork", *words, expect=code).err
    assert snapshot(done.data) == before
    assert done.effects == DONE


def test_a_run_that_has_not_ended_is_resumed_or_cancelled(chain: Project) -> None:
    (chain.root / "kill in show").touch()
    chain.run("trigger", "chain", expect=-9)
    run = chain.runs()[0]["id"][-8:]
    for more in ([], ["--dry-run"]):
        refused = json.loads(chain.run("fork", "@last", "--json", *more, expect=5).out)["error"]
        assert refused["code"] == "has-not-ended"
        assert [f" resume {run}" in refused["hint"], f" cancel {run}" in refused["hint"]] == [1, 1]
    assert len(chain.runs()) == 1


def test_a_damaged_run_and_one_of_no_job_are_not_forked(done: Project) -> None:
    (done.root / "jobs" / "chain.py").rename(done.root / "chain.txt")
    gone = done.run("fork", "@last", expect=4).err
    assert "job chain, which this project no longer has" in gone
    (done.root / "chain.txt").rename(done.root / "jobs" / "chain.py")
    path = done.journal()
    path.write_bytes(path.read_bytes().replace(b'"tea"', b'"tee"'))
    for more in ([], ["--dry-run"]):
        assert "damaged" in done.run("fork", path.stem, *more, expect=74).err
    assert len(done.runs()) == 1


HELD = """
    @define_job
    def waits(step: Step) -> int:
        step.run("quick", int)
        if not os.path.exists("go on"):
            step.run("long", lambda: (effect("begun"), [time.sleep(0.05) for _ in range(1200)]))
        return 1
"""


def test_a_run_that_a_process_holds_is_tried_later(project: Project) -> None:
    project.job(HELD, "waits")
    with project.start("trigger", "waits") as process:
        project.wait_for_effects()
        for more in ([], ["--dry-run"]):
            held = project.run("fork", "@last", *more, expect=75).err
            assert "is held by another process" in held
            assert " wait " in held
        assert process.is_killed()


def test_it_has_the_labels_and_the_concurrency_key_but_no_idempotency_key(
    project: Project,
) -> None:
    project.job(HELD, "waits")
    (project.root / "go on").touch()
    keys = "--idempotency-key", "i", "--concurrency-key", "c"
    project.run("trigger", "waits", *keys, "--label", "team=a")
    origin = project.runs()[0]["id"]
    project.run("fork", "key:waits/i")
    made = project.inspect()
    found = made["idempotency_key"], made["concurrency_key"], made["labels"]
    assert found == (None, "c", {"team": "a"})
    assert project.inspect("key:waits/i")["id"] == origin
    (project.root / "go on").unlink()
    with project.start("trigger", "waits", "--concurrency-key", "c") as holder:
        project.wait_for_effects()
        with project.start("fork", origin) as waits:
            while project.runs()[0]["status"] != "pending":
                assert waits.poll() is None
            assert project.runs()[0]["origin"] == origin
            (project.root / "go on").touch()
            assert holder.is_killed()
            assert waits.result().code == 0


LIVES_ON = """
class Lost(Exception):
    def __init__(self, text: str) -> None:
        super().__init__(text)

def primary(size: int) -> str:
    effect("primary")
    if not os.path.exists("mended"):
        raise Lost("x" * size)
    return "primary"

class Input(BaseModel):
    size: int = 1

@define_job
def lives(step: Step, payload: Input) -> str:
    try:
        return step.run("primary", primary, payload.size)
    except Exception:
        return step.run("fallback", effect, "fallback")
"""


def test_a_failure_that_the_job_lived_on_after_is_replayed_unless_it_is_to_be_redone(
    project: Project,
) -> None:
    project.job(LIVES_ON, "lives")
    project.run("trigger", "lives")
    origin = project.runs()[0]["id"]
    (project.root / "mended").touch()
    made = project.run("fork", origin)
    assert made.out == '"fallback"\n'
    assert "1 failure that the job went on after will be replayed: primary" in made.err
    assert project.effects == ["primary", "fallback"]
    for words in (["--redo-failed"], ["--redo", "primary"]):
        assert project.run("fork", origin, *words).out == '"primary"\n'
    assert project.effects == ["primary", "fallback", "primary", "primary"]


def test_a_huge_error_is_replayed_and_shown_when_its_origin_is_gone(project: Project) -> None:
    project.job(LIVES_ON, "lives")
    project.run("trigger", "lives", "-p", "size:=1000000")
    origin = project.runs()[0]["id"]
    project.run("fork", origin)
    project.run("delete", origin)
    project.run("verify")
    assert project.effects == ["primary", "fallback"]
    whole = [path.stat().st_size for path in project.journal().with_suffix(".blobs").iterdir()]
    assert max(whole) > 1_000_000


def test_a_failure_of_a_redone_step_that_the_job_lived_on_after_is_replayed(
    project: Project,
) -> None:
    project.job(LIVES_ON, "lives")
    (project.root / "mended").touch()
    project.run("trigger", "lives")
    (project.root / "mended").unlink()
    assert project.run("fork", "@last", "--redo", "primary").out == '"fallback"\n'
    (project.root / "mended").touch()
    assert project.run("fork", "@last").out == '"fallback"\n'
    assert project.effects == ["primary", "primary", "fallback"]


LARGE = """
from durably_cli import sh

class Input(BaseModel):
    text: str

def large(text: str) -> str:
    effect("large")
    return text[::-1]

@define_job
def bulky(step: Step, payload: Input) -> int:
    text = step.run("large", large, payload.text)
    printed = step.sh("prints", ["sh", "-c", "seq 100000; echo ran >> $EFFECTS"])
    return len(text)
"""


def test_what_is_large_is_shared_and_outlives_its_origin(project: Project) -> None:
    project.job(LARGE, "bulky")
    given = json.dumps({"text": "x" * 100_000 + "y"})
    project.run("trigger", "bulky", "-i", "-", input=given)
    origin, path = project.runs()[0]["id"], project.journal()
    assert project.run("fork", origin).out == "100001\n"
    made = project.journal()
    assert project.effects == ["large", "ran"]
    shared = files_beside(made)
    assert [name for name, links in shared.items() if ".input-" in name and links != 1] == []
    assert sum(links == 2 for links in shared.values()) >= 2, shared
    assert [each.name for each in path.with_suffix(".forks").iterdir()] == [made.stem]
    project.run("delete", origin)
    assert files_beside(path) == {}
    assert set(files_beside(made).values()) == {1}
    assert project.run("verify").code == 0
    result = json.loads(project.run("inspect", "@last", "--step", "large", "--json").out)["step"]
    assert result["result"] == "y" + "x" * 100_000
    assert project.inspect()["input"] == {"text": "x" * 100_000 + "y"}
    project.run("fork", "@last")
    project.run("prune", "--older-than", "0s", "--keep-last", "1", "--yes")
    (kept,) = project.runs()
    assert kept["origin"] == made.stem
    assert project.run("resume", "@last").out == "100001\n"
    assert project.run("verify").code == 0
    assert project.effects == ["large", "ran"]


def files_beside(journal: Path) -> dict[str, int]:
    """The files of a run, and how many names each has."""
    found = [each for each in journal.parent.rglob("*") if each.is_file()]
    return {
        str(each.relative_to(journal.parent)): each.stat().st_nlink
        for each in found
        if str(each.relative_to(journal.parent)).startswith(journal.stem)
    }


def test_a_secret_stays_a_reference(project: Project) -> None:
    project.job(
        """
        from durably_cli import Secret

        class Input(BaseModel):
            token: Secret
            n: int = 1

        @define_job
        def secretive(step: Step, payload: Input) -> int:
            step.log.info(payload.token.get_secret_value())
            return step.run("size", lambda: payload.n) + len(payload.token.get_secret_value())
        """,
        "secretive",
    )
    project.env |= {"TOKEN": "hunter2-and-more", "OTHER": "hunter2-and-more-still"}
    project.run("trigger", "secretive", "--token", "env:TOKEN")
    made = project.run("fork", "@last", "-p", "n:=2")
    other = project.run("fork", "@last", "-p", "token=env:OTHER")
    assert (made.out, other.out) == ("17\n", "23\n")
    clear = project.run("fork", "@last", "-p", "token=hunter2-and-more-still", expect=65)
    assert project.inspect()["input"] == {"token": "env:OTHER", "n": 2}
    for path, (_, data) in snapshot(project.data).items():
        assert b"hunter2" not in (data or b""), path
    assert "hunter2" not in made.err + other.err + clear.err


DOUBT = """
import signal
from durably_cli import NotDone

def charge() -> str:
    effect("charged")
    if os.path.exists("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return "receipt"

def look() -> str:
    effect("looked")
    return "found"

def before() -> int:
    return int(open("n").read())

@define_job
def pay(step: Step) -> str:
    step.run("before", before)
    if os.path.exists("fail before"):
        raise ValueError
    return step.run("charge", charge, in_doubt=HOW)
"""


def in_doubt(project: Project, how: str) -> None:
    """A run that was cancelled after it was killed in its step."""
    project.job(DOUBT.replace("HOW", how), "pay")
    (project.root / "n").write_text("1")
    (project.root / "kill").touch()
    project.run("trigger", "pay", expect=-9)
    project.run("cancel", "@last")
    (project.root / "kill").unlink()


@pytest.mark.parametrize(
    ("how", "plan", "code", "effects"),
    [
        ("'again'", "in doubt", 0, ["charged"]),
        ("look", "in doubt", 0, ["looked"]),
        ("'stop'", "stop", 1, []),
    ],
)
def test_what_was_in_doubt_is_so_in_the_fork(
    project: Project, how: str, plan: str, code: int, effects: list[str]
) -> None:
    in_doubt(project, how)
    assert [row[1] for row in rows_of(project, "fork", "@last")] == ["replay", plan]
    project.run("fork", "@last", expect=code)
    assert project.effects == ["charged", *effects]
    assert project.inspect()["undecided"] == ["charge"] * code
    if code:
        assert project.run("fork", "@last", "--redo", "charge").out == '"receipt"\n'
        assert project.effects == ["charged"] * 2


def test_what_somebody_said_was_done_is_so_in_the_fork(project: Project) -> None:
    in_doubt(project, "'stop'")
    project.run("fork", "@last", expect=1)
    (project.root / "fail before").touch()
    project.run("resume", "@last", "--done", "charge", "--result", '"by hand"', expect=1)
    (project.root / "fail before").unlink()
    assert rows_of(project, "fork", "@last")[1][1::3] == ["replay", "marked as done before"]
    assert project.run("fork", "@last").out == '"by hand"\n'
    assert project.effects == ["charged"]


def test_what_somebody_said_before_another_word_of_it_is_not_taken(project: Project) -> None:
    in_doubt(project, "'stop'")
    project.run("fork", "@last", expect=1)
    project.run("resume", "@last", "--done", "charge", "--result", "7", expect=1)
    (project.root / "kill").touch()
    project.run("resume", "@last", "--redo", "charge", expect=-9)
    project.run("cancel", "@last")
    (project.root / "kill").unlink()
    project.run("fork", "@last", expect=1)
    assert project.inspect()["in_doubt"] == ["charge"]
    (project.root / "fail before").touch()
    project.run("resume", "@last", "--done", "charge", "--result", '"old"', expect=1)
    project.run("resume", "@last", "--redo", "charge", expect=1)
    (project.root / "fail before").unlink()
    assert project.run("fork", "@last").out == '"receipt"\n'
    assert project.effects == ["charged"] * 3


REFUSED = """
def charge() -> object:
    effect("charged")
    return object()

@define_job
def pay(step: Step) -> None:
    step.run("charge", charge, in_doubt="stop")
"""


@pytest.mark.parametrize("words", [[], ["--redo-failed"]])
@pytest.mark.parametrize("command", ["resume", "fork"])
def test_a_step_that_has_returned_what_was_refused_is_not_called_again_unasked(
    project: Project, command: str, words: list[str]
) -> None:
    project.job(REFUSED, "pay")
    project.run("trigger", "pay", expect=1)
    words = words if command == "fork" else []
    for _ in range(2):
        (row,) = rows_of(project, command, "@last", *words)
        assert row[1] == "stop"
        project.run(command, "@last", *words, expect=1)
        assert project.effects == ["charged"]
        assert project.inspect()["undecided"] == ["charge"]
    assert project.run("resume", "@last", "--done", "charge").out == "null\n"
    assert project.effects == ["charged"]


def test_what_was_said_and_does_not_fit_is_asked_for_in_the_fork_as_before(
    project: Project,
) -> None:
    project.job(DOUBT.replace("HOW", "'stop'"), "pay")
    (project.root / "n").write_text("1")
    (project.root / "kill").touch()
    project.run("trigger", "pay", expect=-9)
    (project.root / "kill").unlink()
    project.run("resume", "@last", "--done", "charge", "--result", "7", expect=1)
    for told in (project.run("fork", "@last", expect=1), project.run("list", "-n", "1")):
        assert "--done charge --result JSON" in told.err
        assert "if it was not" in told.err


def test_a_step_that_stops_with_a_result_that_counts_no_more_stops_the_fork_too(
    project: Project,
) -> None:
    project.job(DOUBT.replace("HOW", "'stop'"), "pay")
    (project.root / "n").write_text("1")
    project.run("trigger", "pay")
    (project.root / "n").write_text("2")
    project.run("fork", "@last", "--redo", "before", expect=1)
    rows = rows_of(project, "fork", "@last")
    assert {row[0]: row[1] for row in rows} == {"before": "replay", "charge": "stop"}
    stopped = project.run("fork", "@last", expect=1).err
    assert "step 'charge' was done, and step 'before' before it gives another result" in stopped
    assert project.effects == ["charged"]
    (project.root / "fail before").touch()
    project.run("resume", "@last", "--redo", "charge", expect=1)
    (project.root / "fail before").unlink()
    made = project.run("fork", "@last")
    assert (made.out, project.effects) == ('"receipt"\n', ["charged"] * 2)
    assert "with 1 result of it" in made.err
    assert project.inspect()["steps"] == 2


def test_a_fork_of_a_fork_comes_from_that(done: Project) -> None:
    (done.root / "n").write_text("5")
    done.run("fork", "@last", "--redo", "fetch")
    done.run("fork", "@last", "--redo", "show")
    assert done.effects == [*DONE, "fetch", "double 5", "show 10", "show 10"]
    last, middle, first = done.runs()
    assert (last["origin"], middle["origin"], first["origin"]) == (middle["id"], first["id"], None)
    forks = [done.inspect(run["id"])["forks"] for run in (last, middle, first)]
    assert forks == [[], [last["id"]], [middle["id"]]]
    done.run("delete", middle["id"])
    assert done.inspect(first["id"])["forks"] == []
    assert done.inspect(last["id"])["origin"] == middle["id"]
    assert done.run("fork", "@last").out == '"10 tea"\n'


def test_a_run_that_was_imported_can_be_forked(tmp_path: Path) -> None:
    there, here = Project(tmp_path / "there"), Project(tmp_path / "here")
    for project in (there, here):
        project.job(LARGE, "bulky")
    there.run("trigger", "bulky", "-p", f"text={'x' * 70_000}")
    there.run("fork", "@last")
    bundle = str(tmp_path / "bundle.tar.gz")
    there.run("export", "@last", "-o", bundle)
    here.run("import", bundle)
    imported = here.inspect()
    assert (imported["origin"], imported["imported"]) == (there.runs()[1]["id"], True)
    made = here.run("fork", "@last")
    assert (made.out, here.effects) == ("70000\n", [])
    assert here.inspect()["project"] == str(here.root)
    here.run("delete", imported["id"])
    assert here.run("resume", "@last").out == "70000\n"
    assert here.run("verify").code == 0


def test_it_is_shown_as_one_wherever_a_run_is(done: Project) -> None:
    origin = done.runs()[0]["id"]
    (done.root / "n").write_text("5")
    answer = json.loads(done.run("fork", "@last", "--redo", "fetch", "--json").out)
    run = answer["run"]
    assert (run["disposition"], run["origin"], run["output"]) == ("forked", origin, "10 tea")
    assert [f" inspect {run['id'][-8:]}" in each for each in answer["next"]] == [True, False]
    lines = [line.split("\t") for line in done.run("list").out.splitlines()]
    assert [line[10] for line in lines] == [origin, ""]
    assert f"\norigin\t{origin}\n" in done.run("inspect", "@last").out
    with TerminalWith(done, *DURABLY, "list") as terminal:
        assert f"fork of {origin[-8:]}" in terminal.read()
    for words, said in (("@last", "of which it has 3 results"), (origin, run["id"][-8:])):
        with TerminalWith(done, *DURABLY, "inspect", words, columns=120) as terminal:
            shown = terminal.read()
            assert said in shown
            assert ("step done before" in shown) == (words == "@last")
    assert done.run("wait", "@last").out == '"10 tea"\n'


def test_only_what_it_executed_itself_is_in_its_picture(done: Project) -> None:
    (done.root / "n").write_text("5")
    done.run("fork", "@last", "--redo", "double", "--only")
    steps = {step["name"]: step["attempt"] for step in done.inspect()["checkpoints"]}
    assert steps == {"order": 0, "fetch": 0, "double": 1, "show": 0}
    done.run("inspect", "@last", "--svg", "run.svg")
    drawn = re.findall(r"<title>(\w+):", (done.root / "run.svg").read_text())
    assert drawn == ["double"]
    done.run("inspect", "@last", "--html", "run.html")
    page = (done.root / "run.html").read_text()
    assert ("double" in page, "fetch" in page) == (True, False)


def test_it_is_quiet_and_ends_in_time_as_any_run(project: Project) -> None:
    project.job(HELD, "waits")
    (project.root / "go on").touch()
    project.run("trigger", "waits")
    quiet = project.run("fork", "@last", "-q")
    assert (quiet.out, quiet.err) == ("", "")
    (project.root / "go on").unlink()
    late = project.run("fork", "@last", "--timeout", "1ms", expect=124)
    made = project.runs()[0]["id"][-8:]
    assert f" resume {made}" in late.err
    (project.root / "go on").touch()
    assert project.run("resume", made).out == "1\n"


def test_what_fails_in_it_fails_as_in_any_run(done: Project) -> None:
    (done.root / "fail in double").touch()
    failed = done.run("fork", "@last", "--redo", "double", "-q", expect=1)
    made = done.runs()[0]
    assert (made["status"], made["origin"] is not None) == ("failed", True)
    assert f" resume {made['id'][-8:]}" in failed.err
    (done.root / "fail in double").unlink()
    done.run("resume", "@last")
    assert done.effects == [*DONE, "double 3", "double 3"]


def test_a_process_that_is_stopped_leaves_a_run_to_go_on_with(project: Project) -> None:
    project.job(HELD, "waits")
    (project.root / "go on").touch()
    project.run("trigger", "waits")
    (project.root / "go on").unlink()
    with project.start("fork", "@last") as process:
        project.wait_for_effects()
        os.kill(process.pid, signal.SIGTERM)
        ended = process.result()
    assert ended.code == 143
    (project.root / "go on").touch()
    assert project.run("resume", "@last").out == "1\n"


def rows_of(project: Project, *words: str) -> list[list[str]]:
    """The lines of a plan."""
    text = project.run(*words, "--dry-run").out
    return [line.split("\t") for line in text.splitlines()]


def lines_of(journal: Path) -> list[dict[str, Any]]:
    """The events of a journal."""
    return [json.loads(line) for line in journal.read_text().splitlines()]


def test_a_line_says_where_its_first_lines_are_from_and_that_it_is_no_attempt(
    done: Project,
) -> None:
    done.run("fork", "@last", "--redo", "show")
    types = [event["type"] for event in lines_of(done.journal())]
    begin = ["step.started", "step.completed"] * 4
    assert types[:10] == ["run.created", *begin, "run.forked"]
    assert types[10:12] == ["step.discarded", "run.started"]


BOOKS = """
import sqlite3
from durably_cli import idempotency_key

class Dies(sqlite3.Connection):
    def close(self) -> None:
        super().close()
        if os.path.exists("kill"):
            os.kill(os.getpid(), 9)

def book(connection) -> int:
    connection.execute("CREATE TABLE IF NOT EXISTS books (n)")
    connection.execute("INSERT INTO books VALUES (1)")
    return connection.execute("SELECT COUNT(*) FROM books").fetchone()[0]

def send() -> str:
    effect(idempotency_key())
    if os.path.exists("kill in send"):
        os.kill(os.getpid(), 9)
    return "sent"

@define_job
def books(step: Step) -> int:
    step.run("send", send)
    return step.transaction("book", lambda: sqlite3.connect("books.db", factory=Dies), book)
"""


def test_a_transaction_in_doubt_has_happened_once_in_forks_of_forks_too(project: Project) -> None:
    project.job(BOOKS, "books")
    (project.root / "kill").touch()
    project.run("trigger", "books", expect=-9)
    project.run("cancel", "@last")
    for _ in range(2):
        project.run("fork", "@last", expect=-9)  # which finds the row, and is killed behind it
        project.run("cancel", "@last")
    (project.root / "kill").unlink()
    assert project.run("fork", "@last").out == "1\n"


def test_a_request_in_doubt_has_the_key_that_it_had(project: Project) -> None:
    project.job(BOOKS, "books")
    (project.root / "kill in send").touch()
    project.run("trigger", "books", expect=-9)
    project.run("cancel", "@last")
    (project.root / "kill in send").unlink()
    project.run("fork", "@last")
    project.run("fork", "@last", "--redo", "send")
    first, again, redone = project.effects
    assert first == again
    assert redone != first


def test_a_field_that_the_job_has_not_is_said(done: Project) -> None:
    assert "has no field 'itme'" in done.run("fork", "@last", "-p", "itme=milk").err
    assert "is no field" in done.run("fork", "@last", "-p", "milk", "--dry-run", expect=2).err
