"""`durably tick`: what is due or has died is taken up, by processes of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.documents import Contract
from tests.harness.places import unchanged
from tests.harness.terminals import TerminalWith

JOBS = """
import signal

class Input(BaseModel):
    n: int = 0
    seconds: float = 0.7
    until: str = ""

@define_job
def nap(step: Step, payload: Input) -> int:
    step.run("before", effect, f"before {payload.n}")
    step.sleep("nap", payload.seconds)
    step.run("after", effect, f"after {payload.n}")
    return payload.n

@define_job
def ask(step: Step, payload: Input) -> int:
    given = step.wait_signal("n", int)
    return int(step.run("asked", effect, given))

@define_job
def slow(step: Step, payload: Input) -> int:
    step.sleep("nap", payload.seconds)
    effect("begun")
    ends = time.monotonic() + 60  # of a test that failed
    while payload.until and not os.path.exists(payload.until) and time.monotonic() < ends:
        time.sleep(0.01)
    step.run("slow", effect, "over")
    return payload.n

@define_job
def hurt(step: Step, payload: Input) -> int:
    step.sleep("nap", payload.seconds)
    raise ValueError("not yet")

@define_job
def dies(step: Step, payload: Input) -> int:
    if not os.path.exists("mended"):
        step.run("dies", lambda: effect("dies") and os.kill(os.getpid(), signal.SIGKILL))
    return payload.n
"""

REST = """
@define_job
def rest(step: Step) -> None:
    step.sleep("rest", 0.7)
