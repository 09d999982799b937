"""`durably schedule`: what is printed does what the job asks for, wherever it is put."""

from __future__ import annotations

import json
import plistlib
import re
import shlex
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.crontabs import Stand, command_of, run_by_cron
from tests.harness.pasting import paste
from tests.harness.terminals import TerminalWith

JOB = """
from pathlib import Path

class Input(BaseModel):
    org_id: str
    n: int = 1
    source: Path | None = None

@define_job
def sync_users(step: Step, payload: Input) -> str:
    return step.run("one", effect, f"{payload.org_id} {payload.n} {payload.source}")
"""


@pytest.fixture
def stand(project: Project, tmp_path: Path) -> Stand:
    project.job(JOB, "sync_users")
    return Stand(project, tmp_path)


def line_of(project: Project, *args: str, **options: Any) -> str:
    """The one line that is printed."""
    return project.run("schedule", *args, **options).out.removesuffix("\n")


def by_cron(project: Project, line: str, code: int = 0) -> None:
    result = run_by_cron(line, project.root.parent, EFFECTS=str(project.effects_path))
    assert (result.code, result.out) == (code, ""), result


def in_slot(line: str, slot: str) -> str:
    """The line, started at that time."""
    return re.sub(r"(\$\(date [^)]*\)|2026-\S{8}:00)", slot, line)


def document(project: Project, *args: str, expect: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.run("schedule", "--json", *args, expect=expect).out)
    return found


def test_a_line_does_its_work_once_a_slot_in_the_few_variables_of_cron(
    project: Project, stand: Stand
) -> None:
    line = line_of(project, "sync-users", "0 3 * * *", "--", "--org-id", "org_123")
    assert line.startswith("0 3 * * *  ")
    line = in_slot(line, "2026-11-28T03:00")
    by_cron(project, line)
    by_cron(project, line)
    by_cron(project, in_slot(line, "2026-11-29T03:00"))
    assert project.effects == ["org_123 1 None"] * 2


@pytest.mark.parametrize("text", ["50%", r"a\%b", r"\\%", "it's", '"$HOME" `x` $(y)', "=x", "\\"])
def test_what_a_shell_and_cron_would_change_arrives_as_it_was_typed(
    project: Project, stand: Stand, text: str
) -> None:
    line = line_of(project, "sync-users", "* * * * *", "--", f"--org-id={text}")
    assert not re.search(r"(?<!\\)%", line)
    by_cron(project, line)
    assert project.effects == [f"{text} 1 None"]


def test_a_project_whose_path_has_spaces_and_signs_is_found(
    project: Project, tmp_path: Path
) -> None:
    project.root = project.root.rename(tmp_path / "a 100% $project's")
    project.job(JOB, "sync_users")
    by_cron(project, line_of(project, "sync-users", "@daily", "--", "--org-id", "x"))
    assert project.effects == ["x 1 None"]


def test_a_path_that_reads_in_a_folder_is_read_there(project: Project, stand: Stand) -> None:
    flags = ("--", "--org-id", "x", "--source")
    here = line_of(project, "sync-users", "0 3 * * *", *flags, "users.csv")
    assert f"cd {project.root} && " in here
    assert " cd " not in line_of(project, "sync-users", "0 3 * * *", *flags, "/users.csv")
    (project.root / "i.json").write_text('{"org_id": "of a file"}')
    of_file = line_of(project, "sync-users", "0 3 * * *", "--", "-i", "@i.json")
    by_cron(project, in_slot(of_file, "2026-11-28T03:00"))
    by_cron(project, in_slot(here, "2026-11-28T03:00"), code=5)  # it has its run, of another input
    assert project.effects == ["of a file 1 None"]


