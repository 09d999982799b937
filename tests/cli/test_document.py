"""`--json`: what every command prints in every outcome is what `help --json` promises of it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.help import page
from durably_cli.engines.local.store import Store
from durably_cli.error_codes import ErrorCode
from durably_cli.journal.events import RunCancelled, RunCreated, RunStarted
from durably_cli.journal.state import Status
from durably_cli.journal.wait_events import RunSuspended, StepWaiting
from durably_cli.system import clock, ids
from durably_cli.values.strict_json import Json
from tests.conftest import Project, Started, disk_ends_at
from tests.golden.transcripts import Stage
from tests.harness.documents import Contract
from tests.harness.pasting import paste
from tests.harness.quick import some_quick

JOB = """
class Input(BaseModel):
    n: int = 1
    fail: bool = False
    until: str = ""
    twice: bool = False

@define_job
def work(step: Step, payload: Input) -> int:
    if payload.twice:
        effect("in each attempt")
    step.run("one", lambda: payload.n)
    step.log.info("logged", number=payload.n)
    step.progress(1, 2, "half")
    if payload.fail:
        step.run("fails", lambda: 1 / 0)
    if payload.until:
        effect("begun")
        step.run("long", lambda: time.sleep(60))
    return payload.n
"""


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    project = Project(tmp_path_factory.mktemp("contract"))
    return Contract(json.loads(project.run("help", "--json").out))


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOB)
    project.run("trigger", "work", "--idempotency-key", "k")
    return project


class Stock(Project):
    """A project with a run of every kind, and files and folders to give to commands.

    Those of the job `work` have the kind for their key; the others are in `names`, by which the
    lines of the tests call them.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.job(JOB)
        for key, *args in (("done",), ("victim",), ("hurt",), ("damaged",), ("unreadable",)):
            self.run("trigger", "work", "--idempotency-key", key, *args)
        self.run("trigger", "work", "--idempotency-key", "failed", "--fail", expect=1)
        self.running = self._begun("running", "--concurrency-key", "taken")
        with self._begun("killed") as killed:
            assert killed.is_killed()
        bundle, other = root / "run.tar.gz", root / "other"
        self.run("export", "key:work/done", "-o", str(bundle))
        for key in ("hurt", "damaged"):
            self._damage(key, b'"logged"', b'"lagged"')
        self._damage("unreadable", b'"run.created"', b'"run.crated!"')
        store = Store(self.journal("key:work/done").parents[2])
        (other / "jobs").mkdir(parents=True)
        (root / "file").touch()
        self.names = {
            "cancelled": _cancelled(store, "2026-11-01"),
            "old": _cancelled(store, "2020-11-01"),
            "asks": _waiting(store, "ok", {"type": "boolean"}),
            "denied": _waiting(store, "ok", {"type": "boolean"}),
            "counts": _waiting(store, "number", {"type": "integer"}),
            "bundle": bundle,
            "other": other,
            "tmp": root,
        }

    def _begun(self, key: str, *args: str) -> Started:
        before = len(self.effects)
        started = self.start("trigger", "work", "--until", "x", "--idempotency-key", key, *args)
        self.wait_for_effects(before + 1)
        return started

    def _damage(self, key: str, good: bytes, bad: bytes) -> None:
        path = self.journal(f"key:work/{key}")
        path.write_bytes(path.read_bytes().replace(good, bad))


def _cancelled(store: Store, day: str) -> str:
    """A run of that day, which no command can cancel yet."""
    at = f"{day}T10:00:00.000Z"
    digits = f"{round(clock.parse_time(at).timestamp() * 1000):012x}"
    run_id = f"{digits[:8]}-{digits[8:]}{ids.new()[13:]}"
    journal = store.create(RunCreated(1, run_id, "work", Json("{}"), at))
    assert journal is not None
    journal.append(RunCancelled(at))
    journal.close()
    return run_id


