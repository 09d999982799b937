"""Many processes at one run: one executes it, others wait or are refused, readers see it whole."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Project
from tests.harness.killing import stopped_everywhere
from tests.harness.kills import check_forty, check_one_at_a_time
from tests.harness.quick import some_or_all

STEPS = 6
ORDER = ("interrupted", "running", "completed")


def begin(key: str, steps: int = STEPS) -> tuple[str, ...]:
    return "trigger", "forty", "-p", f"steps:={steps}", "--idempotency-key", key


def executions(project: Project) -> int:
    return sum(line.startswith("run ") for line in project.effects)


@pytest.mark.campaign  # tests/promises has eight
def test_200_processes_with_one_idempotency_key_make_one_run(
    forty: Project, count: Callable[[int], None]
) -> None:
    racing = [forty.start(*begin("k")) for _ in range(200)]
    results = [each.result() for each in racing]
    assert {each.code for each in results} == {0}, results
    (output,) = {each.out for each in results}
    check_forty(forty.effects, json.loads(output), STEPS)
    assert executions(forty) == STEPS, "executed again, and nobody had been killed"
    assert len(forty.runs()) == 1
    count(len(racing))


@some_or_all(3)
def test_a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_makes_no_second_run(
    forty: Project, every: int, count: Callable[[int], None]
) -> None:
    keys = list[str]()

    def args() -> tuple[str, ...]:
        forty.effects_path.unlink(missing_ok=True)
        keys.append(f"key {len(keys)}")
        return begin(keys[-1], 2)

    def check(call: int) -> None:
        done = forty.run(*begin(keys[-1], 2))
        check_forty(forty.effects, json.loads(done.out), 2)
        assert executions(forty) == 2, f"executed twice, stopped at call {call}"

    def meanwhile() -> None:
        forty.run(*begin(keys[-1], 2), "--no-wait")

    stopped_everywhere(forty, args, meanwhile, check, every)
    assert len(forty.runs()) == len(keys)
    count(len(keys) - 1)


def list_until(project: Project, ended: threading.Event) -> list[str]:
    """The status that `list` gives the only run, from now until something has ended."""
    seen: list[str] = []
    is_last = False
    while not is_last:
        is_last = ended.is_set()
        result = project.run("list", "--json")
        assert result.err == ""
        (run,) = json.loads(result.out)["runs"]
        seen.append(run["status"])
    return seen


@pytest.mark.parametrize(
    ("resumes", "lookers", "steps"),
    [(6, 3, 40), pytest.param(16, 50, 400, marks=pytest.mark.campaign)],
)
def test_resumes_of_one_run_are_one_execution_and_who_lists_it_sees_it_whole(
    resumes: int, lookers: int, steps: int, forty: Project, count: Callable[[int], None]
) -> None:
    owner = forty.start(*begin("k", steps))
    forty.wait_for_effects(5)
    assert owner.is_killed()
    before = len(forty.effects)
    ended = threading.Event()
    with ThreadPoolExecutor(lookers) as pool:
        looking = [pool.submit(list_until, forty, ended) for _ in range(lookers)]
        try:
            resuming = [forty.start("resume", "@last") for _ in range(resumes)]
            results = [each.result() for each in resuming]
        finally:
            ended.set()
    assert {each.code for each in results} <= {0, 75}, results
    (output,) = {each.out for each in results if each.code == 0}
    assert all("held by another process" in each.err for each in results if each.code), results
    assert len({line.split()[-1] for line in forty.effects[before:]}) == 1, "two executed it"
    check_forty(forty.effects, json.loads(output), steps)
    for statuses in (each.result() for each in looking):
        assert statuses == sorted(statuses, key=ORDER.index), "the run went back"
        assert statuses[-1] == "completed"
        resumes += len(statuses)
    count(resumes)


@pytest.mark.long
def test_a_stopped_owner_stays_the_owner_and_goes_on(
    forty: Project, count: Callable[[int], None]
) -> None:
    with forty.start(*begin("k", 40)) as owner:
        forty.wait_for_effects(20)
        owner.send_signal(signal.SIGSTOP)
        assert owner.has_stopped()
        before = len(forty.effects)
        waiter = forty.start(*begin("k", 40))
        rivals = [forty.start("resume", "@last") for _ in range(3)]
        assert {rival.result().code for rival in rivals} == {75}
        assert f"pid {owner.pid}" in rivals[0].result().err
        assert [run["status"] for run in forty.runs()] == ["running"]
        assert len(forty.effects) == before, "somebody went on with a run that is held"
        assert not waiter.has_ended()
        owner.send_signal(signal.SIGCONT)
        assert owner.result().code == 0
    assert owner.result().out == waiter.result().out
    check_forty(forty.effects, json.loads(owner.result().out))
    check_one_at_a_time(forty.effects)
    count(len(rivals) + 1)