@pytest.mark.parametrize(
    ("expression", "key"),
    [
        ("0 3 * * *", "%FT%H:%M"),
        ("59 23 1 * *", "%FT%H:%M"),
        ("0 * * * *", "%FT%H:%M%z"),
        ("0 3,15 * * *", "%FT%H:%M%z"),
        ("*/10 3 * * *", "%FT%H:%M%z"),
    ],
)
def test_the_key_names_a_slot_and_no_other(
    project: Project, stand: Stand, expression: str, key: str
) -> None:
    line = line_of(project, "sync-users", expression, "--", "--org-id", "x")
    assert f'-q --idempotency-key "$(date +{key})" # ' in command_of(line)


def test_two_schedules_of_a_job_have_names_and_keys_of_their_own(
    project: Project, stand: Stand
) -> None:
    for org in ("a", "b"):
        flags = ("--name", org, "--install", "--yes", "--", "--org-id", org)
        project.run("schedule", "sync-users", "0 3 * * *", *flags)
    for line in stand.crontab.decode().splitlines():
        by_cron(project, line)
    assert project.effects == ["a 1 None", "b 1 None"]


def test_what_the_flags_say_of_keys_and_quiet_is_not_said_again(
    project: Project, stand: Stand
) -> None:
    flags = ("--org-id", "x", "-q", "--idempotency-key", "once")
    line = line_of(project, "sync-users", "0 3 * * *", "--", *flags)
    assert f"{shlex.join(flags)} # " in line


def test_the_name_and_the_folders_of_the_project_go_into_the_line(
    project: Project, stand: Stand
) -> None:
    project.env["DURABLY_NAME"] = "billing"
    line = line_of(project, "sync-users", "0 3 * * *", "--", "--org-id", "x")
    for name in ("DURABLY_NAME", "DURABLY_DATA_DIR", "DURABLY_CACHE_DIR"):
        assert f"{name}={project.env[name]}" in line
    assert line.endswith(" # durably-billing.sync-users")
    project.env["DURABLY_DATA_DIR"] = "data"
    result = project.run("schedule", "sync-users", "0 3 * * *", expect=65)
    result = project.run("schedule", "--tick", expect=78)
    assert "another folder in every working directory" in result.err


@pytest.mark.parametrize(
    ("args", "code", "said", "hint"),
    [
        (("sync-user", "0 3 * * *"), 4, "did you mean sync-users?", "jobs sync-users"),
        (("sync-users", "0 3 31 2 *"), 2, "is never due", None),
        (("sync-users", "0 3 * * * *"), 2, "has six fields", None),
        (("sync-users", "@reboot"), 2, "is no time", None),
        (("sync-users",), 2, "it is not said when", "schedule sync-users '0 3 * * *'"),
        ((), 2, "a schedule is of a JOB", "jobs"),
        (("--tick", "sync-users"), 2, "exclude each other", None),
        (("--systemd", "--launchd", "--tick"), 2, "exclude each other", None),
        (("sync-users", "0", "3", "*"), 2, "are one word", "schedule sync-users '0 3 * * *'"),
        (("sync-users", "0 3 * * *"), 65, "org_id: Field required", "jobs sync-users"),
        (("sync-users", "0 3 * * *", "--name", "a b"), 2, "is no name", None),
        (
            ("sync-users", "0 3 * * *", "--org-id", "x", "--install"),
            *(2, "No such option: --org-id"),
            "schedule sync-users '0 3 * * *' --install -- --org-id x",
        ),
        (
            ("sync-users", "0 3 * * *", "--", "--orgid", "x"),
            *(2, "No such option: --orgid"),
            "schedule sync-users '0 3 * * *' -- --org-id x",
        ),
        (("sync-users", "0 3 * * *", "--", "--org-id", "x", "--n", "y"), 65, "n: Input", None),
        (
            ("sync-users", "0 3 * * *", "--", "--org-id", "x", "--no-wait"),
            *(2, "--no-wait says nothing without --idempotency-key", None),
        ),
        (
            ("sync-users", "0 3 * * *", "--", "--org-id", "x", "--timeout", "soon"),
            *(2, "--timeout", None),
        ),
        (("sync-users", "0 3 * * *", "--", "-i", "-"), 2, "does not have", None),
        (("sync-users", "0 3 * * *", "--", "-i", "@none"), 2, "No such file", None),
        (
            ("sync-users", "0 3 * * *", "--", "--org-id", "a\nb"),
            *(2, "has line breaks, which a crontab line cannot hold", None),
        ),
        (
            ("sync-users", "0 3 * * *", "--", "--org-id", "x" * 999),
            *(2, "and cron reads 998", None),
        ),
        (("sync-users", "0 3 */2 * 1", "--launchd", "--", "--org-id", "x"), 2, "takes both", None),
    ],
)
def test_what_would_not_run_is_refused_before(
    project: Project, stand: Stand, args: tuple[str, ...], code: int, said: str, hint: str | None
) -> None:
    result = project.run("schedule", *args, expect=code)
    assert said in result.err
    assert result.out == ""
    if hint is not None:
        assert f"durably {hint}\n" in result.err