def _waiting(store: Store, signal: str, takes: dict[str, Any]) -> str:
    """A run that waits for a signal, and is suspended."""
    run_id, at = ids.new(), clock.now()
    journal = store.create(RunCreated(1, run_id, "work", Json("{}"), at))
    assert journal is not None
    journal.append(RunStarted(1, 1, "host", at))
    journal.append(StepWaiting(signal, "signal", at, takes=takes))
    journal.append(RunSuspended(at))
    journal.close()
    return run_id


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    stock = Stock(tmp_path_factory.mktemp("stock"))
    with stock.running:
        yield stock
        stock.running.kill()


CASES = {
    "trigger": [
        ("trigger work", 0, "run"),
        ("trigger work -q", 0, "run"),
        ("trigger work --fail", 1, "run-failed"),
        ("trigger work --idempotency-key done", 0, "run"),
        ("trigger work --idempotency-key done --n 2", 5, "key-conflict"),
        ("trigger work --idempotency-key failed --fail", 1, "run-failed"),
        ("trigger work --idempotency-key damaged", 74, "journal-damaged"),
        ("trigger work --idempotency-key running --until x --no-wait", 0, "run"),
        ("trigger work --concurrency-key taken --on-conflict skip", 0, "run"),
        ("trigger work --concurrency-key taken --on-conflict fail", 75, "busy"),
        ("trigger work --detach", 0, "run"),
        ("trigger work --n x", 65, "invalid-input"),
        ("trigger work -i {{", 65, "invalid-input"),
        ("trigger work --nope 1", 2, "usage"),
        ("trigger work --no-wait", 2, "usage"),
        ("trigger nope", 4, "no-such-job"),
        ("trigger", 2, "usage"),
        ("-C /nowhere trigger work", 78, "config"),
    ],
    "resume": [
        ("resume key:work/done", 0, "run"),
        ("resume key:work/failed", 1, "run-failed"),
        ("resume key:work/failed --redo nope", 4, "no-such-step"),
        ("resume {cancelled}", 3, "run-cancelled"),
        ("resume key:work/damaged", 74, "journal-damaged"),
        ("resume ffff", 4, "no-such-run"),
        ("resume @nope", 2, "usage"),
        ("resume key:work/failed --dry-run", 0, "plan"),
        ("resume key:work/killed --redo one --dry-run", 0, "plan"),
        ("resume key:work/killed --redo nope --dry-run", 4, "no-such-step"),
        ("resume key:work/done --redo one --dry-run", 2, "usage"),
        ("resume key:work/running --dry-run", 75, "busy"),
        ("resume key:work/damaged --dry-run", 74, "journal-damaged"),
    ],
    "fork": [
        ("fork key:work/done --dry-run", 0, "plan"),
        ("fork key:work/done --redo one", 0, "run"),
        ("fork key:work/failed", 1, "run-failed"),
        ("fork key:work/failed --redo-failed --dry-run", 0, "plan"),
        ("fork {cancelled} -p n:=2", 0, "run"),
        ("fork key:work/done -p n=x", 65, "invalid-input"),
        ("fork key:work/done --redo nope", 4, "no-such-step"),
        ("fork key:work/killed", 5, "has-not-ended"),
        ("fork key:work/killed --dry-run", 5, "has-not-ended"),
        ("fork key:work/running", 75, "busy"),
        ("fork key:work/damaged", 74, "journal-damaged"),
        ("fork ffff", 4, "no-such-run"),
        ("fork key:work/done --only", 2, "usage"),
    ],
    "cancel": [
        ("cancel {cancelled}", 0, "run"),
        ("cancel key:work/done", 5, "has-ended"),
        ("cancel key:work/failed", 5, "has-ended"),
        ("cancel key:work/damaged", 74, "journal-damaged"),
        ("cancel ffff", 4, "no-such-run"),
        ("cancel {cancelled} --timeout soon", 2, "usage"),
    ],
    "signal": [
        ("signal {counts} number -i 3", 0, "signal"),
        ("signal {counts} number -i 4", 5, "signal-conflict"),
        ("signal {counts} other -p a=b --early", 0, "signal"),
        ("signal {counts} numbers -i 3", 4, "no-such-signal"),
        ("signal {asks} ok -i 3", 65, "invalid-input"),
        ("signal key:work/done ok -i 3", 5, "has-ended"),
        ("signal {asks} ok", 2, "usage"),
    ],
    "approve": [
        ("approve {asks}", 0, "signal"),
        ("approve {counts}", 4, "no-such-signal"),
    ],
    "deny": [
        ("deny {denied} --reason x", 2, "usage"),
        ("deny {denied}", 0, "signal"),
        ("deny {counts}", 4, "no-such-signal"),
        ("deny ffff", 4, "no-such-run"),
    ],
    "schedule": [
        ("schedule work @daily", 0, "schedule"),
        ("schedule work @daily --systemd", 0, "schedule"),
        ("schedule --tick --launchd", 0, "schedule"),
        ("schedule work @reboot", 2, "usage"),
        ("schedule nope @daily", 4, "no-such-job"),
        ("schedule", 2, "usage"),
    ],
    "test": [
        ("test work --crash-everywhere --limit 2", 0, "test"),
        ("test work --crash-everywhere -p twice:=true --watch {tmp}/effects", 1, "crash-faults"),
        ("test work --crash-everywhere -p n=x", 65, "invalid-input"),
        ("test nope --crash-everywhere", 4, "no-such-job"),
        ("test work", 2, "usage"),
    ],
    "tick": [
        ("tick --dry-run", 0, "runs"),
        ("tick --max 0", 2, "usage"),
        ("tick --for soon", 2, "usage"),
    ],
    "wait": [
        ("wait key:work/done", 0, "run"),
        ("wait key:work/failed", 1, "run-failed"),
        ("wait {cancelled}", 3, "run-cancelled"),
        ("wait key:work/killed", 75, "interrupted"),
        ("wait key:work/running --timeout 0", 124, "timed-out"),
        ("wait key:work/damaged", 74, "journal-damaged"),
        ("wait key:work/done {cancelled} key:work/failed", 3, "run-cancelled"),
        ("wait key:work/done key:work/victim", 0, "runs"),
        ("wait key:work/running key:work/damaged --timeout 0", 124, "timed-out"),
        ("wait key:work/unreadable key:work/damaged", 74, "journal-damaged"),
        ("wait key:work/done ffff", 4, "no-such-run"),
        ("wait", 2, "usage"),
    ],
    "list": [
        ("list", 0, "runs"),
        ("list -n 0", 0, "runs"),
        ("list --job nope", 0, "runs"),
        ("list --since never", 2, "usage"),
        ("list --watch", 2, "usage"),
        ("-C /nowhere list", 78, "config"),
    ],
    "inspect": [
        ("inspect key:work/done", 0, "run"),
        ("inspect key:work/done --follow", 0, "run"),
        ("inspect key:work/failed", 0, "run"),
        ("inspect key:work/killed", 0, "run"),
        ("inspect key:work/running", 0, "run"),
        ("inspect {cancelled}", 0, "run"),
        ("inspect key:work/damaged", 74, "journal-damaged"),
        ("inspect key:work/unreadable", 74, "journal-damaged"),
        ("inspect ffff", 4, "no-such-run"),
        ("inspect key:work/done --step one", 0, "step"),
        ("inspect key:work/damaged --step one", 74, "journal-damaged"),
        ("inspect key:work/failed --step fails", 4, "no-such-step"),
        ("inspect key:work/done --step nope", 4, "no-such-step"),
        ("inspect key:work/done --step o*", 0, "steps"),
        ("inspect key:work/done --step n*", 4, "no-such-step"),
        ("inspect key:work/damaged --step *", 74, "journal-damaged"),
        ("inspect key:work/done --html {tmp}/page.html", 2, "usage"),
    ],
    "logs": [
        ("logs key:work/done", 0, "message"),
        ("logs key:work/damaged", 74, "journal-damaged"),
        ("logs ffff", 4, "no-such-run"),
        ("logs key:work/done --step nope", 4, "no-such-step"),
        ("logs key:work/done --level loud", 2, "usage"),
    ],
    "jobs": [
        ("jobs", 0, "jobs"),
        ("jobs work", 0, "job"),
        ("jobs nope", 4, "no-such-job"),
        ("jobs work work", 2, "usage"),
    ],
    "init": [
        ("init {tmp}/new", 0, "project"),
        ("init {tmp}/new", 0, "project"),
        ("init {tmp}/file", 2, "usage"),
        ("init {tmp}/file/x", 74, "io"),
    ],
    "info": [("info", 0, "info"), ("-C /nowhere info", 0, "info"), ("info x", 2, "usage")],
    "help": [
        ("help", 0, "commands"),
        ("help agents", 0, "text"),
        ("help nope", 4, "no-such-topic"),
        ("help a b", 2, "usage"),
    ],
    "verify": [
        ("verify key:work/done", 0, "findings"),
        ("verify", 74, "journal-unreadable"),
        ("verify ffff", 4, "no-such-run"),
        ("verify @last --all", 2, "usage"),
        ("verify --cron", 0, "findings"),
    ],
    "repair": [
        ("repair key:work/hurt", 0, "repair"),
        ("repair key:work/hurt --yes", 0, "repair"),
        ("repair key:work/hurt", 0, "repair"),
        ("repair key:work/unreadable --yes", 74, "journal-damaged"),
        ("repair ffff", 4, "no-such-run"),
        ("repair", 2, "usage"),
    ],
    "prune": [
        ("prune --older-than 2021-01-01 --dry-run", 0, "would_delete"),
        ("prune --older-than 2021-01-01 --keep-last 1 --status cancelled", 0, "would_delete"),
        ("prune --older-than 2021-01-01 --free-keys --yes", 0, "deleted"),
        ("prune --older-than 2021-01-01 --yes", 0, "deleted"),
        ("prune --older-than never", 2, "usage"),
        ("prune", 2, "usage"),
    ],
    "delete": [
        ("delete key:work/victim ffff", 4, "no-such-run"),
        ("delete key:work/victim", 0, "deleted"),
        ("delete key:work/victim", 4, "no-such-run"),
        ("delete key:work/victim --free-keys", 0, "freed_keys"),
        ("delete key:work/failed", 2, "usage"),
        ("delete key:work/running --status interrupted", 75, "busy"),
    ],
    "export": [
        ("export key:work/done -o {tmp}/done", 0, "exported"),
        ("export key:work/damaged -o {tmp}/damaged", 0, "exported"),
        ("export key:work/done -o {tmp}/done", 2, "usage"),
        ("export key:work/done -o {tmp}/nowhere/done", 74, "io"),
        ("export ffff -o {tmp}/none", 4, "no-such-run"),
    ],
    "import": [
        ("import {bundle}", 0, "imported"),
        ("-C {other} import {bundle}", 0, "imported"),
        ("-C {other} import {bundle} --adopt", 0, "imported"),
        ("import {tmp}/file", 65, "invalid-input"),
        ("import {tmp}/nowhere", 78, "config"),
        ("import", 2, "usage"),
    ],
}
"""Of each command: lines in their order, what they end with, and what the document then has."""


