"""What commands do with runs, on every engine."""

from __future__ import annotations

import json

from tests.conftest import Project
from tests.engines.conftest import begin
from tests.engines.jobs import FAILS_UNTIL_MENDED, LIVES_ON


def test_a_fork_replays_what_its_origin_has_and_does_the_rest(place: Project) -> None:
    place.job(LIVES_ON)
    begin(place)
    place.run("trigger", "work", "--label", "team=a")
    origin = place.inspect()
    (place.root / "mended").touch()
    made = place.run("fork", "@last", "--redo", "one", "-p", "text=b")
    assert "1 step run, 1 step replayed" in made.err
    assert json.loads(made.out) == ["one", "two", "lived on", "b"]
    assert place.effects == ["one", "two", "one"]
    fork = place.inspect()
    assert (fork["origin"], fork["input"]["text"], fork["labels"]) == (
        *(origin["id"], "b", {"team": "a"}),
    )
    assert (fork["steps"], len(fork["attempts"])) == (2, 1)
    assert place.inspect(origin["id"])["forks"] == [fork["id"]]
    assert json.loads(place.run("fork", origin["id"], "--redo-failed").out) == ["one", "two", "a"]
    assert place.effects == ["one", "two", "one", "bad"]
    place.run("fork", origin["id"], "--redo", "nothing", expect=4)
    place.run("fork", origin["id"], "-p", "text:=1", expect=65)
    assert len(place.runs()) == 3


def test_what_a_fork_and_a_resume_would_do_is_shown(place: Project) -> None:
    place.job(FAILS_UNTIL_MENDED)
    begin(place)
    place.run("trigger", "work", expect=1)
    resumed = place.run("resume", "@last", "--dry-run").out.splitlines()
    assert [line.split("\t")[:2] for line in resumed] == [["one", "replay"], ["bad", "run"]]
    forked = place.run("fork", "@last", "--redo", "one", "--dry-run").out.splitlines()
    assert [line.split("\t")[:2] for line in forked] == [["one", "run"], ["bad", "run"]]
    place.run("resume", "@last", "--dry-run", "--redo", "none", expect=4)
    assert place.effects == ["one"] and len(place.runs()) == 1


def test_a_removed_run_is_gone_and_its_key_is_not_used_again(place: Project) -> None:
    place.job(FAILS_UNTIL_MENDED)
    begin(place)
    key = ("trigger", "work", "--idempotency-key", "today")
    place.run(*key, expect=1)
    assert "--status names what else may go" in place.run("delete", "@last", expect=2).err
    run = place.runs()[0]["id"]
    deleted = json.loads(place.run("delete", run, "--status", "failed", "--json").out)
    assert deleted["deleted"] == [run] and deleted["freed_bytes"] > 500
    assert place.runs() == []
    place.run("inspect", run, expect=4)
    place.run("delete", run, expect=4)
    assert "not done again" in place.run(*key, expect=4).err
    assert "was deleted" in place.run("delete", "key:work/today", expect=4).err
    place.run("delete", "key:work/today", "--free-keys")
    place.run(*key, expect=1)
    place.run("delete", "@last", "--status", "failed", "--free-keys")
    place.run(*key, expect=1)
    assert place.effects == ["one"] * 3


def test_old_runs_are_removed_but_for_the_newest_and_those_that_may_be_resumed(
    place: Project,
) -> None:
    place.job(FAILS_UNTIL_MENDED)
    begin(place)
    place.run("trigger", "work", expect=1)
    (place.root / "mended").touch()
    for _ in range(3):
        place.run("trigger", "work")
    *done, failed = [each["id"] for each in place.runs()]
    assert place.run("prune", "--older-than", "1d", "--yes").out == ""
    would = place.run("prune", "--older-than", "0s", "--keep-last", "1", "--dry-run").out
    assert would.split() == done[1:]
    gone = json.loads(place.run("prune", "--older-than", "0s", "--json", "--yes").out)
    assert gone["deleted"] == done
    assert [each["id"] for each in place.runs()] == [failed]
    place.run("prune", "--older-than", "0s", "--status", "failed", "--yes")
    assert place.runs() == []


def test_a_run_is_exported_with_all_that_it_has(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step) -> str:
            step.log.info("l" * 70_000)
            step.run("large", lambda: "r" * 70_000)
            return "o" * 70_000
        """
    )
    begin(place)
    place.run("trigger", "work", "--idempotency-key", "today")
    run = place.inspect()
    bundle = str(place.root / "run.tar.gz")
    place.run("export", "@last", "-o", bundle)
    place.run("export", "@last", "-o", bundle, expect=2)
    other = Project(place.root.parent / "other")
    other.run("import", bundle)
    there = other.inspect(run["id"])
    for member in ("id", "input", "output", "steps", "status", "idempotency_key", "job"):
        assert there[member] == run[member], member
    assert other.run("inspect", run["id"], "--step", "large").out == f'"{"r" * 70_000}"\n'
    assert json.loads(other.run("logs", run["id"], "--json").out)["message"] == "l" * 70_000
    lines = other.run("inspect", run["id"], "--events").out.splitlines()
    assert max(map(len, lines)) < 66_000, "what is large is in files"
    assert other.run("verify").code == 0


def test_an_attempt_takes_no_longer_than_it_may(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step) -> str:
            step.run("a", effect, "a")
            while not os.path.exists("mended"):
                time.sleep(0.05)
            return step.run("b", effect, "b")
        """
    )
    begin(place)
    ended = place.run("trigger", "work", "--timeout", "1s", expect=124)
    assert "its time limit" in ended.err
    assert place.inspect()["status"] == "interrupted"
    (place.root / "mended").touch()
    assert place.run("resume", "@last", "--timeout", "1m").out == '"b"\n'
    assert place.effects == ["a", "b"]


def test_a_run_that_waits_may_be_left(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step) -> int:
            step.run("before", effect, "before")
            return step.wait_signal("answer", int)
        """
    )
    begin(place)
    left = place.run("trigger", "work", "--suspend", expect=75)
    assert "durably signal" in left.err
    assert place.inspect()["status"] == "waiting"
    place.run("signal", "@last", "answer", "-i", "42")
    assert place.run("resume", "@last").out == "42\n"
    assert place.effects == ["before"]


def test_who_waits_may_leave_after_a_while(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step) -> str:
            while not os.path.exists("go"):
                time.sleep(0.05)
            return step.run("a", effect, "a")
        """
    )
    begin(place)
    run = place.run("trigger", "work", "--detach-after", "1s").out.strip()
    (place.root / "go").touch()
    assert place.run("wait", run).out == '"a"\n'