def test_the_next_times_are_said_and_no_data(project: Project, stand: Stand) -> None:
    result = project.run("schedule", "sync-users", "0 3 * * *", "--", "--org-id", "x")
    heading, *times = result.err.splitlines()
    assert heading.startswith("due next, in ")
    assert len(times) >= 5
    assert all(re.match(r"  \w{3} \d{4}-\d\d-\d\d 03:00[+-]", each) for each in times[:5])
    project.env["TZ"] = "Asia/Tokyo"
    result = project.run("schedule", "sync-users", "0 3 * * *", "--", "--org-id", "x")
    assert "TZ is Asia/Tokyo here, and cron goes by /etc/localtime" in result.err


CRONTABS = [
    b"",
    b"# of ann\nMAILTO=ann\n\n0 1 * * *  echo \xff 100\\%\n",
    b"no newline at its end",
    b"one\r\ntwo\x0bthree\x0c\n",
]


@pytest.mark.parametrize("before", CRONTABS)
def test_a_crontab_gets_its_line_and_is_as_it_was_once_that_is_removed(
    project: Project, stand: Stand, before: bytes
) -> None:
    if before:
        stand.crontab = before
    args = ("sync-users", "0 3 * * *", "--install", "--yes", "--", "--org-id", "x")
    line = line_of(project, *args)
    end = b"" if not before or before.endswith(b"\n") else b"\n"
    whole = before + end + f"{line}\n".encode()
    assert stand.crontab == whole
    result = project.run("schedule", *args)
    assert "installed already" in result.err
    assert stand.crontab == whole
    later = ("sync-users", "5 4 * * *", "--install", "--yes", "--", "--org-id", "x")
    stand.crontab = whole + b"# behind it\n"
    result = project.run("schedule", *later)
    assert f"-{line}\n" in result.err
    moved = line.replace("0 3 * * *", "5 4 * * *", 1)
    assert stand.crontab == before + end + f"{moved}\n# behind it\n".encode()
    project.run("schedule", "sync-users", "--remove", "--yes")
    assert stand.crontab == before + end + b"# behind it\n"
    result = project.run("schedule", "sync-users", "--remove", "--yes")
    assert "nothing of the name" in result.err


def test_nothing_is_written_before_a_person_agreed(project: Project, stand: Stand) -> None:
    args = ("schedule", "sync-users", "0 3 * * *", "--install", "--", "--org-id", "x")
    result = project.run(*args, expect=2)
    assert "nobody can be asked here" in result.err
    assert stand.crontab == b""
    for keys, state in ((b"n\n", b""), (b"y\n", b"sync-users")):
        with TerminalWith(project, *DURABLY, *args, columns=500) as terminal:
            shown = terminal.read("Install it? [y/N] ")
            assert "+0 3 * * *  " in shown
            terminal.type(keys)
            terminal.read()
        assert state in stand.crontab
        assert bool(stand.crontab) == bool(state)


