"""One-file scripts, started as people start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import durably
import pytest

from tests.conftest import BIN, Project, Result
from tests.harness.pasting import paste, without_data

DIGEST = """
    import os, signal, sys
    from pathlib import Path
    from durably import Step, define_job


    def effect(line):
        with open(os.environ["EFFECTS"], "a") as file:
            file.write(line + "\\n")


    @define_job
    def digest(step: Step, *, pages: int = 3, dies: bool = False, fails: bool = False) -> int:
        '''Count the words of pages.'''
        total = 0
        for page in range(pages):
            step.run(f"page-{page}", effect, f"{page} in {Path.cwd().name}")
            total += page
            if dies and step.attempt == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        if fails and step.attempt == 1:
            raise RuntimeError("the printer is on fire")
        return total


    digest.main()
"""


@pytest.fixture
def place(project: Project) -> Project:
    """A folder that is no project, with a script in it."""
    (project.root / "jobs").rmdir()
    write(project, DIGEST)
    return project


def write(project: Project, text: str, name: str = "digest.py") -> Path:
    script = project.root / name
    script.write_text(f"#!{sys.executable}\n{dedent(text)}")
    script.chmod(0o755)
    return script


def typed(place: Project, command: str, cwd: Path | None = None, **env: str | None) -> Result:
    return paste(place, command, cwd or place.root, **env)


def test_a_script_is_a_command_with_flags_exit_codes_and_documents(place: Project) -> None:
    assert typed(place, "./digest.py --pages 4").out == "6\n"
    assert typed(place, f"{sys.executable} digest.py").out == "3\n"
    assert typed(place, "durably trigger ./digest.py -p pages=2").out == "1\n"
    assert typed(place, "durably trigger digest.py --idempotency-key a").out == "3\n"
    assert typed(place, "./digest.py --idempotency-key a").err.count("completed before") == 1
    quiet = typed(place, "./digest.py -q")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert json.loads(typed(place, "./digest.py --json").out)["run"]["output"] == 3
    failed = typed(place, "./digest.py --fails")
    assert (failed.code, "the printer is on fire" in failed.err) == (1, True)
    assert typed(place, "./digest.py --pages many").code == 65
    assert typed(place, "./digest.py --paegs 3").code == 2
    assert typed(place, "./digest.py nonsense").code == 2


def test_its_help_is_of_its_job_and_names_itself(place: Project) -> None:
    shown = typed(place, "./digest.py --help").out
    assert shown.startswith("Usage: digest.py [OPTIONS]\n\n  Count the words of pages.\n")
    assert "--pages INTEGER" in shown
    assert "JOB" not in shown.split("Input:")[0]
    assert "durably trigger" not in shown


def test_killed_it_is_resumed_by_its_name_and_from_its_folder(place: Project) -> None:
    for resume in ("./digest.py resume @last", "durably resume @last"):
        killed = typed(place, "./digest.py --dies; true")
        assert killed.out == ""
        resumed = typed(place, resume)
        assert (resumed.code, resumed.out) == (0, "3\n"), resumed
    once = [f"{page} in {place.root.name}" for page in range(3)]
    assert place.effects == once * 2
    assert typed(place, "durably list").out.count("\tcompleted\t") == 2
    assert typed(place, "./digest.py list").out == typed(place, "durably list").out


def test_what_it_says_to_type_works_as_it_stands(place: Project, tmp_path: Path) -> None:
    said = typed(place, "./digest.py --fails").err.splitlines()[-1].partition(": ")[2]
    assert without_data(said).startswith("./digest.py resume ")
    assert typed(place, said).out == "3\n"
    elsewhere = f"{place.root}/digest.py --fails -q"
    report = typed(place, elsewhere, tmp_path).err
    anywhere = report.rpartition("try: ")[2].strip()
    assert typed(place, anywhere, Path("/")).out == "3\n"
    mistyped = typed(place, "./digest.py --page 2").err.rpartition("try: ")[2].strip()
    assert without_data(mistyped) == "./digest.py --pages 2"
    assert typed(place, mistyped).out == "1\n"


def test_a_run_goes_on_in_the_folder_that_it_was_triggered_in(place: Project) -> None:
    inside = place.root / "inside"
    inside.mkdir()
    typed(place, "../digest.py --dies", inside)
    assert typed(place, "./digest.py resume @last").out == "3\n"
    assert place.effects == [f"{page} in inside" for page in range(3)]


def test_its_runs_are_its_own_whatever_project_is_near(project: Project) -> None:
    """That of its folder, of the environment it runs in, of a name that is set."""
    project.job("@define_job\ndef work(step: Step) -> int:\n    return 1\n")
    project.run("trigger", "work")
    write(project, DIGEST)
    for env in ({}, {"DURABLY_NAME": "billing"}, {"DURABLY_PROJECT": str(project.root)}):
        assert typed(project, "./digest.py", **env).out == "3\n"
    assert [run["job"] for run in project.runs()] == ["work"]
    runs = json.loads(typed(project, "./digest.py list --json").out)["runs"]
    assert [run["job"] for run in runs] == ["digest"] * 3
    assert {folder.name[:-9] for folder in project.data.iterdir()} == {"project", "digest.py"}


def test_a_module_of_a_project_that_ends_so_belongs_to_that(project: Project) -> None:
    path = project.job("@define_job\ndef work(step: Step) -> int:\n    return 7\nwork.main()\n")
    assert project.run("trigger", "work").out == "7\n"  # imported, it does nothing
    assert paste(project, f"{sys.executable} {path}", project.root).out == "7\n"
    assert len(project.runs()) == 2


def test_several_jobs_of_a_script_are_run_by_their_names(place: Project) -> None:
    write(
        place,
        """
        from durably import Step, define_job

        @define_job
        def part(step: Step, *, n: int = 1) -> int:
            return n

        @define_job
        def whole(step: Step) -> int:
            return step.run_job("part", part, {"n": 5})

        whole.main()
        """,
        "two.py",
    )
    assert typed(place, "./two.py").out == "5\n"
    assert typed(place, "./two.py trigger part --n 2").out == "2\n"
    assert typed(place, "durably -C two.py trigger part --n 3").out == "3\n"
    assert typed(place, "durably -C two.py trigger").out == "5\n"
    assert typed(place, "./two.py jobs").out.count("\n") == 2
    assert typed(place, "./two.py trigger thrid").code == 2
    typed(place, "./digest.py")
    several = typed(place, "durably list")
    assert (several.code, "2 scripts in" in several.err) == (78, True)
    for command in several.err.partition("try: ")[2].splitlines():
        assert typed(place, command).code == 0


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("print('done')", 78, "defines no job"),
        ("from durably import define_job\n@define_job\ndef a(step): ...", 78, "a.main()"),
        (
            "from durably import define_job\n@define_job\ndef a(step): ...\n"
            "@define_job(name='c')\ndef b(step): ...",
            78,
            "and defines 2: a, b",
        ),
        ("def a(:\n", 78, "script.py:2 is no Python: invalid syntax\n"),
        (None, 4, "the script ./script.py is not there"),
    ],
)
def test_what_is_no_script_is_refused_and_not_executed(
    place: Project, text: str | None, code: int, said: str
) -> None:
    if text is not None:
        write(place, text, "script.py")
    refused = typed(place, "durably trigger ./script.py")
    assert (refused.code, refused.out) == (code, "")
    assert said in refused.err
    assert not place.data.exists()


def test_a_type_that_json_cannot_give_is_said_when_it_is_run(place: Project) -> None:
    assert typed(place, "./digest.py -q").code == 0
    write(place, DIGEST.replace("pages: int = 3", "pages: os.stat_result"))
    assert typed(place, "./digest.py list").code == 0
    refused = typed(place, "./digest.py --json --pages 3")
    assert refused.code == 78
    assert "Traceback" not in refused.err
    error = json.loads(refused.out)["error"]
    assert error["code"] == "job-module"
    assert error["message"].startswith(f"{place.root / 'digest.py'}:13: the input of digest: ")


def test_one_that_runs_no_job_says_how_to(place: Project) -> None:
    script = write(place, DIGEST.replace("digest.main()", ""))
    said = typed(place, f"{sys.executable} {script}")
    assert (said.code, said.out) == (0, "")
    assert said.err == "this defines a job, and runs none: write at its end: digest.main()\n"


def test_a_script_that_was_moved_brings_its_runs_along(place: Project) -> None:
    typed(place, "./digest.py --dies")
    old = place.root / "digest.py"
    old.rename(place.root / "moved.py")
    assert typed(place, "durably list").out.count("\n") == 1  # where it was
    gone = typed(place, "durably resume @last")
    assert (gone.code, "is gone" in gone.err) == (78, True)
    named = typed(place, "durably -C ./digest.py resume @last")
    assert (named.code, named.err) == (78, gone.err)
    moved = typed(place, "./moved.py list")
    assert moved.code == 78
    assert typed(place, moved.err.rpartition("try: ")[2].split("\n")[0]).code == 0
    assert typed(place, "./moved.py resume @last").out == "3\n"


def test_the_runs_of_one_that_is_gone_are_shown_by_its_path(place: Project) -> None:
    """Also as it is said to be typed where several scripts have runs."""
    other = write(place, DIGEST, "other.py")
    for script in ("./digest.py", "./other.py"):
        typed(place, script)
    (place.root / "digest.py").unlink()
    said = typed(place, "durably list").err
    for line, name in zip(said.splitlines()[1:], ("digest", "other"), strict=True):
        command = line.removeprefix("try: ")
        assert f"-C {name}.py list" in command
        assert typed(place, command).out.count("\n") == 1
    assert typed(place, "durably -C digest.py inspect @last").code == 0
    refused = typed(place, "durably -C digest.py resume @last")
    assert (refused.code, "digest.py is gone" in refused.err) == (78, True)
    other.unlink()
    never = typed(place, "durably -C never.py list")
    assert (never.code, f"the script {place.root}/never.py does not exist" in never.err) == (
        78,
        True,
    )


def test_a_link_to_a_script_is_the_script(place: Project) -> None:
    link = place.root.parent / "digest"
    link.symlink_to(place.root / "digest.py")
    assert typed(place, str(link)).out == "3\n"
    listed = typed(place, f"durably -C {link} list")
    assert (listed.out.count("\n"), listed.err) == (1, "")


def test_what_it_needs_and_is_not_there_is_said_with_how_to_get_it(place: Project) -> None:
    needs = '# /// script\n# dependencies = ["durably", "no-such-package>=3"]\n# ///\n'
    script = place.root / "digest.py"
    script.write_text(needs + dedent(DIGEST))
    script.chmod(0o644)
    refused = typed(place, "durably trigger ./digest.py", PATH=f"{BIN.parent}:/usr/bin:/bin")
    assert refused.code in (78, 127)  # where uv is on that PATH, that says it
    script.write_text(needs.replace(', "no-such-package>=3"', "") + dedent(DIGEST))
    without_uv = {"PATH": "/usr/bin:/bin", "UV": None}
    run = typed(place, f"{BIN}/durably trigger ./digest.py", **without_uv)
    assert run.out == "3\n"
    script.write_text(needs + dedent(DIGEST))
    refused = typed(place, f"{BIN}/durably trigger ./digest.py", **without_uv)
    assert refused.code == 78
    assert "needs no-such-package>=3, which" in refused.err
    assert "pip install uv" in refused.err


def test_a_first_line_whose_python_has_no_durably_is_passed_over(place: Project) -> None:
    """`env python3` outside of the environment that durably is in."""
    programs = place.root.parent / "programs"
    programs.mkdir()
    bare = programs / "python3"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    script = place.root / "digest.py"
    script.write_text(script.read_text().replace(sys.executable, "/usr/bin/env python3", 1))
    env = {"PATH": f"{programs}:{BIN}:/usr/bin:/bin"}
    assert "ModuleNotFoundError" in typed(place, "./digest.py", **env).err
    assert typed(place, "durably trigger ./digest.py --dies; true", **env).out == ""
    assert typed(place, "durably resume @last", **env).out == "3\n"
    said = typed(place, f"{sys.executable} digest.py --fails", **env).err.rpartition("was: ")[2]
    assert typed(place, said.strip(), **env).out == "3\n"
    checked = typed(place, "durably -C digest.py verify --cron", **env).out
    assert "cron\tjobs\tok\tcron finds 1 job: digest\n" in checked


@pytest.mark.parametrize("way", ["./digest.py", "durably trigger ./digest.py"])
@pytest.mark.parametrize("starts_itself", [True, False])
def test_uv_makes_the_environment_that_a_script_asks_for(
    place: Project, tmp_path: Path, starts_itself: bool, way: str
) -> None:
    """What the tests are of is found by a variable: it is in no index yet."""
    head = "#!/usr/bin/env -S uv run --script\n" if starts_itself else ""
    script = place.root / "digest.py"
    script.write_text(f"{head}# /// script\n# dependencies = []\n# ///\n{dedent(DIGEST)}")
    script.chmod(0o755 if starts_itself else 0o644)
    if not starts_itself and way.startswith("./"):
        way = "uv run --script digest.py"
    packages = [Path(pytest.__file__).parents[1], Path(durably.__file__).parents[1]]
    env = {
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "PYTHONPATH": os.pathsep.join([place.env["PYTHONPATH"], *map(str, packages)]),
    }
    killed = typed(place, f"{way} --dies; true", **env)
    assert killed.out == "", killed
    resumed = typed(place, "durably resume @last", **env)
    assert (resumed.code, resumed.out) == (0, "3\n"), resumed
    assert place.effects == [f"{page} in {place.root.name}" for page in range(3)]
    failed = typed(place, f"{way} --fails", **env).err.splitlines()[-1]
    again = without_data(failed.partition(": ")[2]).rpartition(" resume ")[0]
    assert again == ("./digest.py" if starts_itself else "uv run --quiet --script ./digest.py")


def test_tick_takes_up_runs_of_a_script_that_died_or_are_due(place: Project) -> None:
    write(
        place,
        """
        from durably import Step, define_job

        @define_job
        def naps(step: Step) -> int:
            step.sleep("nap", 1)
            return step.attempt

        naps.main()
        """,
        "naps.py",
    )
    assert typed(place, "./naps.py --suspend").code == 75
    deadline = time.monotonic() + 60
    while not typed(place, "./naps.py tick").out:
        assert time.monotonic() < deadline
    assert typed(place, "./naps.py list").out.split("\t")[2] == "completed"
    typed(place, "./digest.py --dies")
    taken = typed(place, "./digest.py tick")
    assert (taken.code, "\tdied\t" in taken.out) == (0, True)
    assert len(place.effects) == 3


def test_detached_it_goes_on_in_the_background(place: Project) -> None:
    run = typed(place, "./digest.py --detach").out.strip()
    assert typed(place, f"./digest.py wait {run}").out == "3\n"


def test_a_shell_completes_its_fields_and_its_commands(place: Project) -> None:
    script = typed(place, "./digest.py --show-completion bash").out
    asked = """
        asked() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _digestpy_completion ./digest.py
                  echo "${COMPREPLY[@]}"; }
        asked ./digest.py --pa; asked ./digest.py li; asked ./digest.py inspect --ht
    """
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"],
        cwd=place.root,
        env=place.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "--param --pages\nlist\n--html\n"
