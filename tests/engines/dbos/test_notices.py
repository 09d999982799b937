"""Notices and pings where workers execute: one for each change, by whichever worker lives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.harness.ping_server import Server, answering
from tests.harness.workers import Worked, WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

JOBS = """
class Input(BaseModel):
    until: str = ""

def killed_once():
    if not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), 9)

def fetch(payload):
    effect(f"fetch {os.getpid()}")
    while payload.until and not os.path.exists(payload.until):
        time.sleep(0.01)
    if not os.path.exists("mended"):
        raise RuntimeError("no disk")
    return "done"

@define_job
def nightly(step: Step, payload: Input) -> str:
    open("pid", "w").write(str(os.getpid()))
    return step.run("fetch", fetch, payload)

@define_job(on_failure=lambda _: killed_once())
def dies_behind(step: Step) -> str:
    return step.run("fetch", fetch, Input())

@define_job
def charge(step: Step) -> None:
    step.run("card", killed_once, in_doubt="stop")

@define_job
def dies(step: Step) -> None:
    if not os.path.exists("mended"):
        os.kill(os.getpid(), 9)

@define_job(timeout="0.5s")
def slow(step: Step) -> None:
    for n in range(600):
        step.run(f"s{n}", time.sleep, 0.1)

@define_job
def naps(step: Step) -> None:
    step.sleep("nap", 3600)

@define_job
def mail(step: Step) -> None:
    raise RuntimeError("no post")