def test_lines_that_others_write_meanwhile_stay(project: Project, stand: Stand) -> None:
    args = ("schedule", "sync-users", "0 3 * * *", "--install", "--", "--org-id", "x")
    with TerminalWith(project, *DURABLY, *args, columns=500) as terminal:
        terminal.read("Install it? [y/N] ")
        stand.crontab = b"# written while the question stood\n"
        terminal.type(b"y\n")
        terminal.read()
    before, *line = stand.crontab.splitlines()
    assert before == b"# written while the question stood"
    assert len(line) == 1
    flags = ("--install", "--yes", "--", "--org-id", "x")
    installs = [
        project.start("schedule", "sync-users", "@daily", "--name", name, *flags)
        for name in ("a", "b", "c", "d")
    ]
    for process in installs:
        with process:
            assert process.result().code == 0
    assert len(stand.crontab.splitlines()) == 6


def test_a_crontab_of_busybox_that_is_not_there_is_empty(project: Project, stand: Stand) -> None:
    program = Path(project.env["PATH"].split(":")[0]) / "crontab"
    said = "crontab: can't open 'ann': No such file or directory"
    program.write_text(program.read_text().replace("no crontab for ann", said))
    project.run("schedule", "--tick", "--install", "--yes")
    assert b" tick " in stand.crontab


def test_to_a_program_nothing_is_done_that_it_has_not_agreed_to(
    project: Project, stand: Stand
) -> None:
    args = ("sync-users", "0 3 * * *", "--install", "--", "--org-id", "x")
    assert document(project, *args)["schedule"]["state"] == "would-install"
    assert stand.crontab == b""
    error = project.run("schedule", *args, expect=2).err
    (command,) = re.findall(r"^(.*schedule --help)$", error, re.MULTILINE)
    assert "-y, --yes" in paste(project, command, project.root).out


def test_a_program_is_answered_with_what_changed(project: Project, stand: Stand) -> None:
    args = ("sync-users", "0 3 * * *", "--install", "--yes")
    result = project.run("schedule", *args, "--json", "--", "--org-id", "x")
    found = json.loads(result.out)["schedule"]
    assert (found["state"], result.err) == ("installed", "")
    assert found["files"] == [{"path": None, "text": stand.crontab.decode()}]
    assert "+0 3 * * *" in found["diff"]
    assert len(found["next_times"]) == 5
    found = document(project, "sync-users", "--remove", "--yes")["schedule"]
    assert (found["state"], found["files"]) == ("removed", [])


def test_a_job_that_is_gone_can_be_removed(project: Project, stand: Stand) -> None:
    args = ("sync-users", "0 3 * * *", "--install", "--yes", "--", "--org-id", "x")
    project.run("schedule", *args)
    (project.root / "jobs" / "sync_users.py").unlink()
    project.run("schedule", "sync-users", "--remove", "--yes")
    assert stand.crontab == b""


def test_without_cron_or_systemd_it_is_said(project: Project, tmp_path: Path) -> None:
    project.job(JOB, "sync_users")
    project.env["PATH"] = str(tmp_path)
    for how, said in ((("--systemd",), "no program systemctl"), ((), "no program crontab")):
        result = project.run("schedule", "--tick", *how, "--install", "--yes", expect=78)
        assert said in result.err
    assert not (tmp_path / ".config").exists()


def test_a_crontab_that_may_not_be_used_is_said(project: Project, stand: Stand) -> None:
    program = Path(project.env["PATH"].split(":")[0]) / "crontab"
    program.write_text(
        "#!/bin/sh\necho 'You (ann) are not allowed to use this program' >&2\nexit 1"
    )
    result = project.run("schedule", "--tick", "--install", "--yes", expect=78)
    assert "crontab -l: You (ann) are not allowed to use this" in result.err


def test_units_are_installed_begun_and_removed(project: Project, stand: Stand) -> None:
    args = ("sync-users", "*/10 * * * *", "--systemd", "--install", "--yes")
    project.run("schedule", *args, "--", "--org-id", "x")
    units = sorted(path.name for path in stand.units.iterdir())
    assert [name.rpartition(".")[2] for name in units] == ["service", "timer"]
    assert f"--user enable --now {units[1]}" in stand.calls
    result = project.run("schedule", *args, "--", "--org-id", "x")
    assert "installed already" in result.err
    project.run("schedule", "sync-users", "--systemd", "--remove", "--yes")
    assert stand.calls[-2:] == [f"--user disable --now {units[1]}", "--user daemon-reload"]
    assert list(stand.units.iterdir()) == []
    project.run("schedule", "--tick", "--systemd", "--install", "--yes")
    (service,) = stand.units.iterdir()
    assert f"--user enable --now {service.name}" in stand.calls