"""

LATE = "1000000"
"""More seconds than any test takes."""


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOBS)
    return project


def suspended(project: Project, job: str, *args: str) -> str:
    """A run of this job that waits, which nobody holds."""
    project.run("trigger", job, *args, "--suspend", "-q", expect=75)
    return str(project.runs()[0]["id"])


def planned(project: Project) -> dict[str, str]:
    """The runs that a tick would take up now, and why."""
    document = json.loads(project.run("tick", "--dry-run", "--json").out)
    return {run["id"]: run["why"] for run in document["runs"]}


def wait_until(is_so: Callable[[], object]) -> None:
    ends = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < ends, "nothing happens"
        time.sleep(0.02)


def due(project: Project, *runs: str) -> None:
    """Wait until these runs are due, and no others."""
    wait_until(lambda: planned(project) == dict.fromkeys(runs, "due"))


def kill_in(project: Project, job: str, signum: int = signal.SIGKILL) -> str:
    """A run of this job that was ended by a signal in the middle."""
    before = len(project.effects)
    with project.start("trigger", job, "--until", "never") as process:
        project.wait_for_effects(before + 1)
        process.send_signal(signum)
    return str(project.runs()[0]["id"])


def attempts_of(project: Project, run: str) -> list[str]:
    return [attempt["outcome"] for attempt in project.inspect(run)["attempts"]]


def test_nothing_to_do_is_silent(worked: Project) -> None:
    for _ in range(2):
        result = worked.run("tick")
        assert (result.out, result.err) == ("", "")
        suspended(worked, "nap", "--seconds", LATE)
    assert worked.effects == ["before 0"] * 2


def test_what_is_due_goes_on_and_has_a_line(worked: Project) -> None:
    late = suspended(worked, "nap", "--seconds", LATE)
    run = suspended(worked, "nap", "--n", "1")
    due(worked, run)
    result = worked.run("tick")
    assert result.out == f"{run}\tnap\tdue\tcompleted\t\t0\t\n"
    assert result.err == ""
    assert worked.effects == ["before 0", "before 1", "after 1"]
    assert attempts_of(worked, run) == ["suspended", "completed"]
    assert attempts_of(worked, late) == ["suspended"]


def test_all_that_was_due_goes_on_however_few_at_once(worked: Project) -> None:
    runs = [suspended(worked, "nap", "--n", str(n)) for n in range(3)]
    due(worked, *runs)
    lines = worked.run("tick", "--max", "1").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == runs


def test_what_was_due_first_is_taken_up_first(worked: Project) -> None:
    runs = [suspended(worked, "nap", "--seconds", seconds) for seconds in ("4", "2", "0.7")]
    asked = suspended(worked, "ask")
    times = {str(run["id"]): str(run["due"]) for run in worked.runs() if run["due"]}
    died = kill_in(worked, "slow")
    (worked.root / "never").touch()
    due_first = sorted(runs, key=times.__getitem__)
    wait_until(lambda: len(planned(worked)) == 4)
    worked.run("signal", asked, "n", "-i", "1")
    lines = worked.run("tick", "--max", "1").out.splitlines()
    taken = [line.split("\t")[0] for line in lines]
    assert [run for run in taken if run in runs] == due_first
    assert taken[-1] == asked, "it came last"
    assert set(taken) == {*runs, asked, died}


def test_a_signal_is_answered(worked: Project) -> None:
    run = suspended(worked, "ask")
    assert planned(worked) == {}
    worked.run("signal", run, "n", "-i", "5")
    assert planned(worked) == {run: "signal"}
    assert worked.run("tick").out == f"{run}\task\tsignal\tcompleted\t\t0\t\n"
    assert worked.effects == ["5"]


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_one_whose_process_died_goes_on(worked: Project, signum: int) -> None:
    run = kill_in(worked, "slow", signum)
    assert planned(worked) == {run: "died"}
    with worked.start("tick") as process:
        worked.wait_for_effects(2)
        assert planned(worked) == {}, "a process has it"
        (worked.root / "never").touch()
        result = process.result()
    assert result.out == f"{run}\tslow\tdied\tcompleted\t\t0\t\n"


def test_one_that_a_person_stopped_is_left(worked: Project) -> None:
    kill_in(worked, "slow", signal.SIGINT)
    with worked.start("trigger", "nap", "--seconds", "2") as sitting:
        wait_until(lambda: worked.runs("--status", "waiting"))
        sitting.send_signal(signal.SIGINT)
        assert sitting.result().code == 130
    run = worked.runs()[0]
    wait_until(lambda: time.time() > time_of(run["due"]))
    assert planned(worked) == {}
    assert worked.run("tick").out == ""


def time_of(at: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()


def test_one_that_was_killed_as_it_waited_waits_again(worked: Project) -> None:
    with worked.start("trigger", "nap", "--seconds", LATE) as sitting:
        wait_until(lambda: worked.runs("--status", "waiting"))
        assert planned(worked) == {}, "it sits"
        assert sitting.is_killed()
    (run,) = planned(worked)
    row = worked.run("tick").out.split("\t")
    assert (row[0], row[2], row[3], row[5]) == (run, "died", "waiting", "75")
    assert planned(worked) == {}
    assert attempts_of(worked, run) == ["no end recorded", "suspended"]


def test_after_five_takeovers_in_vain_it_takes_a_person(worked: Project) -> None:
    worked.run("trigger", "dies", expect=-signal.SIGKILL)
    (run,) = planned(worked)
    for _ in range(4):
        quiet = worked.run("tick", "-q")
        assert (quiet.out, quiet.err) == ("", ""), "it will be taken up again"
    said = "without getting further: it takes a resume"
    last = worked.run("tick", "-q", expect=1)
    assert f"killed 6 times {said}" in last.err
    assert f"resume {run[-8:]}" in last.err
    assert worked.run("tick").out == ""
    assert f"killed 6 times {said}" in worked.runs()[0]["reason"]
    assert worked.effects == ["dies"] * 6
    worked.run("resume", run, expect=-signal.SIGKILL)
    assert "killed 7 times" in worked.runs()[0]["reason"]
    (worked.root / "mended").touch()
    worked.run("resume", run)


def test_a_takeover_that_gets_further_is_not_in_vain(worked: Project) -> None:
    worked.job(
        """
        @define_job
        def slowly(step: Step) -> None:
            for number in range(8):
                step.run(f"s-{number}", effect, number)
                if step.attempt == number + 1:
                    os.kill(os.getpid(), 9)
        """,
        "slowly",
    )
    worked.run("trigger", "slowly", expect=-signal.SIGKILL)
    for _ in range(8):
        worked.run("tick", "-q")
    assert worked.runs()[0]["status"] == "completed"
    assert worked.effects == [str(number) for number in range(8)]


CHILDREN = """
@define_job
def lowest(step: Step, payload: Input) -> int:
    for number in range(payload.n):
        step.run(f"s-{number}", effect, number)
        if step.attempt == number + 1:
            os.kill(os.getpid(), 9)
    if not payload.n and not os.path.exists("mended"):
        effect("in vain")
        os.kill(os.getpid(), 9)
    return payload.n