@pytest.mark.parametrize("command", some_quick(CASES, 8))
def test_every_outcome_is_as_help_promises(contract: Contract, stock: Stock, command: str) -> None:
    for line, code, name in CASES[command]:
        words = line.format(**stock.names).split()
        result = stock.run(*words, "--json", expect=code)
        if command == "logs":
            document = contract.check_lines(command, result.out, code)[-1]
        else:
            document = contract.check_document(command, result.out, code)
        assert document["error"]["code"] == name if code else name in document, line
        if name == "run-cancelled":
            assert document["next"] == []
        if code == 1 and command != "test":  # which tells of faults, and of no run
            assert document["run"]["status"] == "failed"
            assert document["error"]["run"] == document["run"]["id"]
            assert any(" resume " in next_ for next_ in document["next"])


def test_what_is_no_command_is_an_error_as_of_any(contract: Contract, stock: Stock) -> None:
    for words in (["nope"], ["--nope"]):
        document = contract.check_document("list", stock.run(*words, "--json", expect=2).out, 2)
        assert document["error"]["code"] == "usage"


OF_WORKERS = {"engine", "worker"}
"""They take a server, so tests/engines/dbos has them."""


def test_every_command_has_a_success_and_an_error_among_the_cases() -> None:
    assert set(CASES) == set(COMMANDS) - OF_WORKERS
    for command, cases in CASES.items():
        assert {bool(code) for _, code, _ in cases} == {True, False}, command


