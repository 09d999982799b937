"""A store in which one place after the other is made hostile, and what must not change for that."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.store import Store
from durably_cli.journal.events import (
    FORMAT,
    RunCompleted,
    RunCreated,
    RunStarted,
)
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How, TriggerResult

EXIT_CODES = frozenset((0, 1, 2, 4, 5, 65, 74, 75, 77, 78, 129, 130, 143))
STRANGER = 12345
OLD_RUN = "019b8c7e-9c00-7000-8000-000000000001"
_AT = "2026-01-05T00:00:00.000Z"

JOB = """
    @define_job
    def work(step: Step, payload: dict) -> str:
        step.log.info("begun")
        step.run("large", lambda: "x" * 70_000)
        step.run("last", fail if payload.get("fails") else str)
        return "done"

    def fail() -> None:
        raise RuntimeError("not yet mended")
"""

READING = (
    *("list", "list --json", "inspect VICTIM", "inspect VICTIM --json", "verify", "info"),
    *("inspect VICTIM --step large", "inspect @failed", "inspect key:work/v", "logs VICTIM"),
    *("inspect VICTIM --events", "inspect VICTIM --html -", "logs VICTIM --follow"),
    "wait key:work/k",
)
"""The commands that change nothing, not even a cache."""
WRITING = (
    *("jobs", "export VICTIM -o NEW", "trigger work", "trigger work -q", "resume VICTIM"),
    *("trigger work --idempotency-key v -p fails:=true", "trigger work --idempotency-key new"),
    *("trigger work --concurrency-key c", "delete VICTIM --status failed", "repair VICTIM --yes"),
    *("prune --older-than 0s --status failed --yes", "import BUNDLE --adopt"),
)


class Home:
    """A project with a few runs, a folder outside of it, and a copy of it all to go back to.

    VICTIM is a failed run with both kinds of keys and a large result, `kept` a completed one beside
    it, and OLD_RUN one of another day. Its user is the one who runs the tests, or another.
    """

    def __init__(self, root: Path, user: int | None = None) -> None:
        self.root, self.user = root, user
        self.outside = root / "outside"
        home = root / "home"
        for folder in (root, home):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        self.project = Project(home)
        self.project.job(JOB, "work")
        self.bundle, self._copy = home / "run.tar.gz", root / "copy"
        self._parts = self.project.data, self.project.cache
        self._make_runs()
        for part in self._parts:
            shutil.copytree(part, self._copy / part.name)
        self.restore()

    def run(self, *args: str, **how: object) -> TriggerResult:
        """Run the command as the user of this home: in order, if not well."""
        given = How(self.project.root, self.project.env, user=self.user)
        ended = forking.run(given._replace(**how), *args)
        assert ended.code in EXIT_CODES, ended
        assert ended.code == 0 or ended.err or b'"error"' in ended.out, ended
        assert b"Traceback" not in ended.err or b"durably_cli" not in ended.err, ended
        assert b"a bug in durably" not in ended.err, ended
        return ended

    def words(self, command: str) -> list[str]:
        """A command of READING or WRITING, as it is typed here."""
        named = {"VICTIM": self.victim, "NEW": f"{self.root}/home/new", "BUNDLE": str(self.bundle)}
        return [named.get(word, word) for word in command.split()]

    def _make_runs(self) -> None:
        how = How(self.project.root, self.project.env)
        for line in (
            *("jobs", "trigger work", f"export @last -o {self.bundle}", "delete @last"),
            "trigger work --idempotency-key k",
            "trigger work -p fails:=true --idempotency-key v --concurrency-key c",
        ):
            forking.run(how, *line.split())
        (self.store,) = self.project.data.iterdir()
        store = Store(self.store)
        self.victim, self.kept = store.run_ids()
        old = store.create(RunCreated(FORMAT, OLD_RUN, "work", Json("{}"), _AT))
        assert old is not None
        with old as journal:
            journal.append(RunStarted(1, 1, "host", _AT))
            journal.append(RunCompleted(Json("1"), _AT))

    def restore(self) -> None:
        """Put everything back."""
        for part in (*self._parts, self.outside, self.root / "home" / "new"):
            remove(part)
        for part in self._parts:
            shutil.copytree(self._copy / part.name, part)
        (self.outside / "treasury").mkdir(parents=True, mode=0o700)
        for folder in (self.outside, self.outside / "treasury"):
            (folder / "treasure").write_text("not to be touched")
        if self.user is not None:
            for path in (self.root, *self.root.rglob("*")):
                if self._copy not in (path, *path.parents):
                    os.chown(path, self.user, self.user, follow_symlinks=False)

    def places(self) -> dict[str, Path]:
        """What can be made hostile, by name."""
        store, journal = self.store, Store(self.store).path_of(self.victim)
        (blob,) = journal.with_suffix(".blobs").iterdir()
        return {name: store / name for name in ("project.json", "runs", "keys", "locks", "tmp")} | {
            "data": self.project.data,
            "store": store,
            "cache": self.project.cache,
            "day": journal.parent,
            "journal": journal,
            "blobs": blob.parent,
            "blob": blob,
            "claim": Claims(store).path("work", "v"),
            "lock": store / "locks" / sha256(b"c").hexdigest(),
            "cache file": self.project.cache / f"{store.name}.json",
        }

    def spoil(self, place: str, hostility: str) -> None:
        """Put everything back, and make one place hostile."""
        self.restore()
        HOSTILITIES[hostility](self.places()[place], self.outside)


Hostility = Callable[[Path, Path], object]
"""Makes a place hostile, with a folder outside to lead to."""


def _moved_out(place: Path, outside: Path) -> None:
    target = outside / place.name
    shutil.move(place, target)
    place.symlink_to(target)


def _socket(place: Path, _: Path) -> None:
    before = os.getcwd()
    os.chdir(place.parent)  # the name of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
        os.rename("s", place.name)
    finally:
        os.chdir(before)


def _device(minor: int, name: str) -> Hostility:
    def make(place: Path, _: Path) -> None:
        if os.geteuid() == 0:
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        else:
            place.symlink_to(f"/dev/{name}")

    return make


def _in_its_place(make: Hostility) -> Hostility:
    def replace(place: Path, outside: Path) -> None:
        remove(place)
        make(place, outside)

    return replace


def _link_to_another(place: Path, outside: Path) -> None:
    target = outside / ("treasury" if place.is_dir() else "treasure")
    remove(place)
    place.symlink_to(target)


def _of_the_other_kind(place: Path, _: Path) -> None:
    make = place.touch if place.is_dir() else place.mkdir
    remove(place)
    make()


HOSTILITIES: dict[str, Hostility] = {
    "moved out": _moved_out,
    "link to another": _link_to_another,
    "dangling": _in_its_place(lambda place, outside: place.symlink_to(outside / "nothing")),
    "link to itself": _in_its_place(lambda place, _: place.symlink_to(place.name)),
    "hard link": lambda place, outside: os.link(place, outside / place.name),
    "fifo": _in_its_place(lambda place, _: os.mkfifo(place, 0o600)),
    "socket": _in_its_place(_socket),
    "null": _in_its_place(_device(3, "null")),
    "zero": _in_its_place(_device(5, "zero")),
    "of the other kind": _of_the_other_kind,
    "read-only": lambda place, _: place.chmod(0o444),
    "without a mode": lambda place, _: place.chmod(0o000),
    "for all to write": lambda place, _: place.chmod(0o777),
    "of another": lambda place, _: os.chown(place, 54321, 54321),
}


def remove(path: Path) -> None:
    """Remove whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


Look = tuple[object, ...]


def looks(*folders: Path) -> dict[str, Look]:
    """All that there is below: kind, mode, owner, time of change, and what is in it."""
    found: dict[str, Look] = {}
    for folder in folders:
        for path in (folder, *sorted(folder.rglob("*"))):
            status = path.lstat()
            content: object = status.st_rdev
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = sha256(path.read_bytes()).hexdigest()
            found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_mtime_ns, content)
    return found


@contextmanager
def unchanged(*folders: Path) -> Iterator[None]:
    """AssertionError if anything below is not as it was before."""
    before = looks(*folders)
    yield
    changed = before.items() ^ looks(*folders).items()
    assert not changed, changed
