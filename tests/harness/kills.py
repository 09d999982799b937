"""A run of forty steps, and processes that compete for it while their owners are killed."""

from __future__ import annotations

import json
import random
from itertools import groupby

from tests.conftest import Project, Result, Started

STEPS = 40
RIVALS = 3

FORTY_STEPS = """
    import uuid

    @define_job(name="forty")
    def forty(step: Step, payload: dict) -> dict:
        tokens = []
        for n in range(payload.get("steps", 40)):
            token = step.run(f"step-{n}", once, n)
            effect(f"ack {n} {token} {os.getpid()}")
            tokens.append(token)
        return {"tokens": tokens}

    def once(n: int) -> str:
        token = uuid.uuid4().hex
        effect(f"run {n} {token} {os.getpid()}")
        time.sleep(0.001)
        return token
"""
"""Its effects are `run <n> <token> <pid>` when a step executes, and `ack ...` when its result is
handed to the job, in any attempt."""


def check_forty(effects: list[str], output: dict[str, list[str]], steps: int = STEPS) -> None:
    """No step ran after it was acknowledged, and every attempt was given the same results."""
    acknowledged: dict[str, str] = {}
    made: set[str] = set()
    for line in effects:
        what, n, token, _ = line.split()
        if what == "run":
            assert n not in acknowledged, f"step {n} ran again after it was acknowledged"
            made.add(f"{n} {token}")
        else:
            assert f"{n} {token}" in made, f"step {n} gave a result that its function never made"
            assert acknowledged.setdefault(n, token) == token, f"step {n} was replayed differently"
    assert output["tokens"] == [acknowledged[str(n)] for n in range(steps)]


def check_one_at_a_time(effects: list[str]) -> None:
    """Effects end with their process's id: no process comes back after another has begun."""
    owners = [pid for pid, _ in groupby(line.split()[-1] for line in effects)]
    assert len(owners) == len(set(owners)), "two executed at the same time"


def contest(project: Project, key: str, kills: int, chance: random.Random) -> None:
    """Processes that want to bring run `forty` of this key to its end, and so many are killed.

    Mostly it is the owner that dies, sometimes whoever, sometimes all at once.
    """
    begin = ("trigger", "forty", "--idempotency-key", key)
    again = ("resume", f"key:forty/{key}")
    project.effects_path.unlink(missing_ok=True)
    rivals, results, killed = list[Started](), list[Result](), 0
    while killed < kills:
        results += [each.result() for each in rivals if each.has_ended()]
        rivals = [each for each in rivals if not each.has_ended()]
        while len(rivals) < RIVALS:
            rivals.append(project.start(*chance.choice((begin, begin, again))))
        rivals[0].has_ended(chance.uniform(0, 0.03))
        last = project.effects[-1].split()[-1] if project.effects else ""
        owner = [each for each in rivals if str(each.pid) == last]
        whom = chance.choice((owner, owner, owner, [chance.choice(rivals)], rivals))
        for each in whom:
            each.kill()
        killed += sum(each.is_killed() for each in whom)
    last_one = project.run(*begin)
    results += [each.result() for each in rivals]
    for result in results:
        assert result.code in (-9, 0, 4, 75), result  # 4 and 75: no run yet; held for long
        assert result.code != 0 or result.out == last_one.out, result
    check_forty(project.effects, json.loads(last_one.out))
    check_one_at_a_time(project.effects)
