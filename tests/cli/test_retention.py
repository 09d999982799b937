"""Old runs are removed by `tick`, as the settings say, and none that could be resumed."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from durably_cli.engines import removal
from durably_cli.engines.local import retention
from durably_cli.engines.local.removal import LocalRemoval
from durably_cli.engines.local.store import Store
from durably_cli.engines.old import Old
from tests.conftest import Project
from tests.harness.killing import killed_everywhere
from tests.harness.quick import some_or_all

JOBS = """
class Input(BaseModel):
    fails: bool = False

@define_job
def good(step: Step, payload: Input) -> None:
    effect("good")
    step.run("large", lambda: "x" * 1_100_000)

@define_job
def other(step: Step) -> None: ...

@define_job
def bad(step: Step) -> None:
    if not os.path.exists("mended"):
        raise ValueError("not yet")

@define_job
def dies(step: Step) -> None:
    if not os.path.exists("mended"):
        os.kill(os.getpid(), 9)

@define_job
def naps(step: Step) -> None:
    step.sleep("nap", 3600)

@define_job
def charge(step: Step) -> None:
    step.run("card", os.kill, os.getpid(), 9, in_doubt="stop")

@define_job
def parent(step: Step, payload: Input) -> None:
    step.run_job("child", middle, None)
    if payload.fails:
        raise ValueError("behind its child")

@define_job
def middle(step: Step) -> None:
    step.run_job("grandchild", other, None)
