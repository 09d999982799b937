"""`durably resume`, and what stands in its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from durably_cli.journal import codec
from durably_cli.journal.events import FORMAT, RunCreated
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness.pasting import hint_of, paste

STUBBORN = """
    @define_job
    def stubborn(step: Step, payload: dict) -> list[str]:
        done = [step.run(f"step-{n}", effect, f"did {n}") for n in range(3)]
        if not os.path.exists("mended"):
            raise RuntimeError("not yet")
        return done
"""


@pytest.fixture
def stubborn(project: Project) -> Project:
    """A project with a run that has three steps done and failed."""
    project.job(STUBBORN, "stubborn")
    project.run("trigger", "stubborn", expect=1)
    return project


def mend(project: Project) -> None:
    (project.root / "mended").touch()


def test_it_replays_what_is_done_and_prints_the_output(stubborn: Project) -> None:
    mend(stubborn)
    result = stubborn.run("resume", "@last")
    assert json.loads(result.out) == ["did 0", "did 1", "did 2"]
    assert "0 steps run, 3 steps replayed, which saved" in result.err
    assert len(stubborn.effects) == 3
    assert [each["outcome"] for each in stubborn.inspect()["attempts"]] == ["failed", "completed"]


def test_a_completed_run_gives_its_output_again_and_is_not_touched(stubborn: Project) -> None:
    mend(stubborn)
    first = stubborn.run("resume", "@last").out
    journal = stubborn.journal()
    before = journal.read_bytes(), journal.stat().st_ino
    again = stubborn.run("resume", "@last")
    assert again.out == first
    assert "had completed before" in again.err
    assert (journal.read_bytes(), journal.stat().st_ino) == before


@pytest.mark.long
def test_a_held_run_is_busy_and_its_holder_is_named(project: Project) -> None:
    project.job(
        """
        @define_job
        def slow(step: Step, payload: dict) -> None:
            effect("begun")
            step.run("sleep", time.sleep, 60)
        """
    )
    with project.start("trigger", "slow") as owner:
        project.wait_for_effects()
        assert project.runs()[0]["status"] == "running"
        result = project.run("resume", "@last", expect=75)
        assert f"pid {owner.pid}" in result.err
        os.kill(owner.pid, signal.SIGSTOP)
        assert project.run("resume", "@last", expect=75).err == result.err
        os.kill(owner.pid, signal.SIGKILL)
    assert project.runs()[0]["status"] == "interrupted"
    assert project.inspect()["in_doubt"] == ["sleep"]


def test_an_orphaned_child_does_not_keep_a_dead_run_held(project: Project) -> None:
    project.job(
        """
        import subprocess

        @define_job
        def parent(step: Step, payload: dict) -> str:
            if step.attempt == 1:
                subprocess.Popen(["sleep", "30"])
                if os.fork() == 0:
                    time.sleep(30)
                    os._exit(0)
                effect("forked")
                os.kill(os.getpid(), 9)
            return "done"
        """
    )
    quiet = subprocess.DEVNULL  # a pipe would wait for the orphans
    project.run("trigger", "parent", expect=-9, stdout=quiet, stderr=quiet)
    assert project.run("resume", "@last").out == '"done"\n'


def test_part_of_an_id_is_enough_if_it_fits_one_run(stubborn: Project) -> None:
    run = stubborn.runs()[0]["id"]
    for meant in (
        run,
        run.upper(),
        run[:20],
        run[-8:],
        run[-4:],
        "@last",
        "@last/stubborn",
        "@failed",
    ):
        assert stubborn.inspect(meant)["id"] == run


def test_an_id_that_fits_several_runs_shows_them(stubborn: Project) -> None:
    stubborn.run("trigger", "stubborn", expect=1)
    runs = [run["id"] for run in stubborn.runs()]
    result = stubborn.run("resume", runs[0][:4], expect=2)
    assert all(run in result.err for run in runs)


@pytest.mark.parametrize(
    ("meant", "code"),
    [
        ("ffffffff", 4),
        ("abc", 2),
        ("../../etc/passwd", 2),
        ("@first", 2),
        ("@last/", 2),
        ("@last/nobody", 4),
        ("key:stubborn", 2),
        ("key:stubborn/none", 4),
        ("key:../x/../../y", 4),
        ("01a20bae-97e3-79c3-be7b-f5a07273e515", 4),
        ("", 2),
    ],
)
def test_a_run_that_does_not_exist_is_a_clear_error(
    stubborn: Project, meant: str, code: int
) -> None:
    for command in ("resume", "inspect"):
        result = stubborn.run(command, meant, expect=code)
        assert result.err.startswith("durably: ")
        assert "Traceback" not in result.err


def test_a_run_whose_job_was_renamed_says_so(stubborn: Project) -> None:
    path = stubborn.root / "jobs" / "stubborn.py"
    path.write_text(path.read_text().replace("def stubborn", "def headstrong"))
    result = stubborn.run("resume", "@last", expect=4)
    assert "is of the job stubborn, which this project no longer has" in result.err
    assert stubborn.runs()[0]["status"] == "failed"


def test_a_job_whose_file_changed_is_said_and_unused_steps_too(stubborn: Project) -> None:
    path = stubborn.root / "jobs" / "stubborn.py"
    path.write_text(path.read_text().replace("range(3)", "range(2)"))
    mend(stubborn)
    result = stubborn.run("resume", "@last")
    assert "the job's file has changed" in result.err
    assert "1 journalled step did not come up again" in result.err


def test_a_torn_tail_is_dropped_and_the_next_attempt_says_so(stubborn: Project) -> None:
    journal = stubborn.journal()
    with journal.open("ab") as file:
        file.write(b'{"seq":9,"type":"log.w')
    assert stubborn.inspect()["torn_bytes"] == 22
    assert stubborn.runs()[0]["status"] == "failed"
    mend(stubborn)
    result = stubborn.run("resume", "@last")
    assert "a crash left 22 bytes" in result.err
    assert stubborn.inspect()["attempts"][1]["dropped_bytes"] == 22


def test_a_damaged_line_is_refused_with_file_line_byte_and_reason(stubborn: Project) -> None:
    journal = stubborn.journal()
    lines = journal.read_bytes().splitlines(keepends=True)
    broken = b"".join([*lines[:3], lines[3].replace(b"did", b"dud"), *lines[4:]])
    journal.write_bytes(broken)
    byte = sum(map(len, lines[:3]))
    for command in ("resume", "inspect"):
        result = stubborn.run(command, journal.stem, expect=74)
        assert f"{journal} is damaged at line 4, byte {byte}: its checksum" in result.err
    assert journal.read_bytes() == broken
    (run,) = stubborn.runs("--status", "damaged", "--job", "stubborn")
    assert run["status"] == "damaged"
    assert "line 4" in run["reason"]


def test_what_is_intact_before_damage_is_shown(stubborn: Project) -> None:
    journal = stubborn.journal()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:4], b"\n", *lines[4:]]))
    assert stubborn.run("inspect", "@last", "--events", expect=74).out.encode() == b"".join(
        lines[:4]
    )
    assert "step\tstep-0\tcompleted" in stubborn.run("inspect", "@last", expect=74).out
    run = json.loads(stubborn.run("inspect", "@last", "--json", expect=74).out)["run"]
    assert run["status"] == "damaged"
    assert run["damage"]["line"] == 5
    assert [(step["name"], step["status"]) for step in run["checkpoints"]] == [
        ("step-0", "completed")
    ]
    assert stubborn.run("inspect", "@last", "--step", "step-0", expect=74).out == '"did 0"\n'
    journal.write_bytes(b"x" + journal.read_bytes())
    assert stubborn.runs()[0]["status"] == "damaged"
    assert stubborn.run("inspect", journal.stem, expect=74).out == ""


def test_a_newer_format_is_listed_and_not_resumed(stubborn: Project) -> None:
    journal = stubborn.journal()
    created = RunCreated(
        FORMAT + 1, journal.stem, "stubborn", Json("{}"), "2026-11-23T03:00:00.123Z"
    )
    journal.write_bytes(codec.encode(0, created, codec.seed(journal.stem))[0])
    assert stubborn.runs()[0]["status"] == "unreadable"
    assert "newer durably" in stubborn.runs()[0]["reason"]
    assert "newer durably" in stubborn.run("resume", journal.stem, expect=74).err


def test_an_unknown_event_is_shown_and_the_run_not_resumed(stubborn: Project) -> None:
    import zlib

    journal = stubborn.journal()
    data = journal.read_bytes()
    last = data.splitlines()[-1]
    body = b'{"seq":%d,"type":"step.slept","for":9,"at":"2026-11-23T03:00:00.123Z"' % data.count(
        b"\n"
    )
    crc = zlib.crc32(body, int(last[-10:-2], 16))
    journal.write_bytes(data + body + b',"crc":"%08x"}\n' % crc)
    assert stubborn.inspect()["unknown_events"] == ["step.slept"]
    assert "step.slept" in stubborn.run("inspect", "@last", "--events").out
    assert "step.slept" in stubborn.run("resume", "@last", expect=74).err


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_a_journal_that_is_no_regular_file_is_refused_and_hides_no_other(
    stubborn: Project, kind: str
) -> None:
    stubborn.run("trigger", "stubborn", expect=1)
    journal = stubborn.journal()
    moved = journal.with_suffix(".away")
    journal.rename(moved)
    if kind == "fifo":
        os.mkfifo(journal)
    elif kind == "link":
        journal.symlink_to(moved)
    else:
        journal.mkdir()
    assert "not a regular file" in stubborn.run("resume", journal.stem, expect=77).err
    assert [run["status"] for run in stubborn.runs()] == ["unreadable", "failed"]


def test_an_idempotent_trigger_of_a_failed_run_reports_it(project: Project) -> None:
    project.job(STUBBORN, "stubborn")
    args = ("trigger", "stubborn", "--idempotency-key", "today")
    project.run(*args, expect=1)
    again = project.run(*args, expect=1)
    assert "failed before" in again.err
    assert "durably resume" in again.err
    assert len(project.runs()) == 1
    conflict = project.run(*args, "-p", "other=1", expect=5)
    assert "used with another input" in conflict.err
    mend(project)
    done = project.run("resume", "key:stubborn/today")
    once_more = project.run(*args)
    assert once_more.out == done.out
    document = json.loads(project.run(*args, "--json").out)
    assert document["run"]["disposition"] == "idempotent"
    assert len(project.effects) == 3


def test_an_idempotency_key_takes_the_input_in_any_order_and_white_space(project: Project) -> None:
    project.job(STUBBORN, "stubborn")
    mend(project)
    args = ("trigger", "stubborn", "--idempotency-key", "k", "-i")
    project.run(*args, '{"a": 1, "b": 2}')
    project.run(*args, '{"b":2,"a":1}')
    project.run(*args, '{"a": 1.0, "b": 2}', expect=5)


def test_a_claim_without_its_run_is_completed_by_the_next_trigger(project: Project) -> None:
    project.job(STUBBORN, "stubborn")
    mend(project)
    args = ("trigger", "stubborn", "--idempotency-key", "k")
    project.run(*args)
    journal = project.journal()
    journal.unlink()
    project.run(*args)
    assert project.journal() == journal


def test_a_moved_project_is_told_so_and_its_runs_are_adopted(
    stubborn: Project, tmp_path: Path
) -> None:
    old = stubborn.root
    stubborn.root = tmp_path / "elsewhere" / "project"
    stubborn.root.parent.mkdir()
    old.rename(stubborn.root)
    for command in (("list",), ("trigger", "stubborn"), ("resume", "@last")):
        result = stubborn.run(*command, expect=78)
        assert f"durably import {old}" in result.err
        assert "rm " not in result.err
    stubborn.run("import", str(old))
    assert len(stubborn.runs()) == 1
    mend(stubborn)
    stubborn.run("resume", "@last")
    assert "no runs of" in stubborn.run("import", "/nowhere", expect=78).err


def test_no_project_is_a_clear_error(tmp_path: Path, project: Project) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    result = project.run("-C", str(empty / "missing"), "list", expect=78)
    assert "does not exist" in result.err
    project.run("-C", str(project.root), "list", cwd=empty)


def test_a_data_folder_that_others_can_write_is_refused(stubborn: Project) -> None:
    stubborn.data.chmod(0o777)
    for command in ("list", "trigger stubborn", "resume @last"):
        result = stubborn.run(*command.split(), expect=77)
        assert str(stubborn.data) in result.err
        assert "chmod go-w" in result.err


def test_a_data_folder_that_is_a_file_is_a_clear_error(stubborn: Project, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    env = stubborn.env | {"DURABLY_DATA_DIR": str(file)}
    assert "is not a folder" in stubborn.run("trigger", "stubborn", env=env, expect=77).err


@pytest.mark.parametrize(
    ("times", "change", "harm"),
    [
        (1, "journal.write_bytes(journal.read_bytes().replace(b'small', b'other'))", "checksum"),
        (20_000, "next(journal.with_suffix('.blobs').iterdir()).unlink()", "is lost"),
    ],
)
def test_what_was_harmed_while_a_resume_executed_is_not_told_as_completed(
    project: Project, times: int, change: str, harm: str
) -> None:
    project.job(
        f"""
        import pathlib

        @define_job
        def harmed(step: Step, payload: dict) -> str:
            step.run("result", lambda: "small" * payload["times"])
            if step.attempt == 1:
                raise RuntimeError
            (journal,) = pathlib.Path(os.environ["DURABLY_DATA_DIR"]).rglob("*.jsonl")
            step.run("harm", lambda: {change} and None)
            return "done"
        """
    )
    project.run("trigger", "harmed", "-p", f"times:={times}", expect=1)
    result = project.run("resume", "@last", expect=74)
    assert harm in result.err
    assert result.out == ""


FALLBACK = """
    class Declined(Exception):
        pass

    def charge() -> str:
        raise Declined("card 4111")

    @define_job
    def pay(step: Step, payload: dict) -> str:
        try:
            return step.run("card", charge)
        except Declined:
            step.run("invoice", effect, "invoice")
        if step.attempt == 1:
            os.kill(os.getpid(), 9)
        return "invoice"
