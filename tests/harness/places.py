"""A store in which one place after the other is made hostile, and what must not change for that."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.store import Store
from durably_cli.journal.events import FORMAT, RunCompleted, RunCreated, RunStarted
from durably_cli.project import stores
from durably_cli.values.strict_json import Json
from tests.conftest import Project
from tests.harness import forking
from tests.harness.forking import How, TriggerResult

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

STRANGER = 12345
OLD_RUN = "019b8c7e-9c00-7000-8000-000000000001"
_AT = "2026-01-05T00:00:00.000Z"


class Home:
    """A project with a few runs, a folder outside of it, and a copy of it all to go back to.

    `victim` is a failed run with both kinds of keys and a large result, `kept` a completed one
    beside it, and OLD_RUN one of another day. Its user is the one who runs the tests, or another.
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
        self.bundle = home / "run.tar.gz"
        self.store = _store_of(self.project)
        self._make_runs()
        self._copy = root / "copy"
        for part in self._parts:
            shutil.copytree(part, self._copy / part.name)
        self.restore()

    @property
    def _parts(self) -> tuple[Path, Path]:
        return self.project.data, self.project.cache

    def run(self, *args: str, **how: object) -> TriggerResult:
        """Run the command as the user of this home."""
        given = How(self.project.root, self.project.env, user=self.user)
        return forking.run(given._replace(**how), *args)

    def _make_runs(self) -> None:
        how = How(self.project.root, self.project.env)
        keys = ("--idempotency-key", "v", "--concurrency-key", "c")
        for args in (
            ("jobs",),
            ("trigger", "work"),
            ("export", "@last", "-o", str(self.bundle)),
            ("delete", "@last"),
            ("trigger", "work", "--idempotency-key", "k"),
            ("trigger", "work", "-p", "fails:=true", *keys),
        ):
            forking.run(how, *args)
        store = Store(self.store)
        self.victim, self.kept = store.run_ids()
        old = store.create(RunCreated(FORMAT, OLD_RUN, "work", Json("{}"), _AT))
        assert old is not None
        with old as journal:
            journal.append(RunStarted(1, 1, "host", _AT))
            journal.append(RunCompleted(Json("1"), _AT))

    def restore(self) -> None:
        """Put everything back."""
        for part in (*self._parts, self.outside):
            remove(part)
        for part in self._parts:
            shutil.copytree(self._copy / part.name, part)
        self.outside.mkdir()
        (self.outside / "treasure").write_text("not to be touched")
        (self.outside / "treasury").mkdir(mode=0o700)
        (self.outside / "treasury" / "treasure").write_text("not to be touched")
        if self.user is not None:
            for path in (self.root, *self.root.rglob("*")):
                if self._copy not in (path, *path.parents):
                    os.chown(path, self.user, self.user, follow_symlinks=False)

    def places(self) -> dict[str, Path]:
        """What can be made hostile, by name."""
        store, journal = self.store, Store(self.store).path_of(self.victim)
        (blob,) = journal.with_suffix(".blobs").iterdir()
        return {
            "data": self.project.data,
            "store": store,
            "project.json": store / "project.json",
            "runs": store / "runs",
            "day": journal.parent,
            "journal": journal,
            "keys": store / "keys",
            "claim": Claims(store).path("work", "v"),
            "locks": store / "locks",
            "lock": store / "locks" / sha256(b"c").hexdigest(),
            "tmp": store / "tmp",
            "blobs": blob.parent,
            "blob": blob,
            "cache": self.project.cache,
            "cache file": self.project.cache / f"{store.name}.json",
        }

    def commands(self) -> dict[str, tuple[str, ...]]:
        """Every command, by name."""
        victim, new = self.victim, str(self.root / "home" / "new")
        return {
            "list": ("list",),
            "list as json": ("list", "--json"),
            "inspect": ("inspect", victim),
            "inspect all": ("inspect", victim, "--json"),
            "inspect a step": ("inspect", victim, "--step", "large"),
            "inspect a word": ("inspect", "@failed"),
            "inspect a key": ("inspect", "key:work/v"),
            "events": ("inspect", victim, "--events"),
            "page": ("inspect", victim, "--html", "-"),
            "logs": ("logs", victim),
            "follow": ("logs", victim, "--follow"),
            "verify": ("verify",),
            "jobs": ("jobs",),
            "info": ("info",),
            "export": ("export", victim, "-o", new),
            "trigger": ("trigger", "work"),
            "trigger quietly": ("trigger", "work", "-q"),
            "trigger a key": ("trigger", "work", "--idempotency-key", "v", "-p", "fails:=true"),
            "trigger a new key": ("trigger", "work", "--idempotency-key", "new"),
            "trigger in turn": ("trigger", "work", "--concurrency-key", "c"),
            "resume": ("resume", victim),
            "delete": ("delete", victim, "--status", "failed"),
            "prune": ("prune", "--older-than", "0s", "--status", "failed", "--yes"),
            "repair": ("repair", victim, "--yes"),
            "import": ("import", str(self.bundle), "--adopt"),
        }


READING = (
    *("list", "list as json", "inspect", "inspect all", "inspect a step", "inspect a word"),
    *("inspect a key", "events", "page", "logs", "follow", "verify", "info"),
)
"""The commands that change nothing, not even a cache."""


def _store_of(project: Project) -> Path:
    """The store's folder of a project that has a data folder of its own."""
    return project.data / stores.store_folder(project.root.resolve()).name


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
        for path in (folder, *_below(folder)):
            status = path.lstat()
            content: object = status.st_rdev
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = sha256(path.read_bytes()).hexdigest()
            found[str(path)] = (oct(status.st_mode), status.st_uid, status.st_mtime_ns, content)
    return found


def _below(folder: Path) -> Iterator[Path]:
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        yield path
        yield from _below(path)


@contextmanager
def unchanged(*folders: Path) -> Iterator[None]:
    """AssertionError if anything below is not as it was before."""
    before = looks(*folders)
    yield
    after = looks(*folders)
    differences = {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    assert not differences, differences
