"""Many processes at one run: one executes it, the others wait or are told, readers see it whole."""

from __future__ import annotations

import itertools
import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Project
from tests.harness.kills import check_forty
from tests.harness.warm import Command, Warm

STEPS = 6
CALLS_AT_LEAST = 60
"""At how many calls a trigger of so many steps can be stopped."""

ORDER = ("interrupted", "running", "completed")


@pytest.fixture
def warm(forty: Project) -> Iterator[Warm]:
    with Warm(forty) as warm:
        yield warm


def begin(key: str, steps: int = STEPS) -> tuple[str, ...]:
    return "trigger", "forty", "-p", f"steps:={steps}", "--idempotency-key", key


def pid_of_last_effect(project: Project) -> int:
    return int(project.effects[-1].split()[-1]) if project.effects else 0


def kill_some(project: Project, racing: list[Command], kills: int) -> list[Command]:
    """SIGKILL the owner, again and again, and some of those who wait; who was killed."""
    killed: list[Command] = []
    while len(killed) < kills and not all(each.has_ended() for each in racing):
        seen = len(project.effects)
        racing[0].has_ended(random.uniform(0, 0.01))
        owner = pid_of_last_effect(project)
        whom = [each for each in racing if each.pid == owner and len(project.effects) > seen]
        whom = whom or random.sample(racing, k=random.randrange(2))
        killed += [each for each in whom if not each.has_ended() and each.kill()]
    return killed


def round_of_triggers(project: Project, warm: Warm, key: str, processes: int, kills: int) -> int:
    """So many processes trigger with one key at once: one run, one output; how many were killed.

    If some are, the first is stopped as it works until all are there, and killed then.
    """
    project.effects_path.unlink(missing_ok=True)
    stop = (signal.SIGSTOP, random.randint(1, CALLS_AT_LEAST)) if kills else (0, 0)
    first = warm.start(*begin(key), signal_at=stop)
    stopped = bool(kills) and first.has_stopped()
    racing = [first, *(warm.start(*begin(key)) for _ in range(processes - 1))]
    killed = [first] if stopped and first.kill() else []
    killed += kill_some(project, racing, kills - len(killed))
    results = [each.result() for each in racing if each not in killed]
    assert {each.code for each in results} == {0}, results
    assert len({each.out for each in results}) == 1, results
    check_forty(project.effects, json.loads(results[0].out), STEPS)
    executions = sum(line.startswith("run ") for line in project.effects)
    assert executions <= STEPS + len(killed), "executed again, and nobody had been killed in it"
    return len(killed)


def rounds_of_triggers(project: Project, warm: Warm, rounds: int, processes: int) -> int:
    """Rounds with and without kills; how many processes raced or were killed."""
    killed = 0
    for number in range(rounds):
        kills = processes // 3 if number % 2 else 0
        killed += round_of_triggers(project, warm, f"round-{number}", processes, kills)
    assert len(project.runs()) == rounds
    assert killed
    return rounds * processes + killed


def test_24_processes_with_one_idempotency_key_make_one_run_in_each_round(
    forty: Project, warm: Warm, count: Callable[[int], None]
) -> None:
    count(rounds_of_triggers(forty, warm, rounds=4, processes=24))


@pytest.mark.campaign
def test_200_processes_with_one_idempotency_key_make_one_run_in_each_of_10_rounds(
    forty: Project, warm: Warm, count: Callable[[int], None]
) -> None:
    count(rounds_of_triggers(forty, warm, rounds=10, processes=200))


@pytest.mark.campaign
def test_200_commands_of_a_shell_with_one_idempotency_key_make_one_run(
    forty: Project, count: Callable[[int], None]
) -> None:
    racing = [forty.start(*begin("k")) for _ in range(200)]
    outputs = {process.communicate(timeout=300)[0] for process in racing}
    assert {process.returncode for process in racing} == {0}
    (output,) = outputs
    check_forty(forty.effects, json.loads(output), STEPS)
    assert len(forty.effects) == 2 * STEPS
    assert len(forty.runs()) == 1
    count(len(racing))


