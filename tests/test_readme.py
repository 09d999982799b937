"""What README.md shows is what happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durably_cli import errors
from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.help import page
from tests.conftest import BIN, Project
from tests.harness.examples import (
    README,
    REPOSITORY,
    Examples,
    block,
    blocks,
    is_of_workers,
    shell_lines,
)
from tests.harness.make_picture import PICTURE, make
from tests.harness.pasting import paste, without_data
from tests.jobs.test_import_invoices import MENDED, MISTAKE


def shape(text: str) -> list[str]:
    """The lines with ids and times taken out."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f-]{27})?", "ID", text)
    return re.sub(r"\d+\.\d+ s|\d+ ms", "TIME", text).splitlines()


def test_the_job_is_killed_and_resumed_as_shown(project: Project) -> None:
    code = block("python")
    lines = [line for line in code.splitlines() if line.strip() and line[0] != "#"]
    assert len(lines) <= 20
    (project.root / "jobs").rmdir()
    (project.root / "album.py").write_text(code)
    shown = shape(block("console"))

    start = {"cwd": project.root, "env": project.env, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "album.py"], **start) as process:  # type: ignore[call-overload]
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(3)]
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
    at = shown.index("$ ./album.py &")
    assert shape("".join(said)) == shown[at + 1 : at + 4]

    (run,) = project.runs()
    assert (run["status"], run["steps"]) == ("interrupted", 2)
    assert run["reason"] == "in doubt: shrink-harbour"

    resumed = paste(project, f"{sys.executable} album.py resume @last", project.root)
    at = shown.index("$ ./album.py resume @last")
    assert sorted(shape(resumed.err + resumed.out)) == sorted(shown[at + 1 :])


def test_a_job_is_tested_as_shown(project: Project) -> None:
    job, test = blocks("python")
    (project.root / "album.py").write_text(job.replace("sleep(1)", "sleep(0)"))
    (project.root / "test_album.py").write_text(test)
    command = [BIN / "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=project.root, env=project.env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_the_python_line_works_as_shown(project: Project) -> None:
    (project.root / "album.py").write_text(block("python").replace("sleep(1)", "sleep(0)"))
    (line,) = re.findall(r"`(album[.]trigger.*?)`", README.replace("\n", " "))
    program = f"from album import album\nprint({line})\n"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=project.root,
        env=project.env,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "{'beach': 5000}\n", done.stderr


def test_a_failed_run_is_mended_and_resumed_as_shown(project: Project) -> None:
    examples = Examples(project)
    failed, resumed = (shape(text) for text in blocks("console")[1:3])
    first = project.run("trigger", "import-invoices", expect=1)
    said = shape(without_data(first.err.replace(str(project.root) + "/", "")))
    for line in failed[2:]:
        assert line in said
    removed, added = (line[1:] + "\n" for line in block("diff").splitlines())
    assert (removed, added) == (MISTAKE, MENDED)
    path = examples.project.root / "jobs" / "import_invoices.py"
    path.write_text(path.read_text().replace(removed, added))
    assert shape(project.run("resume", "@failed").err)[-1] == resumed[-1]


def test_a_broken_picture_is_mended_and_made_as_shown(project: Project) -> None:
    examples = Examples(project)
    failed, mended, resumed = blocks("console")[3].split("$ ")[1:]
    first = project.run("trigger", "thumbnails", expect=1)
    said = shape(without_data(first.err))
    assert [line for line in shape(failed) if line not in said] == [
        "durably trigger thumbnails",
        *("...", "..."),
    ]
    assert examples.run(mended).code == 0
    second = project.run("resume", "@failed")
    said = shape(second.err + second.out)
    unsaid = [line for line in shape(resumed) if line not in said]
    assert unsaid == ["durably resume @failed", "..."]


def test_every_command_does_what_it_says(project: Project) -> None:
    examples = Examples(project)
    installs = ("python3 -m venv", "uvx")
    lines = [line for line in shell_lines(README) if not line.startswith(installs)]
    lines = [line for line in lines if not is_of_workers(line)]
    assert len(lines) >= 4
    for line in lines:
        result = examples.run(line)
        assert result.code == 0, result


@pytest.mark.long
def test_the_picture_is_of_such_a_run(project: Project, tmp_path: Path) -> None:
    made = tmp_path / "made.svg"
    make(tmp_path / "other", made)
    pattern = r">([^<]+)</text>"
    words = [
        [re.sub(r"[0-9a-f]{8}|[\d:.-]+", "N", word) for word in re.findall(pattern, text)]
        for text in (made.read_text(encoding="utf-8"), PICTURE.read_text(encoding="utf-8"))
    ]
    assert words[0] == words[1]
    assert {"✗ killed or crashed", "saved N s"} <= set(words[1])


def test_every_exit_code_is_in_the_table() -> None:
    codes = {
        each.exit_code
        for each in vars(errors).values()
        if isinstance(each, type)
        and issubclass(each, (errors.DurablyError, errors.Abort))
        and each is not errors.Interrupted
    }
    rows = re.findall(r"^\| ([\d, ]+) \|", page("exit-codes"), re.MULTILINE)
    told = {int(code) for row in rows for code in row.split(",")}
    assert codes <= told
    assert {128 + signum for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)} <= told


def test_every_command_and_option_that_is_named_exists(project: Project) -> None:
    named = set(re.findall(r"`durably ([a-z]+)", README))
    assert len(named) > 8
    help_of_all = "".join(project.run(command, "--help").out for command in named)
    of_others = {"--org-id", "--from", "--allow-broken", "--script", "--photos"}
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]+", README)) - of_others
    for option in options:
        assert option in help_of_all + project.run("--help").out, option


def test_every_command_is_named() -> None:
    (table,) = re.findall(r"\| to \| commands \|\n.*?\n\n", README, re.DOTALL)
    assert set(re.findall(r"`durably ([a-z]+)", table)) == set(COMMANDS)


def test_every_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("https://"):
            assert (REPOSITORY / target).is_file(), target


@pytest.mark.long
def test_it_is_tried_and_installed_as_shown(project: Project, tmp_path: Path) -> None:
    (tried,) = (line for line in shell_lines(README) if line.startswith("uvx"))
    with_pip, with_uv = block("bash").replace("../durably", str(REPOSITORY)).splitlines()
    own = tmp_path / "own"
    own.mkdir()
    (own / "pyproject.toml").write_text(
        '[project]\nname = "own"\nversion = "1"\nrequires-python = ">=3.11"\n'
    )
    lines = [
        f"{sys.executable} -m pip install -q --target tools uv",
        f"(cd {REPOSITORY} && {tried} --database {tmp_path}/users.db)",
        f"cd own && uv venv -q --seed --python {sys.executable} .venv && {with_pip}",
        ".venv/bin/durably init",
        f"{with_uv} && .venv/bin/durably trigger hello --times 1",
    ]
    script = block("python").replace('path = "durably"', f'path = "{REPOSITORY}"')
    (tmp_path / "album.py").write_text(script)
    (tmp_path / "album.py").chmod(0o755)
    lines += [
        "cd .. && ./album.py --photos beach",
        "own/.venv/bin/durably list | grep -c completed",
    ]
    done = subprocess.run(
        ["bash", "-ec", "\n".join(lines)],
        cwd=tmp_path,
        env=project.env
        | {"PATH": f"{tmp_path}/tools/bin:{os.environ['PATH']}", "PIP_NO_COMPILE": "1"},
        capture_output=True,
        text=True,
    )
    said = done.stdout.splitlines()[-3:]
    assert (done.returncode, said) == (0, ['["1: hello world"]', '{"beach":5000}', "1"]), done