def test_the_page_names_every_code_of_an_error() -> None:
    listed = page("agents").split("`error.code` names what happened: ")[1].split(". ")[0]
    assert set(re.findall("`(.*?)`", listed)) == set(get_args(ErrorCode))


def test_the_lines_of_a_journal_are_as_help_promises(contract: Contract, stock: Stock) -> None:
    for run in ("failed", "killed", "running"):
        lines = stock.run("inspect", f"key:work/{run}", "--events").out
        assert contract.check_lines("inspect", lines, 0)[0]["type"] == "run.created"
    for run, code in (("key:work/done", 0), ("key:work/damaged", 74), ("ffff", 4)):
        lines = stock.run("inspect", run, "--events", "--json", expect=code).out
        contract.check_lines("inspect", lines, code)


def test_an_error_is_about_the_run_that_is_in_the_way(contract: Contract, stock: Stock) -> None:
    for line, code, run in (
        ("--idempotency-key done --n 2", 5, "key:work/done"),
        ("--idempotency-key damaged", 74, "key:work/damaged"),
        ("--concurrency-key taken --on-conflict fail", 75, "key:work/running"),
    ):
        document = answer(contract, stock, "trigger", "work", *line.split(), expect=code)
        story = json.loads(stock.run("inspect", run, "--json", expect=None).out)
        assert document["error"]["run"] == story["run"]["id"]


