"""`--dry-run` of resume and fork: a row a step, and nothing is executed, imported or written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.quick import some_quick
from tests.harness.snapshots import snapshot
from tests.harness.terminals import TerminalWith

JOB = """
import signal
from concurrent.futures import ThreadPoolExecutor
from durably_cli import File, NotDone, Retry
from parts import elsewhere

if os.path.exists("watch imports"):
    effect("imported")

def number() -> int:
    return int(open("n").read())

def double(n: int) -> int:
    effect("double")
    return 2 * n

def fails() -> int:
    if os.path.exists("fixed"):
        return 1
    raise OSError("as it does")

def fallback() -> int:
    return 1

def written() -> File:
    file = File("out.txt")
    file.path.write_text("one")
    return file

def killed() -> int:
    if os.path.exists("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

def look() -> int:
    raise NotDone

@define_job
def planned(step: Step) -> None:
    step.run("fetch", number)
    step.run("stops", fallback, in_doubt="stop")
    try:
        step.run("primary", fails)
    except OSError:
        step.run("fallback", fallback)
    step.run("elsewhere", elsewhere)
    step.run("builtin", int)
    step.run("lambda", lambda: 1)
    step.run("out", written)
    step.run("double", double, 1)
    step.run("last", killed, in_doubt=HOW)
    if os.path.exists("end"):
        raise ValueError
"""
CARRIED = {"primary": "replay: as the failure it was"}
STEPS = [
    *("fetch", "stops", "primary", "fallback", "elsewhere", "builtin", "lambda", "out", "double"),
    "last",
]


def prepared(project: Project, how: str = "'again'") -> Path:
    """The job's file, in a project that has all it takes."""
    (project.root / "parts.py").write_text("def elsewhere() -> int:\n    return 1\n")
    (project.root / "n").write_text("1")
    return project.job(JOB.replace("HOW", how), "planned")


@pytest.fixture
def killed(project: Project) -> Project:
    """A run that was killed in its last step."""
    prepared(project)
    (project.root / "kill").touch()
    project.run("trigger", "planned", expect=-9)
    (project.root / "kill").unlink()
    return project


@pytest.fixture
def failed(project: Project) -> Project:
    """A run that has failed behind its last step."""
    prepared(project)
    (project.root / "end").touch()
    project.run("trigger", "planned", expect=1)
    return project


def rows(project: Project, *words: str, expect: int = 0) -> dict[str, list[str]]:
    """The columns of each step, by its name."""
    text = project.run(*(words or ("resume", "@last")), "--dry-run", expect=expect).out
    return {line.split("\t")[0]: line.split("\t")[1:] for line in text.splitlines()}


def what(project: Project, *words: str) -> dict[str, str]:
    """What becomes of each step that is not simply replayed."""
    found = {name: f"{row[0]}: {row[3]}" for name, row in rows(project, *words).items()}
    return {name: text for name, text in found.items() if text != "replay: "}


def test_a_row_has_the_name_what_becomes_of_it_its_seconds_its_code_and_why(
    killed: Project,
) -> None:
    found = rows(killed)
    assert list(found) == STEPS
    assert found["last"] == ["in doubt", "", "same", "called again"]
    assert found["primary"][::3] == ["replay", "as the failure it was"]
    what_becomes, seconds, code, why = found["double"]
    assert (what_becomes, code, why) == ("replay", "same", "")
    assert float(seconds) >= 0


@pytest.mark.parametrize("line", ["resume @last --redo fetch", "fork @last --redo fetch"])
def test_nothing_is_executed_imported_or_written(failed: Project, line: str) -> None:
    (failed.root / "watch imports").touch()
    before, effects = snapshot(failed.data), failed.effects
    for more in ([], ["--json"]):
        failed.run(*line.split(), "--dry-run", *more)
    assert (snapshot(failed.data), failed.effects) == (before, effects)
    assert len(failed.runs()) == 1


@pytest.mark.parametrize(
    ("how", "row"),
    [("look", "in doubt: looked for"), ("'stop'", "stop: in doubt: say --done or --redo")],
)
def test_a_step_in_doubt_says_what_a_resume_does_with_it(
    project: Project, how: str, row: str
) -> None:
    prepared(project, how)
    (project.root / "kill").touch()
    project.run("trigger", "planned", expect=-9)
    assert what(project)["last"] == row
    decided = what(project, "resume", "@last", "--done", "last", "--result", "1")
    assert decided["last"] == "replay: marked as done"
    said = project.run("resume", "@last", "--dry-run").err
    assert ("it stops at step last" in said) is (how == "'stop'")
    again = what(project, "resume", "@last", "--redo", "last")
    assert again["last"] == "run: as you say"


def test_a_redone_step_may_take_along_what_came_after(failed: Project) -> None:
    found = what(failed, "resume", "@last", "--redo", "elsewhere")
    assert found == {
        **CARRIED,
        "elsewhere": "run: as you say",
        **dict.fromkeys(STEPS[5:], "perhaps: if elsewhere gives another result"),
    }
    only = what(failed, "resume", "@last", "--redo", "elsewhere", "--only")
    assert only == {**CARRIED, "elsewhere": "run: as you say"}
    stops = what(failed, "resume", "@last", "--redo", "fetch")["stops"]
    assert stops == "perhaps: it stops here if fetch gives another result"


def test_a_plan_is_what_then_happens(failed: Project) -> None:
    (failed.root / "n").write_text("2")
    failed.run("resume", "@last", "--redo", "fetch", expect=1)
    again = what(failed)
    assert list(rows(failed)) == STEPS, "as they came first, whatever was redone"
    assert again["stops"] == "stop: its result was discarded: say --done or --redo"
    assert {again[name] for name in STEPS[4:]} == {"run: its result was discarded"}
    failed.run("resume", "@last", "--redo", "stops", expect=1)
    failed.run("resume", "@last", expect=1)
    assert what(failed) == CARRIED
    assert failed.effects == ["double", "double"]


@pytest.mark.parametrize("text", [None, "two"])
def test_a_file_that_is_not_what_it_was_has_its_step_executed_again(
    failed: Project, text: str | None
) -> None:
    file = failed.root / "out.txt"
    file.unlink() if text is None else file.write_text(text)
    found = what(failed)
    assert re.fullmatch("run: .*out.txt.*", found.pop("out"))
    perhaps = "perhaps: if out gives another result"
    assert found == {**CARRIED, "double": perhaps, "last": perhaps}
    failed.run("resume", "@last", expect=1)
    assert what(failed) == CARRIED
    assert failed.effects == ["double"], "which wrote the same again"


def test_a_step_stands_where_it_came_first_and_what_stops_is_named(project: Project) -> None:
    project.job(
        """
        def fails() -> None:
            raise OSError

        @define_job
        def order(step: Step) -> None:
            try:
                step.run("b", fails)
            except OSError:
                pass
            step.run("c", int, in_doubt="stop")
            raise ValueError
        """,
        "order",
    )
    project.run("trigger", "order", expect=1)
    project.run("resume", "@last", "--redo", "b", expect=1)
    assert list(rows(project)) == ["b", "c"]


def test_a_run_that_only_stops_says_where(project: Project) -> None:
    project.job(
        """
        @define_job
        def one(step: Step) -> None:
            step.run("pay", lambda: os.kill(os.getpid(), 9), in_doubt="stop")
        """,
        "one",
    )
    project.run("trigger", "one", expect=-9)
    assert project.run("resume", "@last", "--dry-run").err == "it stops at step pay\n"


def test_a_file_that_must_not_change_stops_the_run(project: Project) -> None:
    path = prepared(project)
    path.write_text(path.read_text().replace('File("out.txt")', 'File("out.txt", changed="fail")'))
    (project.root / "end").touch()
    project.run("trigger", "planned", expect=1)
    (project.root / "out.txt").unlink()
    found = what(project)
    assert found["out"].startswith("stop: ")
    assert "double" not in found
    project.run("resume", "@last", expect=1)
    assert project.effects == ["double"]


def test_what_became_of_the_code_is_read_off_the_sources(failed: Project) -> None:
    path, parts = failed.root / "jobs" / "planned.py", failed.root / "parts.py"
    codes = {name: row[2] for name, row in rows(failed).items()}
    unknown = {"builtin": "unknown"}
    assert codes == dict.fromkeys(STEPS, "same") | unknown
    path.write_text(
        path.read_text()
        .replace("2 * n", "3 * n")
        .replace("lambda: 1", "lambda: 2")
        .replace("def number", "def digits")
        .replace('"fetch", number', '"fetch", digits')
    )
    parts.write_text("import sys\n" + parts.read_text().replace("return 1", "return 2"))
    changed = {name: row[2] for name, row in rows(failed).items()}
    assert changed == codes | {
        "double": "changed",
        "lambda": "changed",
        "fetch": "gone",
        "elsewhere": "changed",
    }
    said = failed.run("resume", "@last", "--dry-run").err
    assert "the code of 4 steps has changed" in said
    path.write_text("def broken(")
    assert rows(failed)["double"][2] == "unknown"
    assert rows(failed)["elsewhere"][2] == "changed"


def test_a_fork_is_planned_with_and_without_the_failures_that_were_lived_on_after(
    project: Project,
) -> None:
    prepared(project)
    project.run("trigger", "planned")
    assert what(project, "fork", "@last") == CARRIED
    assert what(project, "fork", "@last", "--redo-failed") == {"primary": "run: it failed"}
    assert what(project, "resume", "@last") == CARRIED


RETRIES = """
    from durably_cli import Retry

    def fails() -> None:
        effect("tried")
        raise OSError("once more")

    @define_job
    def retries(step: Step) -> None:
        step.run("tried", fails, tries=Retry(3, delay=60))
    """


def test_a_step_between_two_tries_has_its_next_one(project: Project) -> None:
    project.job(RETRIES, "retries")
    with project.start("trigger", "retries") as process:
        while project.runs()[:1] == [] or "failed" not in (project.runs()[0]["reason"] or ""):
            assert process.poll() is None
        assert process.is_killed()
    assert what(project) == {"tried": "run: try 2 of 3"}
    project.run("cancel", "@last")
    assert what(project, "fork", "@last") == {"tried": "run: it failed"}


def test_steps_in_the_document_are_as_in_the_rows(failed: Project) -> None:
    words = "resume", "@last", "--redo", "elsewhere"
    found = json.loads(failed.run(*words, "--dry-run", "--json").out)
    plan, lines = found["plan"], rows(failed, *words)
    assert plan["run"] == failed.runs()[0]["id"]
    assert [step["name"] for step in plan["steps"]] == list(lines)
    for step in plan["steps"]:
        row = [step["plan"], "" if step["ms"] is None else str(step["ms"] / 1000), step["code"]]
        assert [*row, step["why"] or ""] == lines[step["name"]]
    replayed = [step for step in plan["steps"] if step["plan"] == "replay"]
    assert plan["replayed"] == len(replayed) == 4
    assert plan["saved_ms"] == sum(step["ms"] for step in replayed)
    said = failed.run(*words, "--dry-run").err
    assert "4 steps replayed, which saves " in said
    assert "1 step executed, 5 perhaps" in said


def test_what_a_plan_saves_is_the_time_of_what_is_replayed_for_sure(project: Project) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step) -> None:
            step.run("slow", lambda: time.sleep(0.05))
            step.run("quick", int)
            raise ValueError
        """,
        "slow",
    )
    project.run("trigger", "slow", expect=1)

    def saved(*words: str) -> int:
        given = json.loads(project.run("resume", "@last", *words, "--dry-run", "--json").out)
        return int(given["plan"]["saved_ms"])

    assert saved() >= 50
    assert saved("--redo", "quick") >= 50
    assert saved("--redo", "slow") == 0
    assert saved("--redo", "slow", "--only") == saved() - saved("--redo", "quick")


def test_a_terminal_has_a_table(failed: Project) -> None:
    command = "resume", "@last", "--redo", "elsewhere", "--dry-run"
    with TerminalWith(failed, *DURABLY, *command, columns=120) as terminal:
        shown = terminal.read()
    head, *lines = shown.splitlines()
    assert [word in head for word in ("step", "plan", "took", "code", "why")] == [True] * 5
    (line,) = (line for line in lines if "as you say" in line)
    assert "elsewhere" in line
    assert "5 perhaps" in shown


@pytest.mark.parametrize(
    "case",
    some_quick(
        [
            (["--redo", "fetsh"], 4, "has begun no step 'fetsh'; did you mean fetch?"),
            (["--done", "lost"], 4, "has begun no step 'lost'; did you mean last?"),
            (["--done", "fetch"], 2, "has completed, and has a result"),
            (["--done", "last", "--redo", "last"], 2, "is given with --redo and with --done"),
            (["--done", "last", "--result", "{"], 65, "is not JSON"),
        ],
        3,
    ),
)
def test_what_cannot_be_decided_is_not_planned(
    killed: Project, case: tuple[list[str], int, str]
) -> None:
    words, code, said = case
    assert said in killed.run("resume", "@last", *words, "--dry-run", expect=code).err


def test_of_a_completed_run_only_a_fork_executes_steps_again(project: Project) -> None:
    prepared(project)
    project.run("trigger", "planned")
    refused = project.run("resume", "@last", "--redo", "fetch", "--dry-run", expect=2).err
    assert "is completed, which is final" in refused
    assert "--redo fetch" in refused
    found = what(project, "fork", "@last", "--redo", "fetch")
    assert found["fetch"] == "run: as you say"


def test_no_plan_is_made_of_a_run_that_cannot_go_on(failed: Project) -> None:
    bundle = str(failed.root / "bundle.tar.gz")
    failed.run("export", "@last", "-o", bundle)
    other = Project(failed.root.parent / "other")
    other.run("import", bundle)
    assert (
        "was imported, and is read-only" in other.run("resume", "@last", "--dry-run", expect=77).err
    )
    assert rows(other, "fork", "@last")["double"][:1] == ["perhaps"], "its file is not here"
    path = failed.journal()
    path.write_bytes(path.read_bytes().replace(b'"name":"double"', b'"name":"tripled"', 1))
    for command in ("resume", "fork"):
        assert "damaged" in failed.run(command, "@last", "--dry-run", expect=74).err


def test_a_run_that_a_process_holds_is_tried_later(project: Project) -> None:
    project.job(RETRIES, "retries")
    with project.start("trigger", "retries") as process:
        project.wait_for_effects()
        for command in ("resume", "fork"):
            held = project.run(command, "@last", "--dry-run", expect=75).err
            assert "is held by another process" in held
        assert process.is_killed()


PARTIAL = """
    @define_job
    def partial(step: Step) -> int:
        found = step.map("m", shrink, ["a", "b", "c"], on_error="collect")
        step.run("publish", effect, f"published {len(found.ok)}")
        found.raise_if_failed()
        return len(found)

    def shrink(name: str) -> str:
        if name != "a" and not os.path.exists("mended"):
            raise OSError(name)
        return name
"""


def test_a_dry_run_says_what_the_resume_says_of_steps_that_took_a_partial_result(
    project: Project,
) -> None:
    project.job(PARTIAL, "partial")
    project.run("trigger", "partial", expect=1)
    planned = project.run("resume", "@last", "--dry-run")
    as_json = json.loads(project.run("resume", "@last", "--dry-run", "--json").out)["plan"]
    forked = project.run("fork", "@last", "--dry-run")
    decided = project.run("resume", "@last", "--redo", "m", "--dry-run")
    (project.root / "mended").touch()
    resumed = project.run("resume", "@last")
    (said,) = (line for line in resumed.err.splitlines() if "goes on with m[" in line)
    (warning,) = as_json["warnings"]
    assert said == f"warn: {warning}"
    assert warning.endswith("--redo publish executes such a step again")
    assert planned.err.splitlines().count(warning) == 1
    assert forked.err.splitlines().count(warning) == 1
    assert "goes on with m[" not in decided.err
    assert project.effects == ["published 1"]
    done = project.run("resume", "@last", "--dry-run")
    assert "goes on with m[" not in done.err
