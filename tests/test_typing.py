"""The types that users see: what mypy and pyright say of sample jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from durably_cli.cli.commands.init import JOB
from tests.conftest import Project
from tests.harness.quick import some_quick

SAMPLES = Path(__file__).parent / "typing_samples"
DEFAULTS = """
from hello import Greeting
from import_invoices import InvoicesInput
from nightly_backup import Backup
from sync_users import SyncUsersInput
from thumbnails import ThumbnailsInput

Greeting()
InvoicesInput()
Backup()
SyncUsersInput(org_id="org_123")
ThumbnailsInput()
"""
EXAMPLES = [*(Path(__file__).parents[1] / "jobs").glob("*.py")]
MARKER = re.compile(r"# error(?:\[(mypy|pyright)\])?: \S")
CHECKERS = ("mypy --strict", "pyright standard", "pyright strict")

Errors = dict[str, dict[int, list[str]]]


@pytest.fixture(scope="module", params=some_quick(CHECKERS, 1))
def checker(request: pytest.FixtureRequest) -> str:
    """A checker and how strict it is."""
    return str(request.param)


@pytest.fixture(scope="module")
def errors(checker: str, tmp_path_factory: pytest.TempPathFactory) -> Errors:
    """What the checker says of each sample, by line, away from the config files of this project."""
    folder = tmp_path_factory.mktemp("typing").resolve()
    for sample in (*SAMPLES.glob("*.py"), *EXAMPLES):
        shutil.copy(sample, folder)
    (folder / "hello.py").write_text(JOB)
    (folder / "defaults.py").write_text(DEFAULTS)
    tool, mode = checker.split()
    return mypy(folder) if tool == "mypy" else pyright(folder, mode)


def test_what_users_write_has_no_errors(errors: Errors) -> None:
    assert errors["accepted.py"] == {}


def test_the_examples_have_no_errors(errors: Errors) -> None:
    assert {example.name for example in EXAMPLES} >= {"sync_users.py", "thumbnails.py"}
    assert {example.name: errors[example.name] for example in EXAMPLES} == {
        example.name: {} for example in EXAMPLES
    }


def test_inputs_of_examples_and_of_a_new_project_have_defaults(errors: Errors) -> None:
    assert (errors["hello.py"], errors["defaults.py"]) == ({}, {})


def test_every_marked_line_is_an_error_and_no_other(checker: str, errors: Errors) -> None:
    lines = (SAMPLES / "rejected.py").read_text(encoding="utf-8").splitlines()
    found, expected = errors["rejected.py"], marked(lines, checker.split()[0])
    assert len(expected) > 50
    missed = {line: lines[line - 1] for line in expected - set(found)}
    unexpected = {line: said for line, said in found.items() if line not in expected}
    assert (missed, unexpected) == ({}, {})


def test_what_users_write_runs(project: Project) -> None:
    job = shutil.copy(SAMPLES / "accepted.py", project.root / "jobs")
    done = subprocess.run(
        (sys.executable, job),
        cwd=project.root,  # it writes files
        env=project.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("sync-users only-input only-the-output\n")


def marked(lines: list[str], tool: str) -> set[int]:
    """The numbers of the lines that this tool must call errors."""
    markers = ((number, MARKER.search(line)) for number, line in enumerate(lines, 1))
    return {number for number, marker in markers if marker and marker[1] in (None, tool)}


def mypy(folder: Path) -> Errors:
    """What `mypy --strict` says of the files in a folder."""
    options = ("--strict", "--no-incremental", "--config-file=", "--output=json")
    names = sorted(path.name for path in folder.glob("*.py"))
    out = check(folder, "mypy", *options, *names)
    errors: Errors = {name: {} for name in names}
    for said in map(json.loads, out.splitlines()):
        if said["severity"] == "error":
            errors[Path(said["file"]).name].setdefault(said["line"], []).append(said["message"])
    return errors


def pyright(folder: Path, mode: str) -> Errors:
    """What pyright says of the files in a folder."""
    names = sorted(path.name for path in folder.glob("*.py"))
    config = folder / "pyrightconfig.json"
    config.write_text(json.dumps({"include": names, "typeCheckingMode": mode}))
    options = ("--outputjson", "--project", str(config), "--pythonpath", sys.executable)
    out = json.loads(check(folder, "pyright", *options))
    assert out["summary"]["filesAnalyzed"] == len(names)
    errors: Errors = {name: {} for name in names}
    for said in out["generalDiagnostics"]:
        if said["severity"] == "error":
            line = said["range"]["start"]["line"] + 1
            errors[Path(said["file"]).name].setdefault(line, []).append(said["message"])
    return errors


def check(folder: Path, tool: str, *args: str) -> str:
    """The output of a checker that found errors or none, and did not break down."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MYPY", "PYTHON"))
    } | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run(
        (sys.executable, "-m", tool, *args),
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout
