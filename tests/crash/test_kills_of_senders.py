"""Who sends a signal is killed or stopped at each call that changes the disk; so are parents.

Either nothing was sent, or all of it. Exit code 0 says that the run is given this value, whatever
happens meanwhile; whoever is second gets a true answer.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durably_cli.__main__ import main
from tests.conftest import Project, Started
from tests.harness import forking
from tests.harness.clocks import LIBRARY, Place
from tests.harness.forking import How
from tests.harness.killing import killed_everywhere
from tests.harness.quick import drawn, sizes, some_or_all, some_quick
from tests.harness.system_calls import calls_in, watch

Count = Callable[[int], None]

JOB = """
    from durably import Approval

    class Of(BaseModel):
        n: int

    @define_job
    def ask(step: Step, payload: Of) -> bool:
        return step.wait_signal("ok", bool, prompt="Well?")

    @define_job
    def asks_for_days(step: Step, payload: Of) -> list[int]:
        given = step.wait_signal("n", int, timeout="3d", default=-1)
        return [given, step.wait_signal("last", int)]

    @define_job
    def inner(step: Step, payload: Of) -> int:
        step.run("first", effect, f"inner-first {payload.n}")
        step.sleep("nap", 0.01)
        step.run("last", effect, f"inner-last {payload.n}")
        return payload.n

    @define_job
    def outer(step: Step, payload: Of) -> int:
        step.run("first", effect, f"first {payload.n}")
        found = step.run_job("kid", inner, payload)
        step.run("last", effect, f"last {payload.n}")
        return found