FLAGS = ("--org-id", "50% \"of\" $HOME\n'all' \\")


def test_a_unit_starts_what_was_typed(project: Project, stand: Stand, tmp_path: Path) -> None:
    project.env["DURABLY_NAME"] = "billing"
    found = document(project, "sync-users", "0 3 1 * mon", "--systemd", "--", *FLAGS)
    service, timer = found["schedule"]["files"]
    assert timer["text"].count("OnCalendar=") == 2
    assert "\nPersistent=true\n" in timer["text"]
    assert "\nSuccessExitStatus=75 143\n" in service["text"]
    for each in (service, timer):
        (tmp_path / Path(each["path"]).name).write_text(each["text"])
    if program := which("systemd-analyze"):
        names = [f"./{Path(each['path']).name}" for each in (service, timer)]
        verified = subprocess.run(
            (program, "verify", "--user", *names), cwd=tmp_path, capture_output=True, text=True
        )
        assert "ailed to parse" not in verified.stderr + verified.stdout, verified
    lines = dict(line.partition("=")[::2] for line in service["text"].splitlines() if "=" in line)
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", lines["ExecStart"])
    words = split_by_systemd(lines["ExecStart"])
    result = subprocess.run(words, env=project.env, cwd="/", capture_output=True, text=True)
    assert result.returncode == 0, result
    assert project.effects_path.read_text() == f"{FLAGS[1]} 1 None\n"


def split_by_systemd(text: str) -> list[str]:
    """The words of an ExecStart=, by the rules of systemd.syntax(7) and systemd.unit(5)."""
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', text.replace("%%", "%"))
    unescaped = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")
    return [
        unescaped.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], one or other).replace(
            "$$", "$"
        )
        for one, other in words
    ]


def test_a_plist_starts_what_was_typed(project: Project, stand: Stand) -> None:
    found = document(project, "sync-users", "0 3 * * 1", "--launchd", "--", *FLAGS)
    (file,) = found["schedule"]["files"]
    agent = plistlib.loads(file["text"].encode())
    assert agent["StartCalendarInterval"] == [{"Minute": 0, "Hour": 3, "Weekday": 1}]
    env = {"PATH": "/usr/bin:/bin", "EFFECTS": str(project.effects_path)}
    words, env = agent["ProgramArguments"], env | agent["EnvironmentVariables"]
    assert subprocess.run(words, env=env, cwd="/").returncode == 0
    assert project.effects_path.read_text() == f"{FLAGS[1]} 1 None\n"
    project.run("schedule", "--tick", "--launchd", "--install", expect=2)


def test_a_tick_has_a_line_that_fires_every_minute(project: Project, stand: Stand) -> None:
    line = line_of(project, "--tick", "--install", "--yes")
    assert line.startswith("* * * * *  ")
    assert " tick --for 50s -q # " in line
    assert stand.crontab.decode() == f"{line}\n"
    by_cron(project, line.replace("--for 50s", "--for 0s"))
    project.run("schedule", "--tick", "--remove", "--yes")
    assert stand.crontab == b""


SCRIPT = """
from durably import Step, define_job

@define_job
def digest(step: Step, *, feeds: str = "news") -> str:
    with open("sent", "a") as file:
        return step.run("send", lambda: str(file.write(f"{feeds}\\n")))

digest.main()
"""


