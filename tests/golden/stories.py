"""The command lines whose output is stored: a file a story, in a store of all golden runs.

`durably ... <<< TEXT` is given the text on stdin; `<folder>` is the one that holds the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.golden.runs import RUNS
from tests.golden.transcripts import Act, Stage


def _another_process_holds_a_run(stage: Stage) -> None:
    """another process executes: durably trigger waits --idempotency-key k --concurrency-key c"""
    keys = ("--idempotency-key", "k", "--concurrency-key", "c")
    stage.started.append(stage.project.start("trigger", "waits", *keys))
    stage.project.wait_for_effects()


def _a_module_is_broken(stage: Stage) -> None:
    """jobs/broken.py is written, which cannot be imported"""
    (stage.project.root / "jobs" / "broken.py").write_text("import nothing_of_that_name\n")


def _the_project_is_moved(stage: Stage) -> None:
    """the project is moved to <folder>/moved"""
    stage.project.root = stage.project.root.rename(stage.project.root.with_name("moved"))


def _the_input_is_in_a_file(stage: Stage) -> None:
    """input.json is written"""
    (stage.project.root / "input.json").write_text('{"n": 2, "name": "Bob"}')


def _a_file_is_no_bundle(stage: Stage) -> None:
    """odd.tar.gz is written, which is no bundle"""
    (stage.project.root / "odd.tar.gz").write_bytes(b"no archive")


COMMANDS = (
    *(
        "approve",
        "cancel",
        "deny",
        "delete",
        "export",
        "fork",
        "help",
        "import",
        "info",
        "init",
        "inspect",
        "jobs",
        "list",
    ),
    *("logs", "prune", "repair", "resume", "schedule", "signal", "test", "tick"),
    *("trigger", "verify", "wait"),
)

_RUN_STORIES = {
    f"run-{name}": (
        f"durably inspect {number:04x} --json",
        f"durably inspect {number:04x}",
        f"durably inspect {number:04x} --events",
    )
    for number, name in enumerate(RUNS, 1)
}

STORIES: dict[str, Sequence[str | Act]] = {
    **_RUN_STORIES,
    "usage": (
        "durably",
        "durably --version",
        "durably nothing",
        "durably --nothing",
        "durably -C ../nothing list",
        "durably -C .. list",
        "durably -C <folder>/project list -n 1",
        "durably help",
        "durably help nothing",
        "durably --help",
        *(f"durably {command} --help" for command in COMMANDS),
        "durably trigger work --help",
    ),
    "trigger": (
        "durably trigger work",
        "durably trigger work --n 2 --name Bob --no-fail --label a=b --label team=x",
        "durably trigger work -p n:=2 -p name=Bob --json",
        'durably trigger work --input - --name Cid <<< {"n": 2}',
        _the_input_is_in_a_file,
        "durably trigger work -i @input.json -q",
        "durably list -n 5",
        "durably inspect @last --events",
        "durably inspect @last --json",
        "durably trigger",
        "durably trigger nothing",
        "durably trigger work --nothing",
        "durably trigger work --n x",
        "durably trigger work -i {",
        "durably trigger work -i [1]",
        "durably trigger work -i @nothing.json",
        "durably trigger work --label x",
        "durably trigger work --fail",
        "durably trigger work --fail --json",
        "durably trigger work --fail -q",
        "durably resume @failed --json",
        "durably resume @last -q",
        _a_module_is_broken,
        "durably trigger nothing",
        "durably trigger broken",
    ),
    "trigger-keys": (
        "durably trigger work -i '{\"n\":3}' --idempotency-key paid",
        "durably trigger work -i '{\"n\":3}' --idempotency-key paid --json",
        "durably trigger work -i '{\"n\":4}' --idempotency-key paid",
        "durably trigger work -i '{\"n\":4}' --idempotency-key paid --json",
        "durably trigger work -i '{\"n\":3}' --idempotency-key gone",
        "durably trigger work --fail --idempotency-key new",
        "durably trigger work --fail --idempotency-key new",
        "durably resume key:work/new",
        "durably trigger work --fail --idempotency-key new",
    ),
    "held": (
        _another_process_holds_a_run,
        "durably list -n 1",
        "durably trigger waits --idempotency-key k --no-wait",
        "durably trigger waits --idempotency-key k --no-wait --json",
        "durably trigger work --concurrency-key c --on-conflict skip",
        "durably trigger work --concurrency-key c --on-conflict skip --json",
        "durably trigger work --concurrency-key c --on-conflict fail",
        "durably trigger work --concurrency-key c --on-conflict fail --json",
        "durably delete @last",
        "durably verify @last",
        "durably wait @last --timeout 0",
        "durably wait @last 0001 0002 --timeout 0",
        "durably wait 0001",
        "durably cancel 0001",
        "durably cancel 0002 --json",
        "durably cancel 0013 --reason 'wrong month' --json",
        "durably cancel 0013",
        "durably resume 0013",
        "durably cancel 0011",
    ),
    "again": (
        "durably resume 0006 --dry-run",
        "durably resume 0006 --redo one --dry-run --json",
        "durably resume 0015 --dry-run",
        "durably resume 0015 --redo nothing",
        "durably resume 0001 --redo one --only",
        "durably fork 0001 --dry-run",
        "durably fork 0001 --redo one --json",
        "durably fork 0006",
        "durably fork 000a",
        "durably inspect 0001",
        "durably list -n 2",
    ),
    "resume": (
        "durably resume 0001",
        "durably resume 0001 --json",
        "durably resume 0002",
        "durably resume 0002 --json",
        "durably resume 0004",
        "durably resume 0005 --json",
        "durably inspect 0005 --events",
        "durably resume 0006",
        "durably resume 0008",
        "durably inspect 0008 --events",
        "durably resume 0009 -q",
        "durably resume 000a",
        "durably resume 000a --json",
        "durably resume 000b",
        "durably resume 000c",
        "durably resume 000d",
        "durably resume 000e",
        "durably resume",
        "durably resume ffff",
        "durably resume ffff --json",
        "durably resume xyz",
        "durably resume 0170",
        "durably resume @last/nothing",
        "durably resume @nothing",
        "durably resume key:work/nothing",
        "durably resume key:work/gone",
    ),
    "list": (
        "durably list",
        "durably list --json",
        "durably list -n 2",
        "durably list --job odd --status cancelled",
        "durably list --status failed --status damaged",
        "durably list --label team=billing --json",
        "durably list --since 1d",
        "durably list --since x",
        "durably list --label x",
        "durably list --status x",
        "durably list --watch",
    ),
    "inspect": (
        "durably inspect 0001 --step one",
        "durably inspect 0001 --step nothing",
        "durably inspect 0005 --step pay",
        "durably inspect key:work/paid --step two",
        "durably inspect @failed --follow",
        "durably inspect 0001 --json --events",
        "durably inspect 0004 --svg -",
        "durably inspect 0003 --html -",
        "durably inspect ffff --json",
        "durably inspect @last/nothing",
    ),
    "logs": (
        "durably logs 0003",
        "durably logs 0003 --level error",
        "durably logs 0003 --level x",
        "durably logs 0003 --step other --json",
        "durably logs 0002 --follow",
        "durably logs ffff",
    ),
    "jobs": (
        "durably jobs",
        "durably jobs --json",
        "durably jobs work",
        "durably jobs work --json",
        "durably jobs nothing",
        _a_module_is_broken,
        "durably jobs",
        "durably jobs --json",
        "durably jobs broken",
    ),
    "projects": (
        "durably info",
        "durably info --json",
        "durably init",
        "durably init new",
        "durably -C new trigger hello --times 1",
        "durably import <folder>/project",
        "durably trigger work -q",
        _the_project_is_moved,
        "durably list -n 1",
        "durably import <folder>/project",
        "durably list -n 1",
    ),
    "care": (
        "durably verify",
        "durably verify --json",
        "durably verify 0001 0002",
        "durably verify --all 0001",
        "durably delete 0001 0002",
        "durably delete 0004",
        "durably delete 0004 --status failed",
        "durably delete ffff",
        "durably delete key:work/paid",
        "durably delete key:work/paid --free-keys",
        "durably prune --older-than 1d --dry-run",
        "durably prune --older-than 1d",
        "durably prune --older-than 1d --keep-last 3 --yes",
        "durably prune --older-than 1d --status interrupted -y",
        "durably prune --older-than x",
        "durably prune",
        "durably verify",
        "durably repair 0003",
        "durably repair 000a",
        "durably repair 000a --yes",
        "durably verify 000a",
        "durably inspect 000a --json",
        "durably repair 000e --yes",
        "durably repair ffff",
    ),
    "test": (
        "durably test work",
        "durably test nothing --crash-everywhere",
        "durably test work --crash-everywhere --watch /",
        "durably test work --crash-everywhere --signal go",
        "durably test work --crash-everywhere -q",
    ),
    "waiting": (
        "durably approve 001d",
        "durably deny 001d",
        "durably signal 001d answer -i true",
        "durably signal 001d answers -i 3",
        "durably signal 001d answer -i 3",
        "durably signal 001d answer -i 3 --json",
        "durably signal 001d answer -i 4",
        "durably tick --dry-run",
        "durably list --status waiting",
    ),
    "schedule": (
        "durably schedule",
        "durably schedule work",
        "durably schedule nothing '0 3 * * *'",
        "durably schedule work '0 3 31 2 *'",
        "durably schedule work '0 0 3 * * *' --json",
        "durably schedule work 0 3",
        "durably schedule work '0 3 * * *' --n 2",
        "durably schedule work '0 3 * * *' -- --n x",
        "durably schedule work '0 3 * * *' -- --m 2",
        "durably verify --cron --all",
    ),
    "bundles": (
        "durably export 0001 -o run.tar.gz",
        "durably export 0001 -o run.tar.gz",
        "durably export 000a -o damaged.tar.gz",
        "durably export ffff -o other.tar.gz",
        "durably import run.tar.gz",
        "durably delete 0001",
        "durably import run.tar.gz",
        "durably resume 0001",
        "durably inspect 0001 --json",
        "durably import run.tar.gz --adopt",
        "durably resume 0001",
        "durably import nothing.tar.gz",
        _a_file_is_no_bundle,
        "durably import odd.tar.gz",
    ),
}


def expectation(story: str) -> Path:
    """The file of what a story printed when that was last found right."""
    return Path(__file__).parent / "commands" / f"{story}.txt"
