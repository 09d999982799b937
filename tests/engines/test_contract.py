"""What holds on every engine: each test looks through commands and the effects only."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project
from tests.engines.conftest import begin

STEPS = """
    @define_job
    def work(step: Step, *, n: int = 3) -> list[str]:
        return [step.run(f"s{i}", effect, f"e{i}") for i in range(n)]
"""

MENDED = """
    def other():
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect("other")

    @define_job
    def work(step: Step) -> list[str]:
        step.log.info("begins", n=1)
        return [step.run("one", effect, "one"), step.run("other", other)]
"""


def test_a_run_completes_with_its_output_steps_and_input(place: Project) -> None:
    place.job(STEPS)
    begin(place)
    assert json.loads(place.run("trigger", "work", "--n", "2").out) == ["e0", "e1"]
    run = place.inspect()
    assert (run["status"], run["input"]["n"], run["output"]) == ("completed", 2, ["e0", "e1"])
    assert run["steps"] == 2
    assert [each["name"] for each in run["checkpoints"]] == ["s0", "s1"]
    assert place.effects == ["e0", "e1"]
    assert [each["id"] for each in place.runs("--status", "completed", "--job", "work")] == [
        run["id"]
    ]
    assert place.run("inspect", "@last", "--step", "s1").out == '"e1"\n'


def test_a_failed_run_is_resumed_and_what_has_completed_is_replayed(place: Project) -> None:
    place.job(MENDED)
    begin(place)
    failed = place.run("trigger", "work", expect=1)
    assert "RuntimeError: not mended" in failed.err
    assert place.run("wait", "@failed", expect=1).err.count("not mended") >= 1
    (place.root / "mended").touch()
    assert json.loads(place.run("resume", "@failed").out) == ["one", "other"]
    assert place.effects == ["one", "other"]
    assert [each["outcome"] for each in place.inspect()["attempts"]] == ["failed", "completed"]
    assert json.loads(place.run("resume", "@last").out) == ["one", "other"], "it is final"
    assert place.effects == ["one", "other"]


def test_a_redone_step_is_executed_again(place: Project) -> None:
    place.job(MENDED)
    begin(place)
    place.run("trigger", "work", expect=1)
    (place.root / "mended").touch()
    place.run("resume", "@last", "--redo", "one")
    assert place.effects == ["one", "one", "other"]


def test_results_are_replayed_by_name_whatever_the_order_now(place: Project) -> None:
    place.job(
        """
        def bad():
            if not os.path.exists("mended"):
                raise RuntimeError("not mended")

        @define_job
        def work(step: Step) -> None:
            for name in open("order").read().split():
                step.run(name, effect, name)
            step.run("bad", bad)
        """
    )
    (place.root / "order").write_text("a b c")
    begin(place)
    place.run("trigger", "work", expect=1)
    (place.root / "order").write_text("new c a b")
    (place.root / "mended").touch()
    place.run("resume", "@last")
    assert place.effects == ["a", "b", "c", "new"]


def test_one_idempotency_key_is_one_run(place: Project) -> None:
    place.job(STEPS)
    begin(place)
    key = ("trigger", "work", "--idempotency-key", "today")
    first = place.run(*key, "--n", "2").out
    assert place.run(*key, "--n", "2").out == first
    assert place.effects == ["e0", "e1"]
    assert place.run(*key, "--n", "3", expect=5).err.startswith("durably: the idempotency key")
    assert place.inspect("key:work/today")["output"] == ["e0", "e1"]
    assert len(place.runs()) == 1


def test_an_input_that_the_model_rejects_makes_no_run(place: Project) -> None:
    place.job(STEPS)
    begin(place)
    place.run("trigger", "work", "-i", '{"n": "many"}', expect=65)
    assert place.runs() == []


def test_labels_and_jobs_are_filters(place: Project) -> None:
    place.job(STEPS)
    begin(place)
    place.run("trigger", "work", "--n", "0", "--label", "team=a")
    place.run("trigger", "work", "--n", "0", "--label", "team=b")
    assert [each["labels"] for each in place.runs("--label", "team=a")] == [{"team": "a"}]
    assert place.runs("--job", "other") == []


def test_logs_are_there_and_a_secret_is_not(place: Project) -> None:
    place.env["TOKEN"] = "tops3cret"
    place.job(
        """
        from pydantic import SecretStr

        class Given(BaseModel):
            token: SecretStr

        @define_job
        def work(step: Step, payload: Given) -> None:
            step.log.info("token " + payload.token.get_secret_value(), n=1)
        """
    )
    begin(place)
    place.run("trigger", "work", "-i", '{"token": "env:TOKEN"}')
    logs = place.run("logs", "@last", "--json").out
    assert json.loads(logs)["data"] == {"n": 1}
    assert "tops3cret" not in logs + place.run("inspect", "@last", "--events").out


@pytest.mark.parametrize("kind", ["sleep", "signal", "poll"])
def test_what_waits_goes_on(place: Project, kind: str) -> None:
    waits = {
        "sleep": "step.sleep('it', 1)",
        "signal": "step.wait_signal('it', int)",
        "poll": "step.poll('it', lambda: os.path.exists('there') or None, every=0.5)",
    }
    place.job(
        f"""
        @define_job
        def work(step: Step) -> None:
            step.run("before", effect, "before")
            {waits[kind]}
            step.run("behind", effect, "behind")
        """
    )
    begin(place)
    with place.start("trigger", "work") as waiting:
        place.wait_for_effects(1)
        if kind == "signal":
            place.run("signal", "@last", "it", "-i", "3")
        (place.root / "there").touch()
        assert waiting.result().code == 0
    assert place.effects == ["before", "behind"]


@pytest.mark.parametrize(
    "handler",
    [
        "step.map('all', lambda n: effect(f'm{n}'), range(6), concurrency=3)",
        "[step.run(f'm{n}', effect, f'm{n}') for n in range(6)]",
    ],
)
def test_many_steps_leave_one_result_each(place: Project, handler: str) -> None:
    place.job(
        f"""
        @define_job
        def work(step: Step) -> list[str]:
            return list({handler})
        """
    )
    begin(place)
    assert json.loads(place.run("trigger", "work").out) == [f"m{n}" for n in range(6)]
    assert sorted(place.effects) == [f"m{n}" for n in range(6)]
    lines = place.run("inspect", "@last", "--events").out.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(len(events)))


def test_an_async_handler_is_executed(place: Project) -> None:
    place.job(
        """
        import asyncio

        @define_job
        async def work(step) -> int:
            steps = (step.run(f"s{n}", asyncio.sleep, 0, n) for n in range(9))
            return sum(await asyncio.gather(*steps))
        """
    )
    begin(place)
    assert place.run("trigger", "work").out == "36\n"


def test_a_run_that_executes_is_cancelled(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step) -> None:
            for n in range(600):
                step.run(f"s{n}", lambda: effect(f"e{n}") and time.sleep(0.1))
        """
    )
    begin(place)
    with place.start("trigger", "work") as waiting:
        place.wait_for_effects(2)
        place.run("cancel", "@last", "--reason", "wrong month", "--timeout", "60s")
        assert waiting.result().code == 3
    run = place.inspect()
    assert run["status"] == "cancelled" and "wrong month" in run["reason"]
    assert len(place.effects) < 600
    place.run("resume", "@last", expect=3)