"""

YES, NO = "true", "false"


@pytest.fixture
def asked(project: Project) -> Project:
    project.job(JOB)
    return project


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < ends, "it never comes to be so"
        time.sleep(0.01)


class Asks:
    """Runs that ask, one after the other: each is suspended, or has a process that sits by it."""

    def __init__(self, project: Project, *, sits: bool) -> None:
        self._project, self._sits, self.number = project, sits, 0
        self._process: Started | None = None

    def new(self) -> str:
        """Another one; its name."""
        self.number += 1
        key = ("--n", str(self.number), "--idempotency-key", str(self.number))
        if self._sits:
            self._process = self._project.start("trigger", "ask", *key)
            wait_until(lambda: self._is_asking())
        else:
            self._project.run("trigger", "ask", *key, "--suspend", expect=75)
        return f"key:ask/{self.number}"

    def answer(self) -> str:
        """What the newest has been given, in the end."""
        if self._process is None:
            return self._project.run("resume", f"key:ask/{self.number}").out.strip()
        with self._process as process:
            result = process.result()
        assert result.code == 0, result
        return result.out.strip()

    def _is_asking(self) -> bool:
        runs = self._project.runs()
        return len(runs) == self.number and runs[0]["status"] == "waiting"


@pytest.mark.parametrize("command", ["signal", "approve"])
@pytest.mark.parametrize("sits", some_quick([False, True], 1))
def test_a_sender_is_killed_and_has_sent_nothing_or_all_of_it(
    sits: bool, command: str, asked: Project, count: Count
) -> None:
    asks = Asks(asked, sits=sits)
    came = Counter[bool]()

    def sender() -> tuple[str, ...]:
        run = asks.new()
        return ("signal", run, "ok", "-i", YES) if command == "signal" else ("approve", run)

    def check(_: int) -> None:
        run = f"key:ask/{asks.number}"
        second = asked.run("signal", run, "ok", "-i", NO, expect=None)
        assert second.code in (0, 5), second
        came[second.code == 5] += 1
        if second.code == 5 and "was sent before" in second.err:
            assert "with another value: true" in second.err
        received, other = (YES, NO) if second.code else (NO, YES)
        assert asks.answer() == received
        asked.run("signal", run, "ok", "-i", received)
        asked.run("signal", run, "ok", "-i", other, expect=5)

    kills = killed_everywhere(asked, sender, check)
    assert came[True] > 1, "it was killed behind having sent it"
    assert came[False], "it was killed before"
    asked.run("verify")
    count(kills)


def test_who_is_second_syncs_what_the_first_may_not_have_come_to(
    asked: Project, tmp_path: Path, count: Count
) -> None:
    """Its answer outlives a power cut, too."""
    run, log = Asks(asked, sits=False).new(), tmp_path / "calls"

    def answered() -> list[str]:
        def act() -> None:
            sys.argv = ["durably", "signal", run, "ok", "-i", YES]
            watch(log)
            main()

        ended = forking.call(How(asked.root, asked.env), act)
        assert ended.code == 0, ended
        return [call.name for call in calls_in(log) if call.file.endswith(".inbox")]

    assert answered() == ["mkdir", "chmod", "fsync"]
    assert answered() == ["mkdir", "fsync"]
    count(0)


# What happens to a run while a sender stands still: it has sent it, or has not.


def deadline_and_a_look(place: Place, run: str) -> None:
    place.set("+4d")
    place.run("resume", run, "--suspend", expect=75)


def deadline(place: Place, run: str) -> None:
    place.set("+4d")


def another_value(place: Place, run: str) -> None:
    place.run("signal", run, "n", "-i", "8", expect=None)


def another_value_and_the_end(place: Place, run: str) -> None:
    place.run("signal", run, "n", "-i", "8", expect=None)
    place.run("signal", run, "last", "-i", "1")
    place.run("resume", run)


def the_same_value_and_the_end(place: Place, run: str) -> None:
    place.run("signal", run, "n", "-i", "7")
    place.run("signal", run, "last", "-i", "1")
    place.run("resume", run)


def cancel(place: Place, run: str) -> None:
    place.run("cancel", run)


MEANWHILE = (
    *(deadline_and_a_look, deadline, another_value, another_value_and_the_end),
    *(the_same_value_and_the_end, cancel),
)


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("meanwhile", some_quick(MEANWHILE, 1))
@pytest.mark.parametrize("every", sizes(4, 1))
def test_a_sender_that_stood_still_gets_a_true_answer(
    every: int, meanwhile: Callable[[Place, str], None], asked: Project, count: Count
) -> None:
    place, codes = Place(asked), list[int]()
    for number in drawn(every):
        place.set("+0")
        run = f"key:asks-for-days/{number}"
        asked.run(
            *("trigger", "asks-for-days", "--n", str(number), "--idempotency-key", str(number)),
            "--suspend",
            expect=75,
        )
        with asked.start(
            *("signal", run, "n", "-i", "7"), signal_at=(signal.SIGSTOP, number)
        ) as sender:
            if not sender.has_stopped():
                break
            meanwhile(place, run)
            sender.send_signal(signal.SIGCONT)
            code = sender.result().code
        assert code in (0, 5), sender.result()
        codes.append(code)
        place.run("signal", run, "last", "-i", "1", expect=None)
        place.run("resume", run, expect=None)
        received = received_of(asked, run)
        if meanwhile is cancel:
            assert codes == sorted(codes, reverse=True), "only as it was said the run still waited"
        elif code == 0:
            assert received.get("n") == 7, "it was said to be sent"
        elif meanwhile is not the_same_value_and_the_end:
            assert received.get("n") != 7, "it was said not to be sent"
    assert meanwhile in (deadline, the_same_value_and_the_end) or 5 in codes, "it was too late"
    count(len(codes))


def received_of(project: Project, run: str) -> dict[str, Any]:
    """The signals that the run has received."""
    lines = map(json.loads, project.journal(run).read_text().splitlines())
    return {line["name"]: line["value"] for line in lines if line["type"] == "signal.received"}


@some_or_all(8)
def test_a_parent_is_killed_and_has_one_child(every: int, asked: Project, count: Count) -> None:
    """At each call that changes the disk: of each line of both journals, and of what is beside."""
    made = 0

    def parent() -> tuple[str, ...]:
        nonlocal made
        made += 1
        return ("trigger", "outer", "--n", str(made), "--idempotency-key", str(made))

    def check(_: int) -> None:
        asked.effects_path.touch()
        before = asked.effects
        again = asked.run("trigger", "outer", "--n", str(made), "--idempotency-key", str(made))
        assert again.out == f"{made}\n"
        done = Counter(line.split()[0] for line in asked.effects if line.endswith(f" {made}"))
        assert done.keys() == {"first", "inner-first", "inner-last", "last"}
        assert done.total() <= 5, f"{done} behind {before}"
        jobs = Counter(run["job"] for run in asked.runs())
        assert jobs == {"outer": made, "inner": made}

    kills = killed_everywhere(asked, parent, check, every)
    assert {run["status"] for run in asked.runs()} == {"completed"}
    asked.run("verify")
    count(kills)
