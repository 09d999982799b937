"""`durably verify --cron`: what a job finds that cron starts; and runs that no tick takes up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import durably_cli
from durably_cli.engines.local.store import Store
from durably_cli.journal.events import RunCreated, RunStarted
from durably_cli.journal.wait_events import RunSuspended, StepWaiting
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness.crontabs import Stand

JOB = """
@define_job
def work(step: Step) -> str:
    return step.run("one", effect, "worked")
"""


@pytest.fixture
def stand(project: Project, tmp_path: Path) -> Iterator[Stand]:
    project.job(JOB)
    yield Stand(project, tmp_path)


def findings(project: Project, *args: str) -> dict[str, tuple[str, str]]:
    """Of each name the state and the detail: `verify` ends with 0 whatever it warns of."""
    found = json.loads(project.run("verify", *args, "--json").out)["findings"]
    return {each["name"]: (each["state"], each["detail"]) for each in found}


def test_the_jobs_are_imported_in_the_variables_of_cron(project: Project, stand: Stand) -> None:
    found = findings(project, "--cron")
    assert found["jobs"] == ("ok", "cron finds 1 job: work")
    assert found["PATH"][0] == "ok"
    project.env["TOKEN"] = "only here"
    project.job(JOB.replace("work", "needs") + "\nos.environ['TOKEN']\n", "needs")
    assert project.run("jobs").code == 0
    state, detail = findings(project, "--cron")["jobs/needs.py"]
    assert (state, "'TOKEN'" in detail) == ("warning", True), detail


def test_without_the_flag_no_job_is_imported(project: Project, stand: Stand) -> None:
    project.job("effect('imported')\n" + JOB)
    findings(project)
    assert project.effects == []
    findings(project, "--cron")
    assert project.effects == []  # the effects of cron's environment have no file
    project.run("verify", "--cron", "--all", expect=2)
    project.run("verify", "--cron", "@last", expect=2)


def test_a_relative_path_in_a_variable_is_warned_of(project: Project, stand: Stand) -> None:
    project.env["DURABLY_CACHE_DIR"] = "cache"
    state, detail = findings(project, "--cron")["DURABLY_CACHE_DIR"]
    assert (state, "is another folder for cron" in detail) == ("warning", True)
    project.env["DURABLY_DATA_DIR"] = "data"
    found = findings(project, "--cron")
    assert {found[name][0] for name in ("DURABLY_DATA_DIR", "store")} == {"warning"}


SECRETS = [
    "DURABLY_DATABASE_URL=postgresql://ann:s3cret@h/db",
    "DURABLY_DATABASE_URL=\"host=h password='s3cret'\"",
    "PGPASSWORD=s3cret",
    "API_TOKEN='a'\\''s3cret'",
    'KEY="a s3cret',
    "password=s3\\&cret",
]


def test_what_may_be_a_secret_is_shown_neither_of_a_variable_nor_of_a_line(
    project: Project, stand: Stand
) -> None:
    project.env["DURABLY_DATABASE_URL"] = "postgresql://ann:s3cret@localhost:1/runs"
    (project.root / "pyproject.toml").write_text('[tool.durably]\nengine = "dbos"\nname = "x"\n')
    lines = [f"0 3 * * * {each} durably -C {project.root} trigger work\n" for each in SECRETS]
    lines.append(f"@daily durably -C {project.root} && curl https://ann@hooks.example/x/s3cret\n")
    stand.crontab = "".join(lines).encode()
    said = project.run("verify", "--cron").out
    assert "s3cret" not in said and "cret " not in said
    assert said.count(f"-C {project.root}") == len(lines) - 1  # one has a quote that has no end
    assert "its URL is in DURABLY_DATABASE_URL" in said
    assert "\ttick\t" not in said and "\tstore\t" not in said  # which are of journals
    project.env["DURABLY_ENGINE"] = "local"
    said = project.run("verify", "--cron").out
    assert "s3cret" not in said and "\ttick\t" in said


def test_what_changes_is_shown_without_secrets(project: Project, stand: Stand) -> None:
    project.run("schedule", "work", "@daily", "--install", "--yes")
    stand.crontab = re.sub(rb" (\S+/bin/)", rb" PGPASSWORD=s3cret \1", stand.crontab, count=1)
    assert b"s3cret" in stand.crontab
    removed = project.run("schedule", "work", "--remove", "--yes", "--json")
    assert "PGPASSWORD=..." in removed.out and "s3cret" not in removed.out


def test_a_setting_that_does_not_fit_is_a_finding_as_well(project: Project, stand: Stand) -> None:
    (project.root / "pyproject.toml").write_text('[tool.durably]\nengine = "temporal"\n')
    assert findings(project, "--cron")["engine"][0] == "warning"


def test_who_owns_the_store_and_may_write_is_said(project: Project, stand: Stand) -> None:
    state, detail = findings(project, "--cron")["store"]
    assert (state, "may write in it" in detail) == ("ok", True)
    project.run("trigger", "work")
    project.data.chmod(0o777)
    state, detail = findings(project, "--cron")["store"]
    assert (state, str(project.data) in detail) == ("warning", True)


def test_the_lines_of_this_project_are_named(project: Project, stand: Stand) -> None:
    assert "no line of" in findings(project, "--cron")["crontab"][1]
    project.run("schedule", "work", "@daily", "--install", "--yes")
    line = stand.crontab.decode().removesuffix("\n")
    assert findings(project, "--cron")["crontab"] == ("ok", line)
    stand.crontab = stand.crontab.replace(b"\\%", b"%")
    state, detail = findings(project, "--cron")["crontab"]
    assert (state, detail.startswith("cron ends a command at % ")) == ("warning", True)
    project.run("schedule", "--tick", "--systemd", "--install", "--yes")
    assert any(name == "systemd" for name in findings(project, "--cron"))


def test_a_line_whose_program_is_gone_is_warned_of(project: Project, stand: Stand) -> None:
    project.run("schedule", "work", "@daily", "--install", "--yes")
    stand.crontab = re.sub(
        rb" /\S+/bin/", b" '/old place/.venv/bin/durably' /gone/bin/", stand.crontab
    )
    state, detail = findings(project, "--cron")["crontab"]
    said = "no /old place/.venv/bin/durably is there; crontab -e takes it out: "
    assert (state, detail.startswith(said)) == ("warning", True), detail


def test_the_lines_of_a_script_that_was_moved_are_warned_of_and_removed(
    project: Project, stand: Stand
) -> None:
    script = project.root.parent / "it's old.py"
    script.write_text(SCRIPT.split("# ///\n")[-1].format(library=""))
    project.run("-C", str(script), "trigger")
    project.run("-C", str(script), "schedule", "digest", "@daily", "--install", "--yes")
    project.run("-C", str(script), "schedule", "--tick", "--install", "--yes")
    said = f"no {script} is there; crontab -e takes it out: "
    assert said not in project.run("-C", str(script), "verify", "--cron").out
    script.rename(script.with_name("new.py"))
    assert project.run("-C", str(script), "verify", "--cron").out.count(said) == 2
    assert project.run("verify", "--cron").out.count(said) == 2  # of another project
    project.run("-C", str(script), "schedule", "digest", "--remove", "--yes")
    project.run("-C", str(script), "schedule", "--tick", "--remove", "--yes")
    assert stand.crontab == b""


def test_a_line_that_ticks_and_does_not_is_warned_of(project: Project, stand: Stand) -> None:
    project.run("trigger", "work")
    project.run("schedule", "--tick", "--install", "--yes")
    state, detail = findings(project, "--cron")["tick"]
    assert (state, detail.endswith("is to start one each minute: is cron running?")) == (
        "warning",
        True,
    )
    project.run("tick")
    assert findings(project, "--cron")["tick"][0] == "ok"


def test_the_lines_of_one_that_begins_with_its_name_or_path_are_not(
    project: Project, stand: Stand
) -> None:
    project.env["DURABLY_NAME"] = "billing"
    for others in (
        "echo # durably-billing-eu.work",
        "echo # durably-billing-eu-tick",
        f"durably -C {project.root}-eu tick",
        f"durably -C {project.root}.old tick",
        f"durably -C /backup{project.root} tick",
    ):
        stand.crontab = f"* * * * * {others}\n".encode()
        assert "no line of" in findings(project, "--cron")["crontab"][1], others
    for own in (
        "durably trigger # durably-billing.work",
        "durably tick # durably-billing-tick",
        f"durably -C {project.root} tick",
        f"durably -C '{project.root}' tick",
        f"cd {project.root}; durably tick",
        f"{project.root}/.venv/bin/durably tick",
        f"DURABLY_PROJECT={project.root} durably tick",
    ):
        stand.crontab = f"* * * * * {own}\n".encode()
        assert own in findings(project, "--cron")["crontab"][1], own


def suspended(store: Store, until: str) -> str:
    """A run that waits until then, and no process sits by it."""
    run_id, at = ids.new(), "2026-11-28T03:00:00.000Z"
    journal = store.create(RunCreated(1, run_id, "work", Json("{}"), at))
    assert journal is not None
    journal.append(RunStarted(1, 1, "host", at))
    journal.append(StepWaiting("nap", "sleep", at, until=until))
    journal.append(RunSuspended(at, until))
    journal.close()
    return run_id


def test_a_run_that_is_due_and_that_no_tick_takes_up_is_warned_of(
    project: Project, stand: Stand
) -> None:
    project.run("trigger", "work")
    store = Store(project.journal().parents[2])
    assert "tick" not in findings(project)
    assert findings(project, "--cron")["tick"] == ("ok", "there was none yet; no run waits for one")
    suspended(store, "2099-01-01T00:00:00.000Z")
    assert "tick" not in findings(project)
    late = suspended(store, "2026-01-01T00:00:00.000Z")
    state, detail = findings(project)["tick"]
    assert state == "warning"
    assert detail.startswith(
        f"run {late[-8:]} was to be taken up at 2026-01-01T00:00:00.000Z, and no tick did; "
        "there was none yet: "
    )
    assert detail.endswith("durably schedule --tick")
    project.run("tick", expect=None)
    assert "tick" not in findings(project)
    assert findings(project, "--cron")["tick"][1].startswith("the last was at 20")


def test_a_run_that_died_just_now_is_not_late_and_one_of_before_is(
    project: Project, stand: Stand
) -> None:
    project.job(JOB.replace('effect, "worked"', "lambda: effect('begun') and time.sleep(60)"))
    with project.start("trigger", "work") as started:
        project.wait_for_effects()
        started.kill()
    assert "tick" not in findings(project)
    hour_ago = time.time() - 3600
    os.utime(project.journal(), (hour_ago, hour_ago))
    assert findings(project)["tick"][0] == "warning"
    assert project.run("verify", "--cron").code == 0


def test_only_a_tick_that_acts_is_noted(project: Project, stand: Stand) -> None:
    project.run("trigger", "work")
    project.run("tick", "--dry-run")
    assert "there was none yet" in findings(project, "--cron")["tick"][1]
    project.run("tick")
    assert "the last was at" in findings(project, "--cron")["tick"][1]


SCRIPT = """#!/usr/bin/env -S uv run --script
# /// script
# dependencies = []
# ///
import sys
sys.path.insert(0, {library!r})
from durably import Step, define_job

@define_job
def digest(step: Step) -> int:
    return step.run("one", lambda: 1)

digest.main()
"""


def test_a_script_is_started_as_its_line_in_the_crontab_starts_it(
    project: Project, tmp_path: Path
) -> None:
    """By where uv is here, for cron has no uv on its PATH, which the first line of it needs."""
    made = tmp_path / "uv"
    made.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} "$@"\n')
    made.chmod(0o755)
    script = tmp_path / "digest.py"
    library = str(Path(durably_cli.__file__).parents[1])
    script.write_text(SCRIPT.format(library=library))
    script.chmod(0o755)
    env = project.env | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(
        (sys.executable, str(script), "verify", "--cron", "--json"),
        env=env,
        capture_output=True,
        text=True,
    )
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["jobs"]["detail"] == "cron finds 1 job: digest", done.stdout
