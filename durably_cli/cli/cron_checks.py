"""What a job finds that cron starts: few variables, another folder, and the user's own store."""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import subprocess
from collections.abc import Generator, Iterator
from itertools import pairwise
from pathlib import Path

from durably_cli.cli.late_runs import of_tick
from durably_cli.cli.scheduling import schedule_name, words_for_cron
from durably_cli.engines.local.check import Finding, Time
from durably_cli.errors import DurablyError
from durably_cli.project import stores
from durably_cli.project.engine import engine_name
from durably_cli.project.places import PROJECT_VARIABLE
from durably_cli.project.settings import DBOS, Settings, engine_settings
from durably_cli.render.scheduled import MARK
from durably_cli.render.without_secrets import OPEN_VARIABLES, without_secrets
from durably_cli.system import files, user_crontab, user_units
from durably_cli.system.folders import CACHE_VARIABLE, DATA_VARIABLE
from durably_cli.values.quantities import plural

_PATH = "/usr/bin:/bin"
_IF_SET = "cron has it if its line or its crontab says so"
_SECONDS = 60


def of_cron(project: Path, time: Time) -> Iterator[Finding]:
    """All that cron needs, and what it lacks."""
    yield from _of_variables()
    yield _of_path()
    yield from _of_jobs(project)
    try:
        settings = engine_settings(project)
        engine = engine_name(settings)
    except DurablyError as error:
        yield _warning("engine", error.what.split("\n", 1)[0])
        return
    if engine == DBOS:  # whose runs are in no store, and need no tick
        yield _of_database(settings)
        yield from _of_crontab(project)
        yield from _of_units(project)
        return
    try:
        store = stores.open_store(project)
    except DurablyError as error:
        yield _warning("store", error.what.split("\n", 1)[0])
        return
    yield _of_store(store.root)
    by_cron = yield from _of_crontab(project)
    yield from _of_units(project)
    yield from of_tick(store, time, by_cron=by_cron)


def _fine(name: str, detail: str) -> Finding:
    return Finding("cron", name, "ok", detail)


def _warning(name: str, detail: str) -> Finding:
    return Finding("cron", name, "warning", detail)


def _of_variables() -> Iterator[Finding]:
    """Those of durably that are set here, and not by cron."""
    for name in sorted(name for name in os.environ if name.startswith("DURABLY_")):
        value = os.environ[name]
        is_path = name in (DATA_VARIABLE, CACHE_VARIABLE, PROJECT_VARIABLE)
        if is_path and value and not os.path.isabs(os.path.expanduser(value)):
            yield _warning(name, f"{value} is another folder for cron, which starts at home")
        elif value:
            said = value if name in OPEN_VARIABLES else "set here"  # a URL may be a secret
            yield _fine(name, f"{said}; {_IF_SET}")


def _of_database(settings: Settings) -> Finding:
    """Where cron finds the URL of the database, which is not shown."""
    kind, _, place = settings.database_place.partition(":")
    if kind == "env":
        return _fine("database", f"its URL is in {place}; {_IF_SET}")
    return _fine("database", f"its URL is in the file {place}, for cron as well")


def _of_path() -> Finding:
    here = dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep))
    others = [each for each in here if each and each not in _PATH.split(":")]
    but = f", and not in {':'.join(others)}" if others else ""
    return _fine("PATH", f"cron finds programs in {_PATH}{but}; a crontab may set another PATH")


