"""A form tried once: to its end, or killed at the half and begun again; and what came of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.benchmarks.scraper import server
from tests.benchmarks.scraper.forms import Form
from tests.conftest import environment

PAGES = 2_000
PATIENCE = 300
"""How many seconds a trial may take."""


class Trial(NamedTuple):
    """What one took, and how many pages were asked for more than once, or are not there."""

    seconds: float
    cpu: float
    twice: int
    lost: int


class Failed(Exception):
    """A form did not come to its end."""


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, Path]]:
    """The port of a server, and the file in which it notes the requests."""
    log = folder / "requests"
    log.touch()
    command = [sys.executable, server.__file__, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), log
        finally:
            process.kill()


def tried(form: Form, peers: Path, *, killed: bool, pages: int = PAGES) -> Trial:
    """Try a form in a folder of its own; it is killed when half of the pages were asked for."""
    with TemporaryDirectory(prefix="scraper-") as parent, _served(Path(parent)) as (port, log):
        folder = Path(parent) / "project"
        (folder / "pages").mkdir(parents=True)
        urls = (f"http://127.0.0.1:{port}/{number}\n" for number in range(pages))
        (folder / "urls.txt").write_text("".join(urls))
        form.put_into(folder)
        env = environment() | {
            "DURABLY_DATA_DIR": f"{parent}/data",
            "DURABLY_CACHE_DIR": f"{parent}/cache",
            "HOME": parent,
        }
        begun, cpu = time.perf_counter(), 0.0
        if killed:
            cpu = _killed(form.first(peers), folder, env, log, pages // 2)
        code, used = _ended(form.again(peers) if killed else form.first(peers), folder, env)
        seconds = time.perf_counter() - begun
        if code:
            said = (folder.parent / "said").read_text(errors="replace")
            raise Failed(f"{form.name} ended with {code}: {said[-2000:]}")
        asked = Counter(log.read_text().split())
        return Trial(
            seconds,
            cpu + used,
            twice=sum(times > 1 for times in asked.values()),
            lost=sum(not _is_there(folder, str(number)) for number in range(pages)),
        )


def _is_there(folder: Path, number: str) -> bool:
    try:
        return (folder / "pages" / number).read_bytes() == server.page(number)
    except FileNotFoundError:
        return False


def _started(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """The command in a session of its own, so that its process group can be killed."""
    with open(folder.parent / "said", "ab") as said:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def _killed(command: list[str], folder: Path, env: dict[str, str], log: Path, at: int) -> float:
    """Kill it when so many pages were asked for; the CPU seconds that it has taken."""
    process = _started(command, folder, env)
    end = time.monotonic() + PATIENCE
    while log.read_bytes().count(b"\n") < at:
        if process.poll() is not None or time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
            raise Failed(f"{' '.join(command)} does not come to the half")
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    os.killpg(process.pid, signal.SIGKILL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime


def _ended(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, float]:
    """Its exit code, and the CPU seconds that it and its children have taken."""
    process = _started(command, folder, env)
    end = time.monotonic() + PATIENCE
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
        if time.monotonic() > end:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.005)