@define_job
def middle(step: Step, payload: Input) -> int:
    return step.run_job("lowest", lowest, payload)

@define_job
def highest(step: Step, payload: Input) -> int:
    return step.run_job("middle", middle, payload)
"""


def test_a_takeover_in_which_a_grandchild_gets_further_is_not_in_vain(worked: Project) -> None:
    worked.job(JOBS + CHILDREN)
    worked.run("trigger", "highest", "--n", "8", expect=-signal.SIGKILL)
    for _ in range(8):
        worked.run("tick", "-q")
    assert {run["status"] for run in worked.runs()} == {"completed"}
    assert worked.effects == [str(number) for number in range(8)]


def test_takeovers_in_vain_count_from_where_a_grandchild_last_got_further(worked: Project) -> None:
    worked.job(JOBS + CHILDREN.replace("number + 1", "number + 1 or number == 2"))
    worked.run("trigger", "highest", "--n", "8", expect=-signal.SIGKILL)
    for _ in range(6):
        worked.run("tick", "-q")
    assert planned(worked), "three steps and four takeovers in vain"
    last = worked.run("tick", "-q", expect=1)
    assert "killed 5 times without getting further" in last.err
    assert planned(worked) == {}
    assert worked.effects == ["0", "1", "2"]


def test_a_child_that_never_gets_further_is_taken_up_in_vain(worked: Project) -> None:
    worked.job(JOBS + CHILDREN)
    worked.run("trigger", "highest", expect=-signal.SIGKILL)
    for _ in range(4):
        worked.run("tick", "-q")
    assert "killed 6 times" in worked.run("tick", "-q", expect=1).err
    assert worked.effects == ["in vain"] * 6


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_one_that_fails_is_reported_once(worked: Project, quiet: tuple[str, ...]) -> None:
    run = suspended(worked, "hurt")
    due(worked, run)
    result = worked.run("tick", *quiet, expect=1)
    row = f"{run}\thurt\tdue\tfailed\t\t1\tValueError: not yet\n"
    assert result.out == ("" if quiet else row)
    assert f"run {run[-8:]} of hurt failed" in result.err
    assert "ValueError: not yet" in result.err
    assert f"resume {run[-8:]}" in result.err
    again = worked.run("tick", *quiet)
    assert (again.out, again.err) == ("", "")


def test_a_dry_run_shows_and_changes_nothing(worked: Project) -> None:
    run = suspended(worked, "nap")
    due(worked, run)
    died = kill_in(worked, "slow")
    with unchanged(worked.data):
        rows = worked.run("tick", "--dry-run").out.splitlines()
        document = json.loads(worked.run("tick", "--dry-run", "--json").out)
    assert [row.split("\t")[:4] for row in rows] == [
        [run, "nap", "due", "waiting"],
        [died, "slow", "died", "interrupted"],
    ]
    assert [(each["id"], each["exit"]) for each in document["runs"]] == [(run, None), (died, None)]


def test_a_document_says_what_came_of_each(worked: Project) -> None:
    contract = Contract(json.loads(worked.run("help", "--json").out))
    assert contract.check_document("tick", worked.run("tick", "--json").out, 0)["runs"] == []
    runs = suspended(worked, "nap"), suspended(worked, "hurt")
    due(worked, *runs)
    result = worked.run("tick", "--json", "--max", "1", expect=1)
    document = contract.check_document("tick", result.out, 1)
    assert [(run["id"], run["status"], run["exit"]) for run in document["runs"]] == [
        (runs[0], "completed", 0),
        (runs[1], "failed", 1),
    ]
    assert (document["error"]["code"], document["error"]["run"]) == ("run-failed", runs[1])


def test_a_table_on_a_terminal(worked: Project) -> None:
    run = suspended(worked, "nap")
    due(worked, run)
    with TerminalWith(worked, *DURABLY, "tick", columns=100) as terminal:
        shown = terminal.read()
    assert f"run {run[-8:]} of nap goes on: its time has come" in shown
    assert "completed" in shown
    with TerminalWith(worked, *DURABLY, "tick", "--dry-run") as terminal:
        assert "no run is due, and none has died" in terminal.read()


def test_a_broken_module_is_said_and_the_others_go_on(worked: Project) -> None:
    path = worked.job(REST, "broken")
    broken, fine = suspended(worked, "rest"), suspended(worked, "nap")
    due(worked, broken, fine)
    path.write_text("import nothing_of_this_name\n")
    result = worked.run("tick", "--max", "1", expect=1)
    first, second = (line.split("\t") for line in result.out.splitlines())
    assert (first[:4], first[5]) == ([broken, "rest", "due", "waiting"], "4")
    assert second[:4] == [fine, "nap", "due", "completed"]
    assert "broken.py" in result.err
    assert attempts_of(worked, broken) == ["suspended"]


def test_what_cannot_go_on_is_not_tried_again_and_again(worked: Project) -> None:
    path = worked.job(REST, "broken")
    due(worked, broken := suspended(worked, "rest"))
    path.write_text("1 / 0\n")
    with worked.start("tick", "--for", "1d") as process:
        run = suspended(worked, "nap", "--seconds", "2")
        wait_until(lambda: "after 0" in worked.effects)
        assert process.stdout is not None
        found = [process.stdout.readline().split("\t")[0] for _ in range(2)]
        process.terminate()
        assert found == [broken, run]
        assert process.result().out == ""


def test_a_run_whose_folder_is_gone_goes_on_in_the_project(worked: Project, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    program = "from jobs.work import Input, slow; slow.trigger(Input(until='never'))"
    path = f"{worked.root}:{worked.env['PYTHONPATH']}"
    env = worked.env | {"PYTHONPATH": path}
    with subprocess.Popen((sys.executable, "-c", program), cwd=away, env=env) as process:
        worked.wait_for_effects(1)
        process.kill()
    away.rmdir()
    (worked.root / "never").touch()
    assert worked.run("tick").out.split("\t")[1:4] == ["slow", "died", "completed"]


def test_a_project_that_is_gone_is_said(worked: Project, tmp_path: Path) -> None:
    result = worked.run("-C", str(tmp_path / "gone"), "tick", "-q", expect=78)
    assert str(tmp_path / "gone") in result.err


def test_a_run_whose_concurrency_key_is_taken_waits_for_the_next_tick(worked: Project) -> None:
    run = suspended(worked, "nap", "--concurrency-key", "k")
    due(worked, run)
    with worked.start("trigger", "slow", "--until", "end", "--concurrency-key", "k") as other:
        wait_until(lambda: "begun" in worked.effects)
        assert planned(worked) == {}
        (worked.root / "end").touch()
        assert other.result().code == 0
    assert worked.run("tick").out.split("\t")[3] == "completed"


def test_so_many_at_once_with_those_of_other_ticks(worked: Project) -> None:
    runs = [suspended(worked, "slow", "--until", "end", "--n", str(n)) for n in range(4)]
    due(worked, *runs)
    with worked.start("tick", "--max", "2") as first:
        wait_until(lambda: worked.effects.count("begun") == 2)
        assert worked.run("tick", "--max", "2").out == "", "the first one is at it"
        with worked.start("tick", "--max", "3") as third:
            wait_until(lambda: worked.effects.count("begun") == 3)
            assert len(worked.runs("--status", "running")) == 3
            (worked.root / "end").touch()
            lines = first.result().out + third.result().out
    assert sorted(line.split("\t")[0] for line in lines.splitlines()) == sorted(runs)
    assert worked.effects.count("over") == 4


def test_it_goes_on_looking_for_so_long(worked: Project) -> None:
    asked = suspended(worked, "ask")
    with worked.start("tick", "--for", "1d") as process:
        napping = suspended(worked, "nap", "--seconds", "1")
        wait_until(lambda: "after 0" in worked.effects)
        worked.run("signal", asked, "n", "-i", "7")
        wait_until(lambda: "7" in worked.effects)
        died = kill_in(worked, "slow")
        wait_until(lambda: worked.effects.count("begun") == 2)
        (worked.root / "never").touch()
        assert process.stdout is not None
        lines = [process.stdout.readline().split("\t") for _ in range(3)]
        process.terminate()
        result = process.result()
    assert result.code == 143
    assert "durably: stopped looking\n" in result.err
    assert "try:" not in result.err
    assert [line[:4] for line in lines] == [
        [napping, "nap", "due", "completed"],
        [asked, "ask", "signal", "completed"],
        [died, "slow", "died", "completed"],
    ]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_it_took_up_goes_on_whatever_becomes_of_it(
    worked: Project, signum: int, code: int
) -> None:
    run = suspended(worked, "slow", "--until", "end")
    due(worked, run)
    with worked.start("tick") as process:
        wait_until(lambda: "begun" in worked.effects)
        process.send_signal(signum)
        result = process.result()
    assert result.code == code
    if signum == signal.SIGTERM:
        assert f"stopped looking; {run[-8:]} goes on without it" in result.err
        assert f" wait {run[-8:]}" in result.err
    assert worked.runs()[0]["status"] == "running"
    assert worked.run("tick").out == ""
    (worked.root / "end").touch()
    worked.run("wait", run)
    assert attempts_of(worked, run) == ["suspended", "completed"]


def test_what_another_process_has_taken_up_since_is_passed_over(worked: Project) -> None:
    run = suspended(worked, "nap")
    due(worked, run)
    worked.run("resume", run, "--only-as-attempt", "3", expect=75)
    worked.run("resume", run)
    result = worked.run("resume", run, "-q", "--only-as-attempt", "2", expect=75)
    assert (result.out, result.err) == ("", "")
    assert attempts_of(worked, run) == ["suspended", "completed"]


def test_ten_at_once_over_twenty_runs_do_nothing_twice(worked: Project) -> None:
    runs = [suspended(worked, "nap", "--n", str(n)) for n in range(20)]
    due(worked, *runs)
    ticks = [worked.start("tick", "--max", "3") for _ in range(10)]
    lines = "".join(tick.result().out for tick in ticks).splitlines()
    assert planned(worked) == {}
    assert sorted(line.split("\t")[0] for line in lines) == sorted(runs)
    assert {line.split("\t")[3] for line in lines} == {"completed"}
    assert all(attempts_of(worked, run) == ["suspended", "completed"] for run in runs)
    assert Counter(worked.effects) == Counter(
        f"{what} {n}" for n in range(20) for what in ("before", "after")
    )


def test_a_run_has_its_place_though_the_tick_that_took_it_up_is_gone(worked: Project) -> None:
    first = kill_in(worked, "slow")
    with worked.start("tick", "--max", "1") as tick:
        worked.wait_for_effects(2)
        tick.kill()
    second = suspended(worked, "nap")
    wait_until(lambda: second in planned(worked))
    assert worked.run("tick", "--max", "1").out == "", "there is no room"
    (worked.root / "never").touch()
    worked.run("wait", first)
    wait_until(lambda: worked.run("tick", "--max", "1").out)
    assert worked.inspect(second)["status"] == "completed"
