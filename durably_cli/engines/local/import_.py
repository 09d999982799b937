"""Bringing a run in from a bundle.

All of the bundle is unpacked into a folder in `tmp` and looked at first, so one that is refused
leaves nothing. Then its files get their names in the store: first `<run id>.imported`, which makes
the run read-only, then what belongs to the run, and the journal last. Until that is done the marker
is locked; what a crash leaves belongs to no run, and the next removal sweeps it.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from durably_cli import hints
from durably_cli.engines.bundle import Contents
from durably_cli.engines.local import bundle
from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView, is_imported, marker_of
from durably_cli.errors import Conflict, DurablyError, InvalidInput, JournalDamaged
from durably_cli.journal.blobs import INPUT, Blobs
from durably_cli.journal.events import RunCreated
from durably_cli.journal.outputs import folder_of
from durably_cli.system import files, locks
from durably_cli.system.ids import short
from durably_cli.values.strict_json import to_json


class Imported(NamedTuple):
    """What a bundle held, whether the run was here before, and what is damaged of it."""

    contents: Contents
    was_here: bool
    damage: JournalDamaged | None


def import_bundle(file: BinaryIO, store: Store, *, adopt: bool) -> Imported:
    """Put the run of a bundle into the store, read-only unless it is adopted.

    InvalidInput if it is no bundle, or a damaged one; Conflict if the store has another run of this
    id, or if the run's idempotency key stands for another run.
    """
    with _stage(store) as stage:
        contents = bundle.unpack(file, stage)
        journal = stage / f"{contents.run}.jsonl"
        created, damage = _look(journal)
        key = created.idempotency_key
        if created.job != contents.job:
            raise InvalidInput(
                f"its bundle.json says it is a run of {contents.job[:200]!r}, and its journal one "
                f"of {created.job[:200]!r}"
            )
        path = store.path_of(contents.run)
        was_here = os.path.lexists(path)
        if was_here and not filecmp.cmp(journal, path, shallow=False):
            raise Conflict(
                f"the store has run {short(path.stem)} already, with another journal",
                hint=hints.command("inspect", short(path.stem)),
            )
        if adopt:
            _check_claim(store, contents, key)
        if not was_here:
            _publish(journal, path, contents)
    if adopt and is_imported(path):
        _adopt(store, contents, key)
        was_here = False  # as one of this project's own
    return Imported(contents, was_here, damage)


@contextmanager
def _stage(store: Store) -> Iterator[Path]:
    """A folder in `tmp`, which goes with all that is in it."""
    files.make_folder(store.temporary)
    folder = store.temporary / f"import.{os.urandom(8).hex()}.tmp"
    os.mkdir(folder, 0o700)
    os.chmod(folder, 0o700)
    try:
        yield folder
    finally:
        files.remove_folder(folder)


def _look(journal: Path) -> tuple[RunCreated, JournalDamaged | None]:
    """What an unpacked run was made as, and what is damaged of it."""
    fd = files.open_existing(journal)
    try:
        view = JournalView(fd, journal)
    except DurablyError as error:
        os.close(fd)
        raise InvalidInput(f"its journal cannot be read: {error.what}") from None
    with view:
        return view.state.created, view.damage


def _publish(journal: Path, path: Path, contents: Contents) -> None:
    marker = marker_of(journal)
    fd = os.open(marker, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.fchmod(fd, 0o600)
    lock = locks.acquire(fd)
    if lock is None:
        raise AssertionError(f"{marker} is new, and locked")
    try:
        files.write_all(fd, to_json(contents._asdict()).encode("ascii"))
        files.sync(fd)
        files.make_folder(path.parent)
        os.rename(marker, marker_of(path))
        for folder, target in (
            (Blobs(journal).folder, Blobs(path).folder),
            (folder_of(journal), folder_of(path)),
        ):
            if folder.exists():
                files.make_folder(target)
                for name in files.names(folder):
                    os.rename(folder / name, target / name)
                files.sync_folder(target)
        for name in files.names(journal.parent):
            if name.startswith(journal.stem + INPUT):
                os.rename(journal.with_name(name), path.with_name(name))
        if journal.with_suffix(".source").exists():
            os.rename(journal.with_suffix(".source"), path.with_suffix(".source"))
        files.sync_folder(path.parent)
        files.publish(journal, path)
    finally:
        lock.close()


def _check_claim(store: Store, contents: Contents, key: str | None) -> None:
    """Conflict if the key of the run stands for another one here."""
    claim = None if key is None else Claims(store.root).find(contents.job, key)
    if claim is not None and claim.run != contents.run:
        raise Conflict(
            f"the idempotency key {key!r} of {contents.job} is another run's, {short(claim.run)}",
            hint="import it without --adopt, to look at it",
        )


def _adopt(store: Store, contents: Contents, key: str | None) -> None:
    """Make the run one of this store's own: its key stands for it, and it can be resumed."""
    path, claims = store.path_of(contents.run), Claims(store.root)
    if key is not None and contents.input_sha256 is not None:
        claims.make(contents.job, key, Claim(contents.run, contents.input_sha256))
        _check_claim(store, contents, key)
        claim = claims.find(contents.job, key)
        if claim is not None and claim.deleted:  # it was deleted here, and is back
            claims.revive(claims.path(contents.job, key), claim)
        claims.sync()
    marker_of(path).unlink(missing_ok=True)
    files.sync_folder(path.parent)