"""


def test_a_failure_that_will_be_replayed_is_said_with_the_command_that_executes_it(
    project: Project,
) -> None:
    project.job(FALLBACK, "pay")
    project.run("trigger", "pay", expect=-9)
    assert project.inspect()["carried"] == ["card"]
    again = project.run("resume", "@last")
    assert again.out == '"invoice"\n'
    assert project.effects == ["invoice"]
    assert "1 failure that the job went on after will be replayed: card" in again.err
    assert "--redo card" in again.err
    assert ": 0 steps run, 1 step replayed" in again.err
    assert project.inspect()["carried"] == []
    assert project.runs()[0]["steps_failed"] == 1


def test_redo_executes_a_failed_step_and_says_who_asked_for_it(project: Project) -> None:
    path = project.job(FALLBACK, "pay")
    project.run("trigger", "pay", expect=-9)
    text = path.read_text()
    path.write_text(text.replace('raise Declined("card 4111")', 'return effect("card")'))
    done = project.run("resume", "@last", "--redo", "card")
    assert project.effects == ["invoice", "card"]
    assert "1 journalled step did not come up again: invoice" in done.err
    events = map(json.loads, project.run("inspect", "@last", "--events").out.splitlines())
    (discarded,) = (each for each in events if each["type"] == "step.discarded")
    assert (discarded["name"], bool(discarded["by"])) == ("card", True)


def test_only_what_is_there_is_redone(project: Project) -> None:
    project.job(FALLBACK, "pay")
    project.run("trigger", "pay", expect=-9)
    before = project.journal().read_bytes()
    refused = project.run("resume", "@last", "--redo", "cord", expect=4)
    assert "has begun no step 'cord'; did you mean card?" in refused.err
    assert project.journal().read_bytes() == before


def test_a_group_of_failures_names_each_step(project: Project) -> None:
    project.job(
        """
        @define_job
        def both(step: Step, payload: dict) -> None:
            errors = []
            for name in "ab":
                try:
                    step.run(name, lambda: 1 / 0)
                except ZeroDivisionError as error:
                    errors.append(error)
            raise ExceptionGroup("several", errors)
        """,
        "both",
    )
    assert "failed in steps a, b" in project.run("trigger", "both", expect=1).err
    assert project.inspect()["causes"] == ["a", "b"]
    assert project.runs()[0]["reason"] == "a, b: ExceptionGroup: several (2 sub-exceptions)"


def test_an_attempt_that_fails_by_what_it_replayed_is_followed_by_one_that_executes_it(
    project: Project,
) -> None:
    project.job(
        """
        def act(name: str) -> None:
            effect(name)
            if not os.path.exists("mended"):
                raise ValueError(name)

        @define_job
        def both(step: Step, payload: dict) -> None:
            errors = []
            for name in "ab":
                try:
                    step.run(name, act, name)
                except ValueError as error:
                    errors.append(error)
                    if name == "b" and step.attempt == 1:
                        os.kill(os.getpid(), 9)
            if errors:
                raise errors[0]
        """,
        "both",
    )
    project.run("trigger", "both", expect=-9)
    mend(project)
    done = project.run("resume", "@last")
    assert project.effects == ["a", "b", "b", "a"]
    assert "it failed by nothing but what was replayed" in done.err
    assert [each["outcome"] for each in project.inspect()["attempts"]] == [
        "no end recorded",
        "failed",
        "completed",
    ]


def test_a_step_whose_result_no_longer_fits_is_a_failure_of_the_run(project: Project) -> None:
    job = """
        @define_job
        def work(step: Step, payload: dict) -> None:
            step.run("one", lambda: 1, returns={type})
            step.run("two", int, "x")
    """
    project.job(job.format(type="int"))
    project.run("trigger", "work", expect=1)
    project.job(job.format(type="list[str]"))
    failed = project.run("resume", "@last", expect=1)
    assert "no longer fits the type" in failed.err


OF_TODAY = """
    class Owner(BaseModel):
        name: str

    class Order(BaseModel):
        owner: Owner = Owner(name="Ann")
        {field}

    @define_job
    def work(step: Step, payload: Order) -> str:
        return step.run("first", lambda: open(os.environ["EFFECTS"]).read()) + payload.org_id
"""


def test_a_field_that_the_model_requires_since_then_is_named_with_what_lets_the_run_go_on(
    project: Project,
) -> None:
    project.job(OF_TODAY.format(field=""))
    project.run("trigger", "work", expect=1)
    project.job(OF_TODAY.format(field="org_id: str"))
    refused = project.run("resume", "@last", expect=65)
    assert "  org_id: Field required\nthe run was made without org_id: what is" in refused.err
    assert "needs a default in the model" in refused.err
    project.job(OF_TODAY.format(field='org_id: str = "acme"'))
    project.effects_path.write_text("of ")
    assert paste(project, hint_of(refused), project.root).out == '"of acme"\n'
