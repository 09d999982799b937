"""A run in one file, to look at elsewhere: a gzipped tar archive.

    bundle.json            which run this is, of what, exported when and by what
    <run id>.jsonl         the journal, byte by byte
    <run id>.blobs/...     its large results
    source/<name>          the job's file, if it still is the one of the last attempt

An imported run stands in the store like any other, with a `<run id>.imported` beside it that makes
it read-only. That and the large results are put there first and the journal last, so what a crash
leaves belongs to no run: the next import goes on with it, the next removal sweeps it.
"""

from __future__ import annotations

import filecmp
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from durably_cli import clock, files, ids, paths
from durably_cli.blobs import Blobs
from durably_cli.claims import Claim, Claims
from durably_cli.codec import to_json
from durably_cli.errors import Conflict, DurablyError, InvalidInput
from durably_cli.local import host
from durably_cli.store import Store, View
from durably_cli.version import __version__

FORMAT = 1

_CHUNK = 1 << 20
_BLOB = re.compile(r"[0-9a-f]{64}")
_HEAD_BYTES = 1 << 20


class Contents(NamedTuple):
    """What bundle.json says: the run, and what is needed of it to take it up elsewhere."""

    run: str
    job: str
    host: str
    exported: str
    durably: str
    source: str | None = None
    input_sha256: str | None = None