def test_what_makes_sense_next_can_be_pasted(contract: Contract, worked: Project) -> None:
    look, jobs = answer(contract, worked, "list", expect=0)["next"]
    assert paste(worked, look, worked.root).code == paste(worked, jobs, worked.root).code == 0
    step = answer(contract, worked, "inspect", "@last", "--step", "one", expect=0)["step"]
    assert (step["name"], step["status"], step["result"]) == ("one", "completed", 1)
    error = answer(contract, worked, "inspect", "@last", "--svg", "x.svg", expect=2)["error"]
    assert paste(worked, error["hint"], worked.root).code == 0
    assert (worked.root / "x.svg").exists()


def test_two_jobs_of_one_name_hide_no_other(contract: Contract, worked: Project) -> None:
    for name in ("one", "other"):
        worked.job(JOB.replace("@define_job", '@define_job(name="twice")'), name)
    document = answer(contract, worked, "jobs", expect=78)
    assert [job["name"] for job in document["jobs"]] == ["work"]
    assert document["error"]["code"] == "job-module"
    assert "two jobs are named twice" in document["broken"][0]["error"]
    answer(contract, worked, "trigger", "twice", expect=78)


def answer(
    contract: Contract, project: Project, *args: str, expect: int, **popen: Any
) -> dict[str, Any]:
    """The one document of the command, as the contract has it."""
    result = project.run(*args, "--json", expect=expect, **popen)
    return contract.check_document(args[0], result.out, expect)