def stopped_at_each_call(project: Project, warm: Warm) -> int:
    """Each trigger is stopped at a later call, and another comes with its key; how many were."""
    for call in itertools.count(1):
        project.effects_path.unlink(missing_ok=True)
        key = f"stopped at call {call}"
        first = warm.start(*begin(key), signal_at=(signal.SIGSTOP, call))
        if not first.has_stopped():
            assert len(project.runs()) == call
            return call - 1
        second = warm.run(*begin(key), "--no-wait")
        assert first.signal(signal.SIGCONT)
        assert first.result().code == 0, (call, first.result())
        assert second.out in ("", first.result().out), call
        check_forty(project.effects, json.loads(first.result().out), STEPS)
        executions = sum(line.startswith("run ") for line in project.effects)
        assert executions == STEPS, f"stopped at call {call}: executed twice, and nobody was killed"
    raise AssertionError("it never ends")


def test_a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_makes_no_second_run(
    forty: Project, warm: Warm, count: Callable[[int], None]
) -> None:
    count(stopped_at_each_call(forty, warm))


def list_until(warm: Warm, ended: threading.Event) -> list[str]:
    """The status that `list` gives the only run, from now until something has ended."""
    seen: list[str] = []
    is_last = False
    while not is_last:
        is_last = ended.is_set()
        result = warm.run("list", "--json")
        assert result.err == ""
        (run,) = json.loads(result.out)["runs"]
        seen.append(run["status"])
    return seen


def resume_and_look(project: Project, warm: Warm, *, resumes: int, lookers: int, steps: int) -> int:
    """Resume one interrupted run many times at once, watched by many; how many commands ran."""
    owner = warm.start(*begin("k", steps))
    project.wait_for_effects(5)
    assert owner.kill()
    before = len(project.effects)
    ended = threading.Event()
    with ThreadPoolExecutor(lookers) as pool:
        looking = [pool.submit(list_until, warm, ended) for _ in range(lookers)]
        try:
            resuming = [warm.start("resume", "@last") for _ in range(resumes)]
            results = [each.result() for each in resuming]
        finally:
            ended.set()
    seen = [each.result() for each in looking]

    assert {each.code for each in results} <= {0, 75}, results
    outputs = {each.out for each in results if each.code == 0}
    assert len(outputs) == 1, results
    assert all("held by another process" in each.err for each in results if each.code), results
    assert len({line.split()[-1] for line in project.effects[before:]}) == 1, "two executed it"
    check_forty(project.effects, json.loads(outputs.pop()), steps)
    for statuses in seen:
        assert statuses == sorted(statuses, key=ORDER.index), "the run went back"
        assert statuses[-1] == "completed"
    return resumes + sum(map(len, seen))


def test_6_resumes_of_one_run_are_one_execution_and_6_who_list_it_see_it_whole(
    forty: Project, warm: Warm, count: Callable[[int], None]
) -> None:
    count(resume_and_look(forty, warm, resumes=6, lookers=6, steps=40))


@pytest.mark.campaign
@pytest.mark.parametrize("steps", [40, 400, 2000])
def test_16_resumes_of_one_run_are_one_execution_and_50_who_list_it_see_it_whole(
    forty: Project, warm: Warm, count: Callable[[int], None], steps: int
) -> None:
    count(resume_and_look(forty, warm, resumes=16, lookers=50, steps=steps))


def test_a_stopped_owner_stays_the_owner_and_goes_on(
    forty: Project, warm: Warm, count: Callable[[int], None]
) -> None:
    owner = warm.start(*begin("k", 40))
    forty.wait_for_effects(20)
    assert owner.signal(signal.SIGSTOP)
    rivals = [warm.start("resume", "@last") for _ in range(3)]
    waiter = warm.start(*begin("k", 40))
    before = len(forty.effects)
    assert {rival.result().code for rival in rivals} == {75}
    assert f"pid {owner.pid}" in rivals[0].result().err
    assert [run["status"] for run in json.loads(warm.run("list", "--json").out)["runs"]] == [
        "running"
    ]
    assert len(forty.effects) <= before + 1, "somebody went on with a run that is held"
    assert not waiter.has_ended()
    assert owner.signal(signal.SIGCONT)
    assert owner.result().code == waiter.result().code == 0
    assert owner.result().out == waiter.result().out
    assert {line.split()[-1] for line in forty.effects} == {str(owner.pid)}
    check_forty(forty.effects, json.loads(owner.result().out))
    count(len(rivals) + 1)