"""

SEND = "cat >> notices"
FAILED, RECOVERED = ("failure", "nightly"), ("recovery", "nightly")


def set_to(project: WorkedProject, text: str) -> None:
    path = project.root / "pyproject.toml"
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + f"\n{text}\n")


def notify(project: WorkedProject, command: str = SEND) -> None:
    line = json.dumps(command)
    set_to(project, f"notify_failure = {line}\nnotify_recovery = {line}")


def documents(project: WorkedProject) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (project.root / "notices").read_text().splitlines()]
    except (FileNotFoundError, ValueError):  # it is being written
        return []


def sent(project: WorkedProject) -> list[tuple[str, str]]:
    return [(each["notice"], each["run"]["job"]) for each in documents(project)]


def wait_until(is_so: Callable[[], object], *workers: Worked) -> None:
    ends = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < ends, [each.said.read_text() for each in workers]
        time.sleep(0.05)


@pytest.fixture
def noticed(worked: WorkedProject) -> WorkedProject:
    """A project with notices."""
    worked.job(JOBS)
    notify(worked)
    return worked


@pytest.fixture
def server() -> Iterator[Server]:
    with answering() as found:
        yield found


def test_once_when_it_begins_to_fail_and_once_when_it_has_recovered(
    noticed: WorkedProject,
) -> None:
    noticed.work()
    for _ in range(5):
        noticed.run("trigger", "nightly", "-q", expect=1)
    noticed.run("resume", "@last", "-q", expect=1)
    assert sent(noticed) == [FAILED]
    (notice,) = documents(noticed)
    first = noticed.runs()[-1]
    assert notice["subject"] == "nightly fails: fetch: RuntimeError: no disk"
    assert (notice["failed_run"], notice["since"]) == (first["id"], first["ended"])
    assert any(f"-C {noticed.root} resume" in each for each in notice["next"])
    assert f"fails\tnightly\tsince {first['ended']}\n" in noticed.run("info").out
    (noticed.root / "mended").touch()
    for _ in range(2):
        noticed.run("trigger", "nightly", "-q")
    assert sent(noticed) == [FAILED, RECOVERED]
    assert "fails" not in noticed.run("info").out
    (noticed.root / "mended").unlink()
    noticed.run("trigger", "nightly", "-q", expect=1)
    assert sent(noticed) == [FAILED, RECOVERED, FAILED]


def test_of_all_that_fail_at_once_on_two_workers_one_is_sent(noticed: WorkedProject) -> None:
    notify(noticed, f"sleep 0.5; {SEND}")
    noticed.work(3), noticed.work(3)
    until = ("trigger", "nightly", "--until", "go", "-q")
    runs = [noticed.start(*until) for _ in range(6)]
    noticed.wait_for_effects(6)
    (noticed.root / "go").touch()
    assert [each.result().code for each in runs] == [1] * 6
    assert len({line.split()[1] for line in noticed.effects}) == 2, "both took part"
    assert sent(noticed) == [FAILED]
    (noticed.root / "mended").touch()
    again = [noticed.start("trigger", "nightly", "-q") for _ in range(6)]
    assert [each.result().code for each in again] == [0] * 6
    assert sent(noticed) == [FAILED, RECOVERED]


def test_runs_of_a_concurrency_key_have_a_state_of_their_own(noticed: WorkedProject) -> None:
    noticed.work()
    for org in ("a", "b", "a"):
        noticed.run("trigger", "nightly", "--concurrency-key", org, "-q", expect=1)
    noticed.run("trigger", "nightly", "--label", "notice=a", "-q", expect=1)
    assert sent(noticed) == [FAILED, FAILED]


def test_a_worker_that_is_killed_behind_the_end_of_its_run_leaves_the_notice_to_another(
    noticed: WorkedProject,
) -> None:
    worker, other = noticed.work(), noticed.work()
    noticed.run("trigger", "dies-behind", "-q", expect=1)
    assert len(noticed.effects) == 1, "it was not executed again"
    wait_until(lambda: sent(noticed), worker, other)
    assert None in (worker.process.poll(), other.process.poll()) != (None, None)
    noticed.run("trigger", "dies-behind", "-q", expect=1)
    assert sent(noticed) == [("failure", "dies-behind")]


@pytest.mark.parametrize(
    "how",
    [
        "failure -KILL",
        pytest.param("recovery -KILL", marks=pytest.mark.campaign),
        pytest.param("failure -TERM", marks=pytest.mark.campaign),
    ],
)
def test_a_worker_that_is_killed_while_it_sends_leaves_that_to_another(
    noticed: WorkedProject, how: str
) -> None:
    kind, signal = how.split()
    kills = f'test $DURABLY_NOTICE = {kind} && mkdir once && kill {signal} "$(cat pid)" && sleep 60'
    notify(noticed, f"{kills}; {SEND}")
    workers = [noticed.work(), noticed.work()]
    noticed.run("trigger", "nightly", "-q", expect=1)
    wait_until(lambda: sent(noticed) == [FAILED], *workers)
    (noticed.root / "mended").touch()
    noticed.run("trigger", "nightly", "-q")
    wait_until(lambda: sent(noticed) == [FAILED, RECOVERED], *workers)
    assert (noticed.root / "once").exists()
    assert [each.process.poll() for each in workers].count(None) == 1
    noticed.run("trigger", "nightly", "-q")
    assert sent(noticed) == [FAILED, RECOVERED]


def test_an_end_that_nobody_has_looked_at_is_found(noticed: WorkedProject) -> None:
    worker = noticed.work()
    run = noticed.run("trigger", "nightly", "--until", "go", "--detach").out.strip()
    noticed.wait_for_effects(1)
    worker.kill()
    set_to(noticed, "")
    (noticed.root / "go").touch()
    silent = noticed.work()
    noticed.run("wait", run, expect=1)
    silent.kill()
    assert sent(noticed) == []
    notify(noticed)
    watching = noticed.work()
    wait_until(lambda: "fails" in noticed.run("info").out, watching)
    assert sent(noticed) == [FAILED]
    watching.kill()
    set_to(noticed, "")
    (noticed.root / "mended").touch()
    silent = noticed.work()
    noticed.run("resume", run, "-q")
    silent.kill()
    notify(noticed)
    wait_until(lambda: sent(noticed) == [FAILED, RECOVERED], noticed.work())


def test_a_doubt_is_a_failure_and_is_sent_once(noticed: WorkedProject) -> None:
    workers = [noticed.work(), noticed.work()]
    noticed.run("trigger", "charge", "-q", expect=1)
    assert [each.process.poll() for each in workers].count(None) == 1
    assert sent(noticed) == [("failure", "charge")]
    assert "--done card" in documents(noticed)[0]["text"]
    noticed.run("resume", "@last", "--done", "card", "-q")
    assert sent(noticed)[1:] == [("recovery", "charge")]


def test_a_time_limit_is_a_failure_and_a_wait_or_a_cancel_is_none(noticed: WorkedProject) -> None:
    noticed.work()
    noticed.run("trigger", "slow", "-q", expect=None)
    assert [each["subject"] for each in documents(noticed)] == [
        "slow fails: its time limit was over"
    ]
    run = noticed.run("trigger", "naps", "--detach").out.strip()
    wait_until(lambda: noticed.inspect(run)["status"] == "waiting")
    noticed.run("cancel", run)
    assert len(sent(noticed)) == 1


@pytest.mark.campaign
def test_a_run_that_kills_its_workers_in_vain_is_a_failure(noticed: WorkedProject) -> None:
    run = noticed.run("trigger", "dies", "--detach").out.strip()
    for _ in range(6):
        assert sent(noticed) == []
        noticed.work(1).process.wait(60)
    wait_until(lambda: sent(noticed), noticed.work(1))
    (notice,) = documents(noticed)
    assert notice["subject"] == "dies fails: it was killed 6 times without getting further"
    (noticed.root / "mended").touch()
    noticed.run("resume", run)
    assert sent(noticed)[1:] == [("recovery", "dies")]


@pytest.mark.campaign
def test_a_run_that_died_and_that_no_worker_takes_up_has_failed(noticed: WorkedProject) -> None:
    first = noticed.work(1)
    noticed.run("trigger", "nightly", "--until", "go", "--detach")
    noticed.wait_for_effects(1)
    noticed.run("trigger", "nightly", "--until", "go", "--detach")
    busy = noticed.work(1)
    noticed.wait_for_effects(2)
    first.kill()
    died = noticed.runs()[1]["id"]
    with psycopg.connect(noticed.env["DURABLY_DATABASE_URL"], autocommit=True) as session:

        def noted() -> str | None:
            row = session.execute("select dead from durably.noted where run = %s", [died])
            found = row.fetchone()
            return found[0] if found else None

        wait_until(noted, busy)
        before = json.loads(noted() or "") | {"dead": "2026-01-01T00:00:00Z"}
        text = json.dumps(before)
        session.execute("update durably.noted set dead = %s where run = %s", [text, died])
    wait_until(lambda: sent(noticed), busy)
    (notice,) = documents(noticed)
    assert (notice["run"]["id"], notice["run"]["status"]) == (died, "pending")
    assert "nothing has taken it up" in notice["subject"]
    for name in ("mended", "go"):
        (noticed.root / name).touch()
    noticed.run("wait", died)
    wait_until(lambda: sent(noticed)[1:] == [RECOVERED], busy)


def test_what_a_notice_triggers_sends_none(noticed: WorkedProject, server: Server) -> None:
    notify(noticed, f"{SEND}; durably trigger mail --detach -q")
    with (noticed.root / "pyproject.toml").open("a") as file:
        file.write(f'ping = "{server.url}/{{job}}"\n')
    worker = noticed.work()
    noticed.run("trigger", "nightly", "-q", expect=1)
    wait_until(lambda: noticed.runs("--job", "mail", "--status", "failed"), worker)
    assert sent(noticed) == [FAILED]
    assert not any("mail" in path for path in server.seen)
    noticed.run("trigger", "mail", "-q", expect=1)
    assert sent(noticed) == [FAILED, ("failure", "mail")]


def test_one_that_could_not_be_sent_is_said_and_tried_again(noticed: WorkedProject) -> None:
    notify(noticed, f"test -e post || {{ echo no post today; exit 3; }}; {SEND}")
    worker = noticed.work()
    noticed.run("trigger", "nightly", "-q", expect=1)
    said = "notify_failure has failed for nightly: exit code 3: no post today"
    assert said in worker.said.read_text()
    assert "its notice was not sent: exit code 3" in noticed.run("info").out
    (noticed.root / "post").touch()
    for _ in range(2):
        noticed.run("trigger", "nightly", "-q", expect=1)
    assert sent(noticed) == [FAILED]


def test_pings_of_each_attempt(noticed: WorkedProject, server: Server) -> None:
    set_to(noticed, f'ping = "{server.url}/uuid"')
    worker = noticed.work()
    noticed.run("trigger", "nightly", "-q", expect=1)
    (noticed.root / "mended").touch()
    noticed.run("resume", "@last", "-q")
    run = noticed.runs()[0]["id"]
    calls = [f"/uuid{each}?rid={run}" for each in ("/start", "/fail", "/start", "")]
    assert server.seen == calls
    noticed.run("trigger", "naps", "--detach")
    wait_until(lambda: noticed.runs()[0]["status"] == "waiting")
    assert [path.partition("?")[0] for path in server.seen[4:]] == ["/uuid/start"]
    server.answers = {"/uuid/start": (500, ""), "/uuid": (500, "")}
    noticed.run("trigger", "nightly", "-q")
    said = worker.said.read_text()
    assert said.count("the ping /start of nightly failed: HTTP status 500") == 1
    assert said.count("failed: HTTP status 500") == 1, "that is said once"


def test_a_setting_that_is_not_known_ends_a_worker_before_it_begins(
    noticed: WorkedProject,
) -> None:
    set_to(noticed, 'notify_failures = "true"')
    refused = noticed.run("worker", expect=78)
    assert "did you mean notify_failure?" in refused.err