@pytest.mark.parametrize("command", ["inspect @last", "verify", "resume @last", "trigger work"])
def test_damage_and_a_broken_module_are_in_the_document(
    contract: Contract, worked: Project, command: str
) -> None:
    path = worked.journal()
    path.write_bytes(path.read_bytes().replace(b'"logged"', b'"lagged"'))
    broken = worked.root / "jobs" / "broken.py"
    broken.write_text("1 / 0")
    code = 0 if command.startswith("trigger") else 74
    document = answer(contract, worked, *command.split(), expect=code)
    if command == "inspect @last":
        assert document["run"]["status"] == "damaged"
        assert document["error"]["code"] == "journal-damaged"
    jobs = answer(contract, worked, "jobs", expect=78)
    assert [job["name"] for job in jobs["jobs"]] == ["work"]
    assert jobs["error"]["code"] == "job-module"


def test_a_lost_result_ends_the_document_where_it_was(contract: Contract, project: Project) -> None:
    project.job(
        "@define_job\ndef work(step: Step, payload: dict) -> str:\n    return 'x' * 2_000_000\n"
    )
    project.run("trigger", "work")
    folder = project.journal().with_suffix(".blobs")
    for file in folder.iterdir():
        file.write_bytes(b"y" * file.stat().st_size)
    answer(contract, project, "inspect", "@last", expect=74)
    answer(contract, project, "list", expect=0)


def test_what_destroys_says_what_it_would_do_and_what_it_did(
    contract: Contract, worked: Project
) -> None:
    done = worked.journal()
    worked.run("trigger", "work", "--idempotency-key", "failed", "--fail", expect=1)
    failed, prune = worked.journal(), ("prune", "--older-than", "0s")
    assert answer(contract, worked, *prune, expect=0)["would_delete"] == [done.stem]
    failed.write_bytes(damaged := failed.read_bytes().replace(b'"logged"', b'"lagged"'))
    plan = answer(contract, worked, "repair", failed.stem, expect=0)["repair"]
    assert (plan["good"]["steps"], plan["dropped"]["lines"], plan["original"]) == (1, 5, None)
    assert done.exists()
    assert failed.read_bytes() == damaged
    repaired = answer(contract, worked, "repair", failed.stem, "--yes", expect=0)["repair"]
    assert Path(repaired["original"]).read_bytes() == damaged
    both = ("delete", "key:work/k", "key:work/failed")
    half = answer(contract, worked, *both, expect=2)
    assert half["deleted"] == [done.stem]
    assert half["freed_bytes"] > 0
    assert half["error"]["run"] == failed.stem
    pruned = answer(contract, worked, *prune, "--status", "interrupted", "--yes", expect=0)
    assert (pruned["deleted"], pruned["would_delete"]) == ([failed.stem], [])


def test_the_runs_of_a_moved_project_are_in_the_document(
    contract: Contract, worked: Project
) -> None:
    old, worked.root = worked.root, worked.root.with_name("moved")
    old.rename(worked.root)
    moved = answer(contract, worked, "import", str(old), expect=0)["imported_project"]
    assert moved["project"] == str(old)
    assert worked.journal().is_relative_to(moved["store"])


def test_a_disk_that_is_full_is_in_the_document(contract: Contract, project: Project) -> None:
    project.job(JOB)
    document = answer(contract, project, "trigger", "work", expect=74, **disk_ends_at(0))
    assert document["error"]["code"] in ("io", "journal-lost")