def _of_jobs(project: Path) -> Iterator[Finding]:
    """Whether the jobs can be imported there, which is tried."""
    user = pwd.getpwuid(os.getuid())
    bare = {"HOME": user.pw_dir, "LOGNAME": user.pw_name, "PATH": _PATH, "SHELL": "/bin/sh"}
    try:
        variables, words = words_for_cron(project, "jobs", "--json")
    except DurablyError as error:
        yield _warning("jobs", error.what.split("\n", 1)[0])
        return
    home = user.pw_dir if os.path.isdir(user.pw_dir) else os.sep
    try:
        done = subprocess.run(
            words,
            env=bare | variables,
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        yield _warning("jobs", f"they were not imported within {_SECONDS} s")
        return
    except ValueError:
        lines = done.stderr.decode("utf-8", "replace").strip().split("\n")
        said = next((line for line in lines if line.startswith("error:")), lines[-1])  # uv's
        yield _warning("jobs", f"exit code {done.returncode}: {said}")
        return
    broken = answer.get("broken", [])
    for each in broken:
        reason = each["error"].strip().split("\n")[-1]
        yield _warning(_from(project, each["path"]), f"cron finds no job of it: {reason}")
    if not broken and "error" in answer:
        yield _warning("jobs", answer["error"]["message"].split("\n", 1)[0])
    elif found := [job["name"] for job in answer.get("jobs", [])]:
        yield _fine("jobs", f"cron finds {plural(len(found), 'job')}: {', '.join(found)}")


def _from(project: Path, file: str) -> str:
    return file.removeprefix(f"{project}{os.sep}")


def _of_store(root: Path) -> Finding:
    there = next(each for each in (root, *root.parents) if each.exists())
    owner, user = files.user_name(there.stat().st_uid), files.user_name(os.getuid())
    what = str(root) if there == root else f"{root} is not there yet, and {there}"
    if not os.access(there, os.W_OK):
        return _warning("store", f"{what} is of {owner}, and {user} may not write in it")
    return _fine("store", f"{what} is of {owner}, and {user} may write in it")


def _of_crontab(project: Path) -> Generator[Finding, None, bool]:
    """The lines of the user's crontab that are of this project; whether one of them ticks.

    And any line of `durably schedule` whose project has gone: it may be this one, which was moved.
    """
    try:
        content = user_crontab.read_crontab().decode("utf-8", "replace")
    except DurablyError as error:
        yield _fine("crontab", error.what)
        return False
    is_here = _naming(project).search
    here = list[str]()
    for line in content.splitlines():
        if line.lstrip().startswith("#") or "durably" not in line:
            continue
        gone = _gone_from(line)
        if is_here(line.replace("\\%", "%")):
            here.append(line)
        elif not (gone and _SCHEDULED.search(line)):
            continue
        shown = without_secrets(line)
        if re.search(r"(?<!\\)%", line):
            yield _warning("crontab", f"cron ends a command at % that is not \\%: {shown}")
        elif gone:
            yield _warning("crontab", f"no {gone} is there; crontab -e takes it out: {shown}")
        else:
            yield _fine("crontab", shown)
    if not here:
        yield _fine("crontab", f"no line of {files.user_name(os.getuid())} is of this project")
    return any(re.search(r"\stick(\s|$)", line) for line in here)


_SCHEDULED = re.compile(rf"{MARK}durably-[\w.-]+$")
_PROGRAM = re.compile(r"(.*/)?(durably|uv|python[0-9.]*)")
_BEFORE_A_PROJECT = re.compile(r"-C|--project|--script|(.*/)?python[0-9.]*")


def _gone_from(line: str) -> str | None:
    """The program or project that a line names and that is not there: it was moved, or rebuilt."""
    try:
        words = shlex.split(line.replace("\\%", "%"))
    except ValueError:  # no shell reads it either
        return None
    for before, word in pairwise(["", *words]):
        is_ours = _PROGRAM.fullmatch(word) or _BEFORE_A_PROJECT.fullmatch(before)
        if is_ours and os.path.isabs(word) and not os.path.exists(word):
            return word
    return None


def _naming(project: Path) -> re.Pattern[str]:
    """What a line has that is of this project: its schedule's name, or the project's whole path."""
    of_project = re.escape(schedule_name(project, None).removesuffix("-tick"))
    return re.compile(
        rf"(?<![\w.-]){of_project}(\.|-tick\b)|(?<![\w./-]){re.escape(str(project))}(?![\w.-])"
    )


def _of_units(project: Path) -> Iterator[Finding]:
    is_here = _naming(project).match
    for name in files.names(user_units.units_folder()):
        if is_here(name):
            yield _fine("systemd", name)