def test_a_script_is_started_where_it_was_scheduled(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "digest.py"
    script.write_text(SCRIPT, encoding="utf-8")
    every = "*/5 * * * *"  # whose stroke makes it no path
    for args in (("./digest.py", every), ("-C", "digest.py", "--tick")):
        words = (*args[:2], "schedule", args[2]) if args[0] == "-C" else ("schedule", *args)
        done = subprocess.run(
            (*DURABLY, *words), cwd=tmp_path, env=project.env, capture_output=True, text=True
        )
        assert done.returncode == 0, done
        by_cron(project, done.stdout.removesuffix("\n").replace("--for 50s", ""))
    assert (tmp_path / "sent").read_text() == "news\n"
    own = (sys.executable, "digest.py", "schedule", every)
    subprocess.run(own, cwd=tmp_path, env=project.env, check=True)


def test_a_script_whose_expression_is_several_words_says_how_it_is_one(
    project: Project, tmp_path: Path
) -> None:
    script = tmp_path / "digest.py"
    script.write_text(SCRIPT, encoding="utf-8")
    refused = project.run("schedule", str(script), "0", "3", "*", "*", "*", expect=2).err
    command = refused.partition("try: ")[2].partition("\n")[0]
    assert " schedule '0 3 * * *'" in command
    assert paste(project, command, tmp_path).code == 0


def test_an_expression_in_the_place_of_a_job_is_no_script(project: Project) -> None:
    refused = project.run("schedule", "*/5 * * * *", expect=2).err
    assert "a schedule is of a JOB, which stands before '*/5 * * * *'" in refused
    turned = project.run("schedule", "*/5 * * * *", "sync-users", expect=2).err
    assert "durably schedule sync-users '*/5 * * * *'" in turned


def test_a_secret_that_cron_does_not_have_is_said(project: Project, stand: Stand) -> None:
    project.job(
        "from durably import Secret\n"
        "@define_job\n"
        "def bill(step: Step, *, token: Secret) -> None:\n"
        "    step.run('one', int)\n",
        "bill",
    )
    file = project.root / "token"
    file.write_text("hush")
    project.env["TOKEN"] = "hush"
    words = ("schedule", "bill", "@daily")
    said = project.run(*words, "--", "--token", "env:TOKEN").err
    assert "in TOKEN, which cron has only if the crontab sets it above the line" in said
    as_unit = project.run(*words, "--systemd", "--", "--token", "env:TOKEN").err
    assert "in TOKEN, which systemd has only if its service sets it" in as_unit
    assert "TOKEN" not in project.run(*words, "--", "--token", f"file:{file}").err
    document = json.loads(project.run(*words, "--json", "--", "--token", "env:TOKEN").out)
    assert document["schedule"]["secret_variables"] == ["TOKEN"]
    crontab = document["schedule"]["files"][0]["text"].rstrip("\n")
    assert run_by_cron(crontab, project.root.parent).code == 65
    with_it = run_by_cron(crontab, project.root.parent, TOKEN="hush")
    assert with_it.code == 0, with_it


def test_an_empty_expression_of_a_script_is_no_job(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "digest.py"
    script.write_text(SCRIPT, encoding="utf-8")
    assert "'' is no five fields" in project.run("schedule", str(script), "", expect=2).err


def test_a_script_may_stand_behind_options_with_values(project: Project, tmp_path: Path) -> None:
    script = tmp_path / "digest.py"
    script.write_text(SCRIPT, encoding="utf-8")
    words = ("--name", "nightly", str(script), "@daily", "--", "--feeds", "night")
    line = line_of(project, *words)
    assert line.endswith(".nightly")
    by_cron(project, line)
    assert (project.root / "sent").read_text() == "night\n"


def test_no_name_of_a_folder_adds_a_line_to_a_unit(project: Project, tmp_path: Path) -> None:
    project.root = project.root.rename(tmp_path / "a\nExecStartPost=b")
    project.job(JOB, "sync_users")
    found = document(project, "sync-users", "@daily", "--systemd", "--", "--org-id", "x")
    service = found["schedule"]["files"][0]["text"]
    assert not re.search("^ExecStartPost", service, re.MULTILINE)
    flags = ("--org-id", "x", "--source", "a.csv")
    project.run("schedule", "sync-users", "@daily", "--systemd", "--", *flags, expect=2)