@pytest.mark.long
def test_a_signal_is_in_the_document_with_the_run(contract: Contract, project: Project) -> None:
    project.job(JOB)
    with project.start("trigger", "work", "--until", "x", "--json") as process:
        project.wait_for_effects()
        busy = answer(contract, project, "resume", "@last", expect=75)
        assert busy["error"]["code"] == "busy"
        os.kill(process.pid, signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    error = contract.check_document("trigger", out, 143)["error"]
    assert error["code"] == "interrupted"
    assert Path(project.journal()).stem == error["run"]
    assert error["next"][0].endswith(f" resume {error['run'][-8:]}")


def test_progress_is_shown_to_programs(worked: Project) -> None:
    (listed,) = worked.runs()
    assert {"current": 1, "total": 2, "message": "half"}.items() <= listed["progress"].items()
    assert worked.inspect()["progress"] == listed["progress"]
    assert '\nprogress\t{"current":1' in worked.run("inspect", "@last").out


def test_every_command_is_described_with_what_its_help_shows(
    contract: Contract, project: Project
) -> None:
    document = answer(contract, project, "help", expect=0)
    assert [command["name"] for command in document["commands"]] == list(COMMANDS)
    for command in document["commands"]:
        shown = project.run(command["name"], "--help").out
        listed = re.findall(r"^  (?:(-\w), )?(--[\w-]+)", shown, re.MULTILINE)
        options = {name for option in command["options"] for name in option["names"]}
        assert options == {name for names in listed for name in names if name} - {"-h", "--help"}
        for argument in command["arguments"]:
            assert argument["name"] in shown.split("\n", 1)[0]
        assert command["summary"] == command["help"].split("\n", 1)[0]
    trigger = document["commands"][0]["options"]
    conflict = next(each for each in trigger if "--on-conflict" in each["names"])
    assert conflict["choices"] == ["wait", "skip", "fail"]
    assert conflict["default"] == "wait"


@pytest.mark.long
def test_every_run_that_was_ever_stored_is_as_help_promises(
    contract: Contract, tmp_path: Path
) -> None:
    stage = Stage(tmp_path)
    listed = answer(contract, stage.project, "list", "-n", "0", expect=0)["runs"]
    ids = [run["id"] for run in listed]
    assert {run["status"] for run in listed} >= set(Status) - {Status.PENDING, Status.RUNNING}
    for run in ids:
        story = stage.project.run("inspect", run, "--json", expect=None)
        contract.check_document("inspect", story.out, story.code)
        logs = stage.project.run("logs", run, "--json", expect=None)
        contract.check_lines("logs", logs.out, logs.code)
        events = stage.project.run("inspect", run, "--events", expect=None).out
        contract.check_lines("inspect", events, 0)
    answer(contract, stage.project, "wait", *reversed(ids), "--timeout", "0", expect=3)
    answer(contract, stage.project, "verify", expect=74)


@pytest.mark.parametrize(
    ("line", "kind", "word"),
    [
        ("list", "document", ".runs.0.status"),
        ("inspect key:work/done", "document", ".run.checkpoints.0.status"),
        ("trigger work", "document", ".run.disposition"),
        ("verify", "document", ".findings.0.kind"),
        ("verify", "document", ".findings.0.state"),
        ("logs key:work/done", "line", ".level"),
        ("trigger nope", "document", ".error.code"),
    ],
)
def test_a_word_that_a_later_durably_may_add_is_valid_and_not_promised_now(
    stock: Stock, contract: Contract, line: str, kind: str, word: str
) -> None:
    command, *args = line.split()
    out = stock.run(command, *args, "--json", expect=None).out
    printed = json.loads(out if kind == "document" else out.splitlines()[0])
    place, _, name = word[1:].rpartition(".")
    inner = printed
    for step in place.split("."):
        inner = inner[int(step) if step.isdecimal() else step] if step else inner
    assert isinstance(inner[name], str)
    inner[name] = "of a later durably"
    Draft202012Validator(contract.schema(kind, command)).validate(printed)
    with pytest.raises(AssertionError):
        contract.check(kind, command, printed)


def test_an_error_has_an_exit_code_that_says_so(stock: Stock, contract: Contract) -> None:
    printed = json.loads(stock.run("trigger", "nope", "--json", expect=4).out)
    printed["error"]["exit"] = 0
    assert not Draft202012Validator(contract.schema("document", "trigger")).is_valid(printed)
