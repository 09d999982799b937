"""What Python imports while durably runs a job: sources, and no file in another one's place."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import py_compile
import re
import subprocess
import sys
from pathlib import Path

import pytest

from durably_cli.errors import JobModuleError
from durably_cli.project import discovery, importing
from tests.conftest import Project
from tests.project.conftest import JOB, write

pytestmark = pytest.mark.usefixtures("interpreters")


def test_a_job_module_is_compiled_from_its_source_whatever_was_compiled_before(root: Path) -> None:
    files = ("__init__.py", "one.py", "helper.py", "big/__init__.py", "big/inner.py")
    for file in files:
        path = write(root, file, "WORD = 'old'\n")
        py_compile.compile(
            str(path), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    imports = "from . import WORD as a, big, helper\nfrom .big import inner\n"
    for file in files:
        (root / "jobs" / file).write_text("WORD = 'new'\n")
    words = "words = a, helper.WORD, big.WORD, inner.WORD\n"
    write(root, "one.py", imports + words + JOB.format(name="one"))
    discovery.find_job(root, "one")
    assert sys.modules["jobs.one"].words == ("new",) * 4


def test_nothing_compiled_is_left_in_jobs(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    write(root, "__init__.py", "")
    write(root, "big/inner.py", "")
    write(root, "one.py", "from .big import inner\n" + JOB.format(name="one"))
    discovery.find_job(root, "one")
    assert not list(root.rglob("__pycache__"))


EDITS_ITSELF = """
    from pathlib import Path

    {before}

    @define_job
    def work(step: Step, payload: dict) -> None:
        pass

    {behind}
"""
EDIT = "Path(__file__).write_text(Path(__file__).read_text() + '# edited')"
TRIGGER = f"if __name__ == '__main__': {EDIT}; work.trigger({{}})"


@pytest.mark.parametrize("by", ["command", "script"])
def test_the_source_of_an_attempt_is_what_ran_not_what_the_file_was_made_since(
    project: Project, by: str
) -> None:
    before, behind = (EDIT, "") if by == "command" else ("", TRIGGER)
    path = project.job(EDITS_ITSELF.format(before=before, behind=behind))
    ran = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    if by == "command":
        project.run("trigger", "work")
    else:
        subprocess.run([sys.executable, path], cwd=project.root, env=project.env, check=True)
    assert path.read_text().endswith("# edited")
    (attempt,) = project.inspect()["attempts"]
    assert attempt["source"] == ran


def test_the_standard_library_and_what_durably_needs_come_before_the_projects_files(
    root: Path,
) -> None:
    names = ("this", "rich", "winreg")
    for name in names:
        (root / f"{name}.py").write_text("MINE = True\n")
    listed = ", ".join(names)
    text = f"import {listed}\nmine = [hasattr(one, 'MINE') for one in ({listed})]\n"
    write(root, "one.py", text + JOB.format(name="one"))
    there = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        discovery.find_job(root, "one")
    finally:
        sys.modules.update(there)
    assert sys.modules["jobs.one"].mine == [False, False, sys.platform != "win32"]


@pytest.mark.parametrize("line", ["from calendar import mine", "import calendar.mine"])
def test_a_file_that_cannot_be_imported_by_its_name_is_said_to_be_one(
    root: Path, line: str
) -> None:
    path = root / "calendar.py"
    path.write_text("mine = 1\n")
    write(root, "one.py", f"{line}\n")
    with pytest.raises(JobModuleError) as caught:
        discovery.find_job(root, "one")
    assert f"calendar is not {path}" in (caught.value.hint or "")


def test_what_durably_needs_is_what_its_dependencies_are() -> None:
    modules = importlib.metadata.packages_distributions()
    names = {alike(each): set[str]() for packages in modules.values() for each in packages}
    for module, packages in modules.items():
        for each in packages:
            names[alike(each)].add(module)
    pending, needed = ["durably"], set[str]()
    while pending:
        one = alike(pending.pop())
        if one in needed or one not in names:  # of another system
            continue
        needed.add(one)
        for line in importlib.metadata.requires(one) or ():
            if "extra ==" not in line:
                pending.append(re.split(r"[^\w.-]", line, maxsplit=1)[0])
    found = set[str]().union(*(names[one] for one in needed))
    assert {name for name in found if not name.startswith("_")} <= importing.OWN_NEEDS


def alike(name: str) -> str:
    return name.lower().replace("_", "-")


def test_python_m_runs_no_file_of_the_folder_that_it_is_called_in(project: Project) -> None:
    for name in ("typer", "typing", "platformdirs", "json", "rich", "pydantic"):
        (project.root / f"{name}.py").write_text("raise SystemExit('it was run')\n")
    project.run("list")
    outside = os.path.dirname(project.root)
    (Path(outside) / "typer.py").write_text("raise SystemExit('it was run')\n")
    project.run("-C", str(project.root), "list", cwd=outside)