def write(view: View, store: Store, project: Path, out: BinaryIO) -> Contents:
    """Write the run as it stands now; what the bundle says of itself."""
    created = view.state.created
    source = _source_of(view, project)
    claim = None
    if created.idempotency_key is not None:
        claim = Claims(store.root).find(created.job, created.idempotency_key)
    contents = Contents(
        run=view.run_id,
        job=created.job,
        host=host(),
        exported=clock.now(),
        durably=__version__,
        source=source.name if source else None,
        input_sha256=claim.input_sha256 if claim and claim.run == view.run_id else None,
    )
    head = to_json({"bundle": FORMAT, **contents._asdict()}).encode("ascii")
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        _add(archive, "bundle.json", io.BytesIO(head), len(head))
        with view.open() as journal:
            _add(archive, f"{view.run_id}.jsonl", journal, os.fstat(journal.fileno()).st_size)
        blobs = Blobs(view.path)
        for name in sorted(files.names(blobs.folder)):
            with open(files.open_existing(blobs.folder / name), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                _add(archive, f"{blobs.folder.name}/{name}", file, size)
        if source is not None:
            data = source.read_bytes()
            _add(archive, f"source/{source.name}", io.BytesIO(data), len(data))
    return contents


def read(bundle: BinaryIO, store: Store, *, adopt: bool) -> Contents:
    """Put the run of a bundle into the store, read-only unless it is adopted.

    InvalidInput if it is no bundle, or a damaged one; Conflict if the store has another run of this
    id, or if the run's idempotency key stands for another run.
    """
    try:
        with tarfile.open(fileobj=bundle, mode="r|gz") as archive:
            return _read(archive, store, adopt=adopt)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, and not of what is in the file
        raise InvalidInput(f"this is no bundle of a run, or a damaged one: {error}") from None


def _read(archive: tarfile.TarFile, store: Store, *, adopt: bool) -> Contents:
    members = iter(archive)
    contents = _head(archive, next(members, None))
    path = store.path_of(contents.run)
    is_here = os.path.lexists(path)
    marker = path.with_suffix(".imported")
    files.make_folder(path.parent)
    if not is_here:
        _put(store, marker, io.BytesIO(to_json(contents._asdict()).encode("ascii")))
    journal: Path | None = None
    for member in members:
        file = archive.extractfile(member) if member.isreg() else None
        folder, _, name = member.name.rpartition("/")
        if file is None:
            raise InvalidInput(f"{member.name} in it is not a regular file")
        if member.name == path.name:
            journal = _spooled(store, path.name, file)
        elif folder == f"{contents.run}.blobs" and _BLOB.fullmatch(name):
            _put_blob(store, path, name, file)
        elif folder == "source" and name == contents.source:
            _put(store, path.with_suffix(".source"), file)
        else:
            raise InvalidInput(f"{member.name[:200]!r} does not belong in a bundle")
    if journal is None:
        raise InvalidInput("there is no journal in it")
    _publish(store, journal, path, is_here=is_here)
    if adopt:
        _adopt(store, contents, marker)
    return contents


def _publish(store: Store, journal: Path, path: Path, *, is_here: bool) -> None:
    if is_here:
        same = filecmp.cmp(journal, path, shallow=False)
        journal.unlink()
        if not same:
            raise Conflict(f"the store has run {path.stem} already, with another journal")
        return
    files.publish(journal, path)
    try:
        store.view(path.stem, despite_damage=True).close()
    except DurablyError as error:
        path.unlink()
        raise InvalidInput(f"its journal cannot be read: {error.what}") from None


def _adopt(store: Store, contents: Contents, marker: Path) -> None:
    """Make the run one of this store's own: its key stands for it, and it can be resumed."""
    with store.view(contents.run) as view:
        key = view.state.created.idempotency_key
    if key is not None and contents.input_sha256 is not None:
        claims = Claims(store.root)
        if not claims.make(contents.job, key, Claim(contents.run, contents.input_sha256)):
            claim = claims.find(contents.job, key)
            if claim is None or claim.run != contents.run:
                raise Conflict(f"the idempotency key {key!r} of {contents.job} is another run's")
        claims.sync()
    marker.unlink(missing_ok=True)
    files.sync_folder(marker.parent)


def _head(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> Contents:
    file = archive.extractfile(member) if member and member.name == "bundle.json" else None
    try:
        found: dict[str, Any] = json.loads(file.read(_HEAD_BYTES)) if file else {}
        version = found.pop("bundle")
        contents = Contents(**found)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise InvalidInput("this is no bundle of a run: bundle.json is not first") from None
    if version != FORMAT:
        raise InvalidInput(f"it is a bundle of format {version}", hint="upgrade durably")
    if not isinstance(contents.run, str) or not ids.is_id(contents.run):
        raise InvalidInput("this is no bundle of a run: it names none")
    return contents


def _put_blob(store: Store, path: Path, name: str, file: IO[bytes]) -> None:
    folder = Blobs(path).folder
    spooled = _spooled(store, name, file)
    with open(spooled, "rb") as copy:
        digest = sha256()
        while data := copy.read(_CHUNK):
            digest.update(data)
    if digest.hexdigest() != name:
        spooled.unlink()
        raise InvalidInput(f"the large result {name} in it is damaged")
    files.make_folder(folder)
    files.publish(spooled, folder / name)


def _put(store: Store, target: Path, file: IO[bytes]) -> None:
    os.rename(_spooled(store, target.name, file), target)
    files.sync_folder(target.parent)


def _spooled(store: Store, name: str, file: IO[bytes]) -> Path:
    """The file's bytes in a temporary file of the store, on disk."""
    fd, temporary = files.create(store.temporary, name)
    try:
        with files.naming(temporary):
            while data := file.read(_CHUNK):
                files.write_all(fd, data)
            files.sync(fd)
    except BaseException:
        temporary.unlink()
        raise
    finally:
        os.close(fd)
    return temporary


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, file)


def _source_of(view: View, project: Path) -> Path | None:
    """The project's file that the last attempt was made with, if it is unchanged."""
    attempts = view.state.attempts
    wanted = attempts[-1].started.source if attempts else None
    for path in _job_files(project):
        if wanted == "sha256:" + sha256(path.read_bytes()).hexdigest():
            return path
    return None


def _job_files(project: Path) -> Iterator[Path]:
    try:
        yield from paths.job_files(project)
    except DurablyError:
        return
