"""What durably prints in a pipe, command by command, without what differs from run to run."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from zlib import crc32

from durably_cli.version import __version__
from tests.conftest import CODE, Project, Started
from tests.golden import runs

Act = Callable[["Stage"], None]
"""Something else than a command that happens in a story; its docstring stands in the transcript."""

_RUN_ID = rf"(?!{runs.run_id(0)[:8]})[0-9a-f]{{8}}-[0-9a-f]{{4}}-7[0-9a-f]{{3}}-[0-9a-f-]{{17}}"
_DATE = rf"\b(?!{runs.YEAR})\d{{4}}-\d\d-\d\d"
_VARYING = (
    (rf"{_DATE}T\d\d:\d\d:\d\d\.\d{{3}}Z", "<time>"),
    (rf"{_DATE} \d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", "<time>"),
    (rf"(?<=/runs/){_DATE}(?=/)", "<day>"),
    (r"(?<=<data>/)(\w+)-[0-9a-f]{8}\b", r"\1-<hash>"),
    (r"\b\d+[smhd] (ago|old)\b", r"<age> \1"),
)
_VARYING_IN_TALK = (
    (r"\b\d[\d.]* (?:ms|s|m \d+ s)\b", "<span>"),
    (r"(?<!:)\b\d\d:\d\d:\d\d(?:\b|Z)", "<clock>"),
)
_VARYING_OF_NOW = (
    (r'"(pid|ms|seconds)":[\d.]+', r'"\1":<\1>'),
    (r'"(host|crc)":"[^"]*"', r'"\1":"<\1>"'),
    (r',"synced_to":\d+', ""),
    (r'("code":"jobs[^"]*:)[0-9a-f]{8}"', r'\1<hash>"'),
    (r"\(pid \d+ on [^)]*\)", "(pid <pid> on <host>)"),
    (r"(<time>\t+)[\d.]+(?=\t)", r"\1<seconds>"),
)
"""What differs on a line that names a run or a time of now."""

_JOBS = '''
class Input(BaseModel):
    """What to work on."""
    n: int = 1
    name: str = "Ann"
    fail: bool = False

@define_job
def work(step: Step, payload: Input) -> list[int]:
    """Work on some numbers."""
    for i in range(payload.n):
        step.run(f"step-{i}", lambda: i)
    step.log.info("worked", n=payload.n)
    step.progress(1, 2, "half")
    print("printed by the job")
    if payload.fail and step.attempt == 1:
        step.run("fails", lambda: 1 / 0)
    return list(range(payload.n))

@define_job
def waits(step: Step, payload: dict) -> None:
    step.run("wait", lambda: effect("waiting") and time.sleep(60))
'''


class Stage:
    """A project of two jobs, with the golden store, in which the commands of a story run."""

    def __init__(self, root: Path) -> None:
        self.folder = root.resolve()
        self.project = Project(self.folder)
        self.job = self.project.job(_JOBS, "work").read_bytes()
        self.started: list[Started] = []
        given = ("DURABLY_DATA_DIR", "DURABLY_CACHE_DIR", "EFFECTS", "HOME", "COLUMNS")
        env = {name: self.project.env[name] for name in (*given, "PATH", "PYTHONPATH")}
        self.project.env = env | {"TZ": "UTC", "LC_ALL": "C.UTF-8", "LOGNAME": "ann"}
        self.store = self.project.data / f"project-{crc32(os.fsencode(self.project.root)):08x}"
        for name, data in stored_files().items():
            path = self.store / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        for path in (self.project.data, *self.project.data.rglob("*")):
            path.chmod(0o700 if path.is_dir() else 0o600)

    def run(self, story: Iterable[str | Act]) -> str:
        """Run its command lines one after the other; the transcript of all."""
        try:
            return "\n".join(map(self._transcript, story))
        finally:
            for process in self.started:
                process.kill()
                process.communicate()

    def _transcript(self, line: str | Act) -> str:
        if not isinstance(line, str):
            line(self)
            return f"# {line.__doc__}\n"
        command, _, given = line.replace("<folder>", str(self.folder)).partition(" <<< ")
        name, *args = shlex.split(command)
        assert name == "durably", line
        done = self.project.run(*args, expect=None, input=given or None)
        err = "".join(f"2> {each}\n" for each in done.err.splitlines())
        end = "" if done.out.endswith("\n") or not done.out else "<no newline>\n"
        return f"$ {line}\n" + self._normal(done.out + end + err) + f"[exit {done.code}]\n"

    def _normal(self, text: str) -> str:
        """The text without what is another one in another place, or at another time."""
        programs = re.escape(os.path.dirname(sys.executable))
        text = re.sub(rf"{programs}/python[\d.]*", "<python>", text)
        text = re.sub(rf"{programs}/durably\b", "<durably>", text)
        for found, name in (
            *((self.store, "<store>"), (self.project.data, "<data>"), (CODE, "<code>")),
            *((self.project.root, "<project>"), (self.folder, "<folder>")),
            (sha256(self.job).hexdigest(), "<hash>"),
        ):
            text = text.replace(str(found), name)
        for version, name in ((__version__, "version"), (platform.python_version(), "python")):
            text = re.sub(rf"(?<![\d.]){re.escape(version)}(?![\d.])", f"<{name}>", text)
        for number, run in enumerate(self._runs_of_now(), 1):
            text = text.replace(run, f"<run {number}>").replace(run[-8:], f"<short {number}>")
        for pattern, name in _VARYING:
            text = re.sub(pattern, name, text)
        return "".join(map(_normal_line, text.splitlines(keepends=True)))

    def _runs_of_now(self) -> list[str]:
        found = (path.stem for path in self.project.data.glob("*/runs/*/*.jsonl"))
        return sorted(run for run in found if re.fullmatch(_RUN_ID, run))


def _normal_line(line: str) -> str:
    is_talk, is_of_now = line.startswith("2> "), re.search(r"<(time|run \d+|short \d+)>", line)
    patterns = (_VARYING_IN_TALK if is_talk else ()) + (_VARYING_OF_NOW if is_of_now else ())
    for pattern, name in patterns:
        line = re.sub(pattern, name, line)
    return line


def stored_files() -> dict[str, bytes]:
    """The files of the golden store, by their paths in it."""
    found = (path for path in sorted(runs.STORE.rglob("*")) if path.is_file())
    return {str(path.relative_to(runs.STORE)): path.read_bytes() for path in found}