def test_runs_that_share_a_concurrency_key_are_apart(place: Project) -> None:
    place.job(
        """
        @define_job
        def work(step: Step, *, n: int) -> None:
            step.run("a", effect, f"begin {n}")
            step.run("b", time.sleep, 0.3)
            step.run("c", effect, f"end {n}")
        """
    )
    begin(place)
    key = ("--concurrency-key", "one")
    with place.start("trigger", "work", "--n", "1", *key) as first:
        place.wait_for_effects(1)
        place.run("trigger", "work", "--n", "2", *key)
        assert first.result().code == 0
    assert place.effects == ["begin 1", "end 1", "begin 2", "end 2"]


def test_a_key_that_is_taken_is_skipped_or_fails_as_asked(place: Project) -> None:
    place.job(
        """
        def held():
            while not os.path.exists("go"):
                time.sleep(0.05)

        @define_job
        def work(step: Step) -> None:
            step.run("a", effect, "a")
            step.run("b", held)
        """
    )
    begin(place)
    key = ("trigger", "work", "--concurrency-key", "one")
    with place.start(*key) as first:
        place.wait_for_effects(1)
        assert "nothing was run" in place.run(*key, "--on-conflict", "skip").err
        place.run(*key, "--on-conflict", "fail", expect=75)
        (place.root / "go").touch()
        assert first.result().code == 0
    assert place.effects == ["a"]


FORKED = """
    def bad():
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect("bad")

    @define_job
    def work(step: Step, *, text: str = "a") -> list[str]:
        found = [step.run(name, effect, name) for name in ("one", "two")]
        try:
            step.run("bad", bad)
        except RuntimeError:
            found.append("lived on")
        return [*found, text]
"""


def test_a_fork_replays_what_its_origin_has_and_does_the_rest(place: Project) -> None:
    place.job(FORKED)
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
    place.job(MENDED)
    begin(place)
    place.run("trigger", "work", expect=1)
    resumed = place.run("resume", "@last", "--dry-run").out.splitlines()
    assert [line.split("\t")[:2] for line in resumed] == [["one", "replay"], ["other", "run"]]
    forked = place.run("fork", "@last", "--redo", "one", "--dry-run").out.splitlines()
    assert [line.split("\t")[:2] for line in forked] == [["one", "run"], ["other", "run"]]
    place.run("resume", "@last", "--dry-run", "--redo", "none", expect=4)
    assert place.effects == ["one"] and len(place.runs()) == 1


def test_a_removed_run_is_gone_and_its_key_is_not_used_again(place: Project) -> None:
    place.job(MENDED)
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
    place.job(MENDED)
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
