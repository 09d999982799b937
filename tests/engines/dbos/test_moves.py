"""A project's runs on the way between its engines: what is taken along, and what is found where."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.harness.workers import WorkedProject

pytestmark = [pytest.mark.engine, pytest.mark.campaign]

HALF = """
    def other():
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        return effect("other")

    @define_job
    def work(step: Step, *, text: str = "") -> list[str]:
        step.log.info("begins " + text[:10])
        large = step.run("large", lambda: effect("large") * 20_000)
        step.log.info("x" * 70_000)
        answer = step.wait_signal("answer", int) if text == "asks" else 0
        step.run("one", effect, "one")
        last = step.run("other", other)
        return [last, large[-5:], str(answer), "y" * 70_000]
"""


def local(project: WorkedProject) -> WorkedProject:
    """The same project by its other engine."""
    found = WorkedProject.__new__(WorkedProject)
    found.__dict__.update(project.__dict__)
    found.env = {**project.env, "DURABLY_ENGINE": "local"}
    return found


def half_done(worked: WorkedProject, *words: str) -> str:
    """A run that has failed in its last step."""
    worked.job(HALF)
    worked.work()
    worked.run("trigger", "work", *words, expect=1)
    return str(worked.runs()[0]["id"])


@pytest.mark.parametrize("text", ["short", "x" * 100_000])
def test_a_run_goes_on_as_a_local_one_and_does_nothing_twice(
    worked: WorkedProject, tmp_path: Path, text: str
) -> None:
    run = half_done(worked, "-i", json.dumps({"text": text}), "--idempotency-key", "today")
    bundle = str(tmp_path / "run.tar.gz")
    exported = json.loads(worked.run("export", run, "-o", bundle, "--json").out)["exported"]
    assert (exported["run"], exported["has_source"], exported["damage"]) == (run, True, None)
    here = local(worked)
    here.run("import", bundle, "--adopt")
    assert here.inspect(run)["steps"] == worked.inspect(run)["steps"] == 2
    assert here.run("logs", run, "--json").out == worked.run("logs", run, "--json").out
    (worked.root / "mended").touch()
    output = json.loads(here.run("resume", run).out)
    assert output == ["other", "large", "0", "y" * 70_000]
    assert worked.effects == ["large", "one", "other"]
    assert [each["outcome"] for each in here.inspect(run)["attempts"]] == ["failed", "completed"]
    key = ("trigger", "work", "-i", json.dumps({"text": text}), "--idempotency-key", "today")
    assert json.loads(here.run(*key).out) == output, "its key stands for it"
    assert here.run("verify").code == 0
    assert worked.effects == ["large", "one", "other"]


def test_what_a_person_said_is_in_the_bundle(worked: WorkedProject, tmp_path: Path) -> None:
    worked.job(HALF)
    worked.work()
    run = worked.run("trigger", "work", "--text", "asks", "--detach").out.strip()
    worked.wait_for_effects(1)
    worked.run("signal", run, "answer", "-i", "7", "--early")
    worked.run("wait", run, expect=1)
    bundle = tmp_path / "run.tar.gz"
    assert "done twice" not in worked.run("export", run, "-o", str(bundle)).err
    here = local(worked)
    here.run("import", str(bundle), "--adopt")
    (worked.root / "mended").touch()
    assert json.loads(here.run("resume", run).out)[2] == "7"


def test_a_queued_run_is_exported_with_a_warning(worked: WorkedProject, tmp_path: Path) -> None:
    worked.job(HALF)
    run = worked.run("trigger", "work", "--detach").out.strip()
    said = worked.run("export", run, "-o", str(tmp_path / "run.tar.gz")).err
    assert "its work is done twice" in said and "durably wait" in said


def test_keys_of_this_machine_are_carried_and_nothing_is_done_twice(
    worked: WorkedProject,
) -> None:
    worked.job(HALF)
    (worked.root / "mended").touch()
    here = local(worked)
    for key in ("today", "gone"):
        here.run("trigger", "work", "--idempotency-key", key)
    run = here.runs()[1]["id"]
    here.run("delete", "key:work/gone")
    effects = worked.effects
    warned = worked.run("engine", "init").err
    assert "2 idempotency keys of the last day" in warned and "--carry-keys" in warned
    assert "2 idempotency keys of this machine" in worked.run("engine", "init", "--carry-keys").err
    said = worked.run("engine", "init", "--carry-keys").err
    assert "the database knows 2 already" in said
    assert "of the last day" not in worked.run("engine", "init").err
    worked.work()
    refused = worked.run("trigger", "work", "--idempotency-key", "today", expect=4).err
    assert f"was used for run {run[-8:]}, on " in refused and "not done again" in refused
    assert (
        "was deleted at" in worked.run("trigger", "work", "--idempotency-key", "gone", expect=4).err
    )
    assert worked.effects == effects and worked.runs() == []
    assert worked.inspect("key:work/today")["id"] == run, "it is found where it is"
    worked.run("delete", "key:work/today", "--free-keys", "--yes")
    worked.run("trigger", "work", "--idempotency-key", "today")
    assert worked.effects == effects + ["large", "one", "other"]


def test_a_key_whose_run_was_never_made_is_not_carried(worked: WorkedProject) -> None:
    worked.job(HALF)
    here = local(worked)
    (worked.root / "mended").touch()
    here.run("trigger", "work", "--idempotency-key", "today")
    here.journal().unlink()
    for folder in here.data.rglob("*.blobs"):
        shutil.rmtree(folder)
    assert "0 idempotency keys" in worked.run("engine", "init", "--carry-keys").err


def test_a_run_of_the_other_engine_is_shown_and_what_changes_it_is_said(
    worked: WorkedProject,
) -> None:
    worked.job(HALF)
    here = local(worked)
    here.run("trigger", "work", expect=1)
    (run,) = here.runs()
    assert worked.runs() == []
    assert worked.runs("--engine", "local")[0]["id"] == run["id"]
    shown = json.loads(worked.run("inspect", run["id"], "--json").out)
    assert shown["run"]["id"] == run["id"]
    assert any("DURABLY_ENGINE=local" in each for each in shown["next"]), shown["next"]
    assert "begins" in worked.run("logs", run["id"]).out
    assert worked.run("wait", run["id"], expect=1).err.count("not mended") >= 1
    worked.run("inspect", "@last", expect=4)
    refused = worked.run("resume", run["id"], expect=4).err
    (worked.root / "mended").touch()
    hint = refused.split("try: ")[1].splitlines()[0]
    assert "DURABLY_ENGINE=local durably resume" in hint
    pasted = subprocess.run(
        ["sh", "-c", hint], cwd=worked.root, env=worked.env, capture_output=True, text=True
    )
    assert pasted.returncode == 0, pasted
    assert worked.effects == ["large", "one", "other"]
    for words in ("cancel", "delete", "signal"):
        more = ("answer", "-i", "1") if words == "signal" else ()
        refused = worked.run(words, run["id"], *more, expect=4).err
        assert "DURABLY_ENGINE=local" in refused and "engine local" in refused


def test_a_run_of_the_database_is_found_once_the_project_is_local_again(
    worked: WorkedProject,
) -> None:
    run = half_done(worked)
    here = local(worked)
    assert here.runs() == []
    assert here.inspect(run)["status"] == "failed"
    refused = here.run("resume", run, expect=4).err
    assert "DURABLY_ENGINE=dbos durably resume" in refused
    here.env.pop("DURABLY_DATABASE_URL")
    here.run("inspect", run, expect=4)
