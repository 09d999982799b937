"""`durably verify`, `repair`, `delete` and `prune`: what they do and refuse, killed anywhere."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Project, disk_ends_at
from tests.engines.local.test_follow import read_until
from tests.harness.killing import killed_everywhere, stopped_everywhere
from tests.harness.quick import some_or_all

JOB = """
    @define_job
    def work(step: Step, payload: dict) -> list[str]:
        done = [step.run(f"step-{n}", effect, f"did {n}") for n in range(3)]
        if payload.get("fail") and not os.path.exists("mended"):
            raise RuntimeError("not yet")
        return done

    @define_job
    def slow(step: Step, payload: dict) -> None:
        effect("begun")
        step.run("nap", time.sleep, 60)
"""


@pytest.fixture
def work(project: Project) -> Project:
    project.job(JOB, "work")
    return project


def damage(journal: Path, line: int = 5) -> bytes:
    """Change a byte in this line; the bytes as they are then."""
    lines = journal.read_bytes().splitlines(keepends=True)
    changed = lines[line - 1].replace(b"step-1", b"step-7")
    assert changed != lines[line - 1]
    journal.write_bytes(b"".join([*lines[: line - 1], changed, *lines[line:]]))
    return journal.read_bytes()


def findings(project: Project, *args: str, expect: int = 0) -> list[dict[str, str]]:
    found = json.loads(project.run("verify", "--json", *args, expect=expect).out)["findings"]
    assert isinstance(found, list)
    return found


def states(project: Project, expect: int = 0) -> list[tuple[str, str]]:
    return [(each["kind"], each["state"]) for each in findings(project, expect=expect)]


def test_a_healthy_store_is_all_ok(work: Project) -> None:
    assert work.run("verify").out == ""
    work.run("trigger", "work", "--idempotency-key", "k", "--concurrency-key", "c")
    assert states(work) == [("journal", "ok"), ("key", "ok"), ("lock", "ok"), ("lock", "ok")]
    lines = [line.split("\t") for line in work.run("verify", "--all").out.splitlines()]
    assert lines[0][2:] == ["ok", "completed, 3 steps"]
    assert len(work.run("verify", "@last").out.splitlines()) == 1
    work.run("verify", "@last", "--all", expect=2)
    work.run("verify", "ffffffff", expect=4)


def test_a_damaged_journal_is_said_with_what_is_intact_of_it(work: Project) -> None:
    work.run("trigger", "work")
    journal = work.journal()
    damage(journal, line=6)
    byte = sum(map(len, journal.read_bytes().splitlines(keepends=True)[:5]))
    (found,) = findings(work, expect=74)
    assert found["state"] == "damaged"
    assert found["detail"] == (
        f"step 1 is intact; line 6 is damaged at byte {byte:,}: its checksum does not match"
    )
    assert f"durably inspect {journal.stem[-8:]}\n" in work.run("verify", expect=74).err


def test_damaged_keys_leftovers_and_foreign_files_are_told(work: Project) -> None:
    work.run("trigger", "work", "--idempotency-key", "k")
    store = work.journal().parent.parent.parent
    (claim,) = (store / "keys").iterdir()
    whole = claim.read_bytes()
    claim.write_bytes(whole[:-9])
    assert ("key", "damaged") in states(work, expect=74)
    claim.unlink()
    assert ("key", "damaged") in states(work, expect=74), "the work could be done twice"
    claim.write_bytes(whole)
    work.journal().rename(store / "away")
    assert states(work) == [("key", "unfinished"), ("foreign", "foreign")]
    (store / "tmp" / "x.tmp").touch()
    (store / "runs" / "notes").touch()
    os.mkfifo(store / "keys" / ("f" * 64))
    assert sorted(states(work, expect=74)) == [
        *(("foreign", "foreign"), ("foreign", "foreign")),
        *(("key", "unfinished"), ("key", "unreadable"), ("leftover", "leftover")),
    ]


def test_what_is_not_of_durably_is_told_and_left_alone(work: Project) -> None:
    work.run("trigger", "work")
    journal = work.journal()
    other = journal.with_name(journal.name.replace(journal.stem[-4:], "ffff"))
    foreign = [journal.with_suffix(".txt"), journal.with_name(f"{journal.name}.bak")]
    foreign += [other.with_suffix(".blobs") / "precious.txt", journal.with_suffix(".notes") / "n"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert len([each for each in states(work) if each == ("foreign", "foreign")]) == 4
    work.run("delete", "@last")
    work.run("prune", "--older-than", "0s", "--yes")
    assert not journal.exists()
    assert all(path.read_text() == "mine" for path in foreign)


def test_a_damaged_claim_is_no_dead_end(work: Project) -> None:
    for key in ("a", "b"):
        work.run("trigger", "work", "--idempotency-key", key)
    for claim in (work.journal().parents[2] / "keys").iterdir():
        claim.write_bytes(claim.read_bytes()[:-9])
    refused = work.run("trigger", "work", "--idempotency-key", "a", expect=74)
    assert "durably help care" in refused.err
    work.run("delete", "key:work/a", "--free-keys")
    work.run("trigger", "work", "--idempotency-key", "a")
    _, of_b, _ = work.runs()
    work.run("delete", of_b["id"])
    assert "was deleted" in work.run("trigger", "work", "--idempotency-key", "b", expect=4).err
    assert set(states(work)) == {("journal", "ok"), ("key", "ok")}


def test_a_run_whose_journal_is_gone_and_left_traces_is_not_done_again(work: Project) -> None:
    work.run("trigger", "work", "--idempotency-key", "k")
    damage(work.journal(), line=6)
    work.run("repair", "@last", "--yes")
    work.journal().unlink()
    refused = work.run("trigger", "work", "--idempotency-key", "k", expect=74)
    assert "its work may have been done" in refused.err
    work.run("prune", "--older-than", "0s", "-y")
    assert states(work, expect=74) == [("key", "damaged")]
    work.run("trigger", "work", "--idempotency-key", "k", expect=74)
    work.run("delete", "key:work/k", "--free-keys")
    work.run("trigger", "work", "--idempotency-key", "k")


def test_a_repair_keeps_what_is_intact_and_the_original_and_says_so(work: Project) -> None:
    work.run("trigger", "work", "-p", "fail:=true", expect=1)
    journal = work.journal()
    broken = damage(journal)
    asked = work.run("repair", "@last", expect=2)
    assert "nobody can be asked here" in asked.err
    assert "kept would be 4 lines, with 1 step completed" in asked.err
    assert journal.read_bytes() == broken
    result = work.run("repair", "@last", "--yes")
    (kept,) = journal.parent.glob("*.damaged-1")
    assert str(kept) in result.err
    assert kept.read_bytes() == broken
    run = work.inspect()
    assert (run["status"], run["steps"]) == ("interrupted", 1)
    assert run["attempts"][0]["outcome"] == "cut off by a repair"
    assert run["repaired"][0]["line"] == 5
    assert run["repaired"][0]["kept"] == kept.name
    assert [each["state"] for each in findings(work)] == ["ok", "ok"]
    (work.root / "mended").touch()
    assert json.loads(work.run("resume", "@last").out) == ["did 0", "did 1", "did 2"]
    assert work.effects.count("did 0") == 1
    assert "is not damaged" in work.run("repair", "@last").err


def test_a_person_at_a_terminal_is_asked(work: Project) -> None:
    import pty

    work.run("trigger", "work")
    journal = work.journal()
    broken = damage(journal)
    for answer, expected in ("n", broken), ("y", None):
        master, terminal = pty.openpty()
        with work.start("repair", "@last", stdin=terminal, stdout=terminal, stderr=terminal) as run:
            read_until(master, "[y/N]")
            os.write(master, f"{answer}\n".encode())
            assert run.wait(30) == 0
        assert (journal.read_bytes() == broken) is (expected is not None)
        os.close(master)
        os.close(terminal)


def test_a_repair_on_a_full_disk_changes_nothing(work: Project) -> None:
    work.run("trigger", "work")
    journal = work.journal()
    broken = damage(journal)
    for _ in range(2):
        done = work.run("repair", "@last", "--yes", expect=74, **disk_ends_at(300))
        assert f"{journal}: File too large" in done.err
        assert journal.read_bytes() == broken
    assert not list(work.data.rglob("*.tmp"))
    work.run("repair", "@last", "--yes")
    assert len(list(journal.parent.iterdir())) == 2, "the journal, and its original once"


def test_where_the_first_line_is_damaged_nothing_can_be_kept(work: Project) -> None:
    work.run("trigger", "work", "--idempotency-key", "k")
    journal = work.journal()
    journal.write_bytes(b"x" + journal.read_bytes())
    refused = work.run("repair", journal.stem, "-y", expect=74)
    assert "put an intact copy of it back" in refused.err
    assert "durably help care" in refused.err
    work.run("delete", journal.stem, expect=2)
    work.run("delete", journal.stem, "--status", "damaged")
    assert work.runs() == []
    work.run("trigger", "work", "--idempotency-key", "k", expect=4)


def test_a_deleted_run_is_gone_and_its_work_is_never_done_again(work: Project) -> None:
    args = ("trigger", "work", "--idempotency-key", "k")
    work.run(*args)
    run = work.runs()[0]["id"]
    result = work.run("delete", "@last")
    assert result.out == f"{run}\n"
    assert "deleted 1 run" in result.err
    assert work.runs() == []
    again = work.run(*args, expect=4)
    assert "was deleted at" in again.err
    assert "durably help care" in again.err
    assert len(work.effects) == 3
    assert "was deleted" in work.run("inspect", "key:work/k", expect=4).err
    work.run("delete", "key:work/k", expect=4)
    assert "is free" in work.run("delete", "key:work/k", "--free-keys").err
    work.run(*args)
    assert len(work.effects) == 6
    work.run("delete", "@last", "--free-keys")
    work.run(*args)
    assert len(work.effects) == 9


def test_what_could_be_resumed_is_deleted_only_if_its_status_is_named(work: Project) -> None:
    work.run("trigger", "work", "-p", "fail:=true", expect=1)
    result = work.run("delete", "@last", expect=2)
    assert "is failed, and only those that are completed or cancelled were to go" in result.err
    assert "durably inspect" in result.err
    assert len(work.runs()) == 1
    work.run("delete", "@last", "--status", "failed")
    assert work.runs() == []
    work.run("delete", "@last", expect=4)
    work.run("delete", expect=2)


@pytest.mark.long
def test_a_held_run_is_never_removed_nor_repaired(work: Project) -> None:
    with work.start("trigger", "slow") as process:
        work.wait_for_effects()
        assert "held" in work.run("delete", "@last", "--status", "running", expect=75).err
        pruned = work.run("prune", "--older-than", "0s", "--status", "running", "-y")
        assert "no run of that age and status is there" in pruned.err
        assert "held" in work.run("repair", "@last", "--yes", expect=75).err
        os.kill(process.pid, signal.SIGKILL)
    assert work.runs()[0]["status"] == "interrupted"


def test_nothing_is_deleted_if_one_of_those_meant_does_not_exist(work: Project) -> None:
    work.run("trigger", "work")
    work.run("delete", "@last", "ffffffff", expect=4)
    assert len(work.runs()) == 1


def test_prune_removes_what_is_old_and_final_and_keeps_the_newest_of_each_job(
    work: Project,
) -> None:
    for _ in range(3):
        work.run("trigger", "work")
    work.run("trigger", "work", "-p", "fail:=true", expect=1)
    runs = [run["id"] for run in work.runs()]
    assert (
        "no run of that age and status is there"
        in work.run("prune", "--older-than", "1h", "-y").err
    )
    dry = work.run("prune", "--older-than", "0s", "--keep-last", "2", "--dry-run")
    assert dry.out.splitlines() == runs[2:]
    work.run("prune", "--older-than", "0s", expect=2)
    assert len(work.runs()) == 4
    gone = work.run("prune", "--older-than", "0s", "--keep-last", "2", "-y")
    assert gone.out.splitlines() == runs[2:]
    assert [run["id"] for run in work.runs()] == runs[:2]
    work.run("prune", "--older-than", "0s", "--status", "failed", "-y")
    assert [run["id"] for run in work.runs()] == runs[1:2]
    work.run("prune", "--older-than", "soon", expect=2)


def test_a_trigger_that_waits_for_a_run_that_is_deleted_runs_nothing(work: Project) -> None:
    with work.start("trigger", "slow", "--idempotency-key", "k") as owner:
        work.wait_for_effects()
        with work.start("trigger", "slow", "--idempotency-key", "k") as waiter:
            assert waiter.stderr is not None
            assert "waiting for run" in waiter.stderr.readline()
            os.kill(waiter.pid, signal.SIGSTOP)
            os.kill(owner.pid, signal.SIGKILL)
            owner.wait()
            run = work.runs()[0]["id"]
            path = work.journal(run)
            os.unlink(path)  # as a deletion does, once it has the lock
            claim = next((path.parent.parent.parent / "keys").iterdir())
            claim.write_text(
                claim.read_text().replace("}", ',"deleted":"2026-11-24T10:00:00.000Z"}')
            )
            os.kill(waiter.pid, signal.SIGCONT)
            _, err = waiter.communicate(timeout=30)
    assert waiter.returncode == 4
    assert "was deleted at" in err
    assert work.effects == ["begun"]


@some_or_all(3)
@pytest.mark.parametrize("command", ["delete", "prune"])
def test_a_delete_that_is_killed_anywhere_is_finished_by_the_next_and_lets_no_work_be_done_twice(
    work: Project, command: str, every: int
) -> None:
    runs: list[str] = []

    def args() -> tuple[str, ...]:
        work.run("trigger", "work", "--idempotency-key", f"k{len(runs)}")
        runs.append(work.runs()[0]["id"])
        journal = work.journal(runs[-1])
        (journal.parent / f"{journal.stem}.torn-1").write_bytes(b"kept")
        prune = ("prune", "--older-than", "0s", "--yes")
        return prune if command == "prune" else ("delete", runs[-1])

    def check(number: int) -> None:
        key, before = f"k{len(runs) - 1}", len(work.effects)
        work.run("verify")
        work.run("trigger", "work", "--idempotency-key", key, expect=None)
        assert len(work.effects) == before, f"killed at {number}"
        work.run("delete", runs[-1], expect=None)
        work.run("prune", "--older-than", "0s", "-y")
        assert not [each for each in findings(work) if each["state"] == "unfinished"]
        assert not list(work.data.rglob(f"{runs[-1]}*")), f"killed at {number}"

    assert killed_everywhere(work, args, check, every) >= 8


@some_or_all(4)
@pytest.mark.parametrize("free_keys", [(), ("--free-keys",)])
def test_a_trigger_that_stands_still_while_its_work_is_done_and_deleted_does_none(
    work: Project, free_keys: tuple[str, ...], every: int
) -> None:
    keys: list[str] = []

    def args() -> tuple[str, ...]:
        keys.append(f"k{len(keys)}")
        work.effects_path.unlink(missing_ok=True)
        return ("trigger", "work", "--idempotency-key", keys[-1])

    def meanwhile() -> None:
        work.run("trigger", "work", "--idempotency-key", keys[-1], "--no-wait")
        if work.effects:
            work.run("delete", f"key:work/{keys[-1]}", *free_keys, expect=None)

    def check(number: int) -> None:
        done = len(work.effects)  # twice only by who claimed a freed key anew
        assert done == 3 or (free_keys and done == 6), f"stopped at {number}"
        work.run("verify")  # whoever did it has the key

    assert stopped_everywhere(work, args, meanwhile, check, every) >= 20


@pytest.mark.long
def test_a_run_is_listed_or_gone_while_it_is_deleted(work: Project) -> None:
    def args() -> tuple[str, ...]:
        work.run("trigger", "work")
        return ("prune", "--older-than", "0s", "--yes")

    def meanwhile() -> None:
        assert [run["status"] for run in work.runs()] in ([], ["completed"], ["running"])
        work.run("verify")

    stops = stopped_everywhere(work, args, meanwhile, lambda _: None)
    assert not work.runs()
    assert stops >= 3


@some_or_all(2)
def test_a_resume_that_stands_still_while_its_run_is_deleted_executes_nothing(
    work: Project, every: int
) -> None:
    runs: list[str] = []
    deleted: list[str] = []

    def args() -> tuple[str, ...]:
        Path(work.root / "mended").unlink(missing_ok=True)
        work.run("trigger", "work", "-p", "fail:=true", expect=1)
        runs.append(work.runs()[0]["id"])
        Path(work.root / "mended").touch()
        return ("resume", runs[-1])

    def meanwhile() -> None:
        if work.run("delete", runs[-1], "--status", "failed", expect=None).code == 0:
            deleted.append(runs[-1])

    def check(number: int) -> None:
        gone = not list(work.data.rglob(f"{runs[-1]}*"))
        assert gone == (runs[-1] in deleted), f"stopped at {number}"
        assert gone or work.inspect(runs[-1])["status"] == "completed"

    assert stopped_everywhere(work, args, meanwhile, check, every) >= 8


@some_or_all(2)
def test_a_repair_that_is_killed_anywhere_loses_nothing(work: Project, every: int) -> None:
    journals: list[tuple[Path, bytes]] = []

    def args() -> tuple[str, ...]:
        work.run("trigger", "work", "-p", "fail:=true", expect=1)
        journal = work.journal()
        journals.append((journal, damage(journal)))
        return ("repair", journal.stem, "--yes")

    def check(number: int) -> None:
        journal, broken = journals[-1]
        copies = [path.read_bytes() for path in journal.parent.glob(f"{journal.stem}*")]
        assert broken in copies, f"killed at {number}"
        work.run("repair", journal.stem, "--yes")
        run = work.inspect(journal.stem)
        assert run["steps"] == 1
        assert run["repaired"][0]["line"] == 5

    assert killed_everywhere(work, args, check, every) >= 8