"""


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOBS)
    return project


def set_to(project: Project, *lines: str) -> None:
    text = "\n".join(("[tool.durably]", *lines, ""))
    (project.root / "pyproject.toml").write_text(text)


def jobs(project: Project) -> dict[str, int]:
    return dict(Counter(run["job"] for run in project.runs()))


def removed(project: Project) -> list[str]:
    document = json.loads(project.run("tick", "--json").out)
    found: list[str] = document["removed"]
    return found


def make(project: Project, job: str, *args: str, times: int = 1, expect: int = 0) -> list[str]:
    for _ in range(times):
        project.run("trigger", job, *args, "-q", expect=expect)
    return [run["id"] for run in project.runs()[:times]]


def test_what_is_older_goes_but_for_the_newest_of_each_job(worked: Project) -> None:
    good = make(worked, "good", times=4)
    make(worked, "other", times=2)
    set_to(worked, 'keep = "1ms"', "keep_last = 3")
    would = json.loads(worked.run("prune", "--dry-run", "--json").out)["would_delete"]
    assert would == good[3:]
    assert json.loads(worked.run("tick", "--dry-run", "--json").out)["removed"] == []
    assert removed(worked) == good[3:]
    assert jobs(worked) == {"good": 3, "other": 2}
    set_to(worked, 'keep = "1ms"')
    assert len(removed(worked)) == 5
    assert jobs(worked) == {}


def test_what_is_young_stays(worked: Project) -> None:
    make(worked, "good", times=3)
    set_to(worked, 'keep = "1h"')
    assert removed(worked) == []
    set_to(worked, 'keep = "1h"', "keep_last = 1")
    assert removed(worked) == []
    set_to(worked, "keep_last = 2")
    assert len(removed(worked)) == 1
    assert jobs(worked) == {"good": 2}


def test_where_no_run_was_made_no_store_is(worked: Project) -> None:
    set_to(worked, "keep_last = 1", 'notify_failure = "true"')
    assert removed(worked) == []
    assert not list(worked.data.glob("project-*"))


def test_at_most_once_an_hour_unless_the_settings_change(worked: Project) -> None:
    set_to(worked, 'keep = "1ms"')
    make(worked, "good")
    assert len(removed(worked)) == 1
    make(worked, "good")
    assert removed(worked) == []
    (done,) = worked.cache.glob("*.retention")
    known: dict[str, Any] = json.loads(done.read_text())
    for at in ("2020-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z"):
        done.write_text(json.dumps(known | {"at": at}))
        assert len(removed(worked)) == 1
        make(worked, "good")
    set_to(worked, 'keep = "2ms"')
    assert len(removed(worked)) == 1
    for content in ("", "[]", '{"at": 3}', '{"at": "x", "asked": null}'):
        done.write_text(content)
        make(worked, "good")
        assert len(removed(worked)) == 1


def test_to_find_the_old_ones_takes_no_time_from_removing_them(
    worked: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(worked, "other", times=3)
    (root,) = worked.data.glob("project-*")
    monkeypatch.setenv("DURABLY_CACHE_DIR", str(worked.cache))
    now = 0.0

    def found_in_a_minute(self: LocalRemoval, old: Old) -> list[str]:
        nonlocal now
        now += 60
        return found(self, old)

    found = LocalRemoval.old_runs
    monkeypatch.setattr(LocalRemoval, "old_runs", found_in_a_minute)
    monkeypatch.setattr(removal, "time", SimpleNamespace(monotonic=lambda: now))
    assert len(retention.retain(Store(root), 0.001, 0)) == 3


def test_none_goes_that_could_be_resumed(worked: Project) -> None:
    make(worked, "bad", expect=1)
    make(worked, "charge", expect=-signal.SIGKILL)
    make(worked, "dies", expect=-signal.SIGKILL)
    make(worked, "naps", "--suspend", expect=75)
    with worked.start("trigger", "dies", "-q") as process:
        process.result()
    set_to(worked, 'keep = "1ms"')
    worked.run("tick", "-q", expect=None)
    assert worked.run("prune", "--dry-run").out == ""
    assert removed(worked) == []
    assert jobs(worked) == {"bad": 1, "charge": 1, "dies": 2, "naps": 1}


def test_a_key_stays_taken(worked: Project) -> None:
    key = ("--idempotency-key", "v1")
    make(worked, "good", *key)
    set_to(worked, 'keep = "1ms"')
    assert len(removed(worked)) == 1
    result = worked.run("trigger", "good", *key, expect=4)
    assert "its work is not done again" in result.err
    assert worked.effects == ["good"]


def test_a_child_goes_with_its_parent(worked: Project) -> None:
    make(worked, "parent", "--fails", expect=1)
    make(worked, "parent")
    set_to(worked, 'keep = "1ms"')
    gone = removed(worked)
    left = {run["id"]: run for run in worked.runs()}
    assert jobs(worked) == {"parent": 1, "middle": 1, "other": 1}
    assert len(gone) == 3
    assert {run["parent"] for run in left.values() if run["parent"]} < set(left)
    worked.run("resume", "@last/parent", "-q", expect=1)
    assert jobs(worked) == {"parent": 1, "middle": 1, "other": 1}
    document = worked.run("prune", "--older-than", "0s", "--status", "failed", "--yes", "--json")
    assert json.loads(document.out)["deleted"] == [next(i for i in left if not left[i]["parent"])]
    document = worked.run("prune", "--older-than", "0s", "--yes", "--json")
    assert len(json.loads(document.out)["deleted"]) == 2
    assert jobs(worked) == {}


def test_what_goes_is_newest_first_and_behind_each_its_children(worked: Project) -> None:
    for _ in range(2):
        make(worked, "parent")
        make(worked, "other")
    made = {run["id"]: run for run in worked.runs()}
    for command in ("--dry-run", "--yes"):
        gone = worked.run("prune", "--older-than", "0s", command).out.split()
        family = ["other", "parent", "middle", "other"]
        assert [made[run_id]["job"] for run_id in gone] == [*family, *family]
        heads = [run_id for run_id in gone if not made[run_id]["parent"]]
        assert heads == sorted(heads, reverse=True)
        for above, run_id in pairwise(gone):
            assert made[run_id]["parent"] in ("", None, above)


def test_a_fork_outlives_what_it_was_made_of(worked: Project) -> None:
    make(worked, "bad", expect=1)
    (worked.root / "mended").touch()
    worked.run("resume", "@last", "-q")
    worked.run("fork", "@last", "-q")
    set_to(worked, "keep_last = 1")
    assert len(removed(worked)) == 1
    worked.run("resume", "@last", "-q")
    worked.run("verify")


def test_without_settings_prune_says_what_it_needs(worked: Project) -> None:
    make(worked, "good")
    result = worked.run("prune", expect=2)
    assert (
        "--older-than is missing, and [tool.durably] has neither keep nor keep_last" in result.err
    )
    set_to(worked, "keep_last = 5")
    assert worked.run("prune", "--dry-run").out == ""
    assert len(worked.run("prune", "--keep-last", "0", "--yes").out.split()) == 1


@some_or_all(every=3)
def test_killed_anywhere_the_next_goes_on(worked: Project, every: int) -> None:
    def fresh() -> tuple[str, ...]:
        (worked.root / "pyproject.toml").unlink(missing_ok=True)
        for path in worked.cache.glob("*.retention"):
            path.unlink()
        make(worked, "good", "--idempotency-key", os.urandom(4).hex())
        make(worked, "bad", expect=1)
        set_to(worked, 'keep = "1ms"')
        return ("tick", "-q")

    def check(number: int) -> None:
        worked.run("tick", "-q")
        assert set(jobs(worked)) == {"bad"}, f"killed at call {number}"
        assert "unfinished" not in worked.run("verify").out
        assert not list(Path(worked.data).glob("project-*/runs/*/*.blobs"))

    assert killed_everywhere(worked, fresh, check, every) > 3
