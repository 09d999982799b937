"""Damaged and torn journals under the real commands: refused or resumed, told, never changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.system import ids
from tests.conftest import Project
from tests.harness.places import looks
from tests.harness.sample_journals import COMPLETED, Sample, resealed
from tests.harness.strategies import lines_of

Count = Callable[[int], None]

JOB = """
    @define_job
    def work(step: Step, payload: dict) -> int:
        done = [step.run(name, effect, name) for name in ("one", "two", "three")]
        if payload.get("fail"):
            raise RuntimeError("not yet")
        return len(done)
"""
UNFINISHED = COMPLETED.events[:-1]


class Damage(NamedTuple):
    """The bytes of a damaged journal, and the line and the byte at which it must be refused."""

    data: bytes
    line: int
    byte: int


def flipped(run: str, line: int) -> list[bytes]:
    lines = unfinished_lines(run)
    data = bytearray(lines[line - 1])
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return [*lines[: line - 1], bytes(data), *lines[line:]]


def edited(run: str, line: int) -> list[bytes]:
    lines = unfinished_lines(run)
    return [*lines[: line - 1], lines[line - 1].replace(b'"at":"2', b'"at":"3', 1), *lines[line:]]


def lost(run: str, line: int) -> list[bytes]:
    lines = unfinished_lines(run)
    return lines[: line - 1] + lines[line:]


def misnumbered(run: str, line: int) -> list[bytes]:
    old, new = b'{"seq":%d,' % (line - 1), b'{"seq":%d,' % (line + 6)
    return resealed(unfinished_lines(run), line, lambda body: body.replace(old, new, 1), run)


KINDS: tuple[Callable[[str, int], list[bytes]], ...] = (flipped, edited, lost, misnumbered)
"""What else damages a journal is the reader's to see, which every command has: test_bytes."""


@pytest.fixture
def work(project: Project) -> Project:
    """A project with one healthy run of job `work`, which has failed."""
    project.job(JOB, "work")
    project.run("trigger", "work", "-p", "fail:=true", expect=1)
    return project


def store_of(project: Project) -> Store:
    (folder,) = project.data.iterdir()
    return Store(folder)


def put(store: Store, run: str, data: bytes) -> Path:
    """A journal of this run with these bytes."""
    path = store.path_of(run)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


def unfinished_lines(run: str) -> list[bytes]:
    """A run of job `work` that was left in the middle: its steps one and two are there."""
    return lines_of([UNFINISHED[0]._replace(run=run), *UNFINISHED[1:]], run)


def damage_some(store: Store) -> dict[str, Damage]:
    """A run of each kind of damage at each of some lines."""
    damaged = {}
    for kind in KINDS:
        for line in (1, random.randrange(2, len(UNFINISHED))):
            run = ids.new()
            data = b"".join(kind(run, line))
            place = sum(map(len, unfinished_lines(run)[: line - 1]))
            damaged[run] = Damage(data, line, place)
            put(store, run, data)
    return damaged


def test_damaged_runs_are_refused_by_every_command_with_their_place(
    work: Project, count: Count
) -> None:
    """No command takes one for a good run, hides another, or writes."""
    (healthy,) = work.runs()
    store, effects = store_of(work), work.effects
    damaged = damage_some(store)
    before = looks(work.data)
    listed = {run["id"]: run for run in work.runs()}
    assert listed.pop(healthy["id"]) == healthy
    assert listed.keys() == damaged.keys()
    verified = work.run("verify", "--json", expect=74)
    found = {each["name"]: each for each in json.loads(verified.out)["findings"]}
    assert found.pop(healthy["id"])["state"] == "ok"
    for run, damage in damaged.items():
        where = f"{store.path_of(run)} is damaged at line {damage.line}, byte {damage.byte}: "
        assert listed[run]["status"] == found[run]["state"] == "damaged"
        assert f"line {damage.line}, byte {damage.byte}: " in listed[run]["reason"]
        for command in ("inspect", "resume"):
            result = work.run(command, run, expect=74)
            assert where in result.err, result
            reason = result.err.partition(where)[2].partition("\n")[0]
            assert reason in listed[run]["reason"], result
            assert reason in found[run]["detail"], result
    assert looks(work.data) == before
    assert work.effects == effects, "a damaged run was executed"
    count(len(damaged))


def check_torn_tail_is_dropped_and_told(project: Project, cut: int) -> None:
    """Cut the unfinished run there, and resume it: nothing acknowledged is executed again."""
    run = ids.new()
    lines = unfinished_lines(run)
    sample = Sample("torn", UNFINISHED)
    store, before = store_of(project), project.effects
    path = put(store, run, b"".join(lines)[:cut])
    whole = sum(end - 1 <= cut for end in sample.ends)
    torn = max(0, cut - sample.ends[whole - 1])
    untouched = looks(project.data)
    assert project.inspect(run)["status"] in ("interrupted", "failed")
    told = project.run("verify", run).out
    assert (f"a crash left {torn} byte" in told) is (torn > 0), told
    assert looks(project.data) == untouched
    assert project.run("resume", run).out == "3\n"
    is_done = whole >= 4
    expected = ["two", "three"] if is_done else ["one", "two", "three"]
    assert project.effects[len(before) :] == expected
    started = [line for line in map(json.loads, path.open()) if line["type"] == "run.started"][-1]
    assert started.get("dropped", 0) == torn
    path.unlink()


def test_a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped(
    work: Project, count: Count
) -> None:
    sample = Sample("torn", UNFINISHED)
    cuts = random.sample(range(sample.ends[0], len(sample.data)), 2)
    cuts += [sample.ends[3] - 1]
    for cut in cuts:
        check_torn_tail_is_dropped_and_told(work, cut)
    count(len(cuts))


def test_a_run_of_a_newer_durably_is_listed_and_never_executed(work: Project, count: Count) -> None:
    store, effects = store_of(work), work.effects
    newer, strange = ids.new(), ids.new()
    newer_lines = [UNFINISHED[0]._replace(run=newer, format=2)]
    put(store, newer, b"".join(lines_of(newer_lines, newer)))
    lines = unfinished_lines(strange)
    dreamed = resealed(
        lines, len(lines), lambda body: body.replace(b"run.started", b"run.dreamed"), strange
    )
    put(store, strange, b"".join(dreamed))
    before = looks(work.data)
    statuses = {run["id"]: run["status"] for run in work.runs()}
    assert statuses[newer] == "unreadable"
    assert statuses[strange] in ("interrupted", "failed")
    for run in newer, strange:
        assert "upgrade durably" in work.run("resume", run, expect=74).err
    assert "run.dreamed" in work.run("inspect", strange, "--events").out
    assert looks(work.data) == before
    assert work.effects == effects
    count(2)
