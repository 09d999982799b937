"""A run in one file, to look at elsewhere: a gzipped tar archive.

    bundle.json            which run this is, of what, exported when and by what
    <run id>.jsonl         the journal, byte by byte
    <run id>.blobs/...     its large results, output, log lines and errors
    <run id>.input-...     its input, if that is large
    source/<name>          the job's file, if it still is the one of the last attempt

What is damaged of a run is exported as it is, but for a large result that is lost: it is left out.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.engines.local.who import host
from durably_cli.errors import InvalidInput
from durably_cli.journal.blobs import INPUT, BlobDamaged, Blobs, is_file_name
from durably_cli.journal.large import stored
from durably_cli.system import clock, files, ids
from durably_cli.values.strict_json import to_json
from durably_cli.version import __version__

FORMAT = 1

_CHUNK = 1 << 20
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


def pack(view: RunView, store: Store, job_files: Iterable[Path], out: BinaryIO) -> Contents:
    """Write the run as it stands now; what the bundle says of itself."""
    created = view.state.created
    source = _source_of(view, job_files)
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
        for path in _whole_blobs(view):
            with open(files.open_existing(path), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                _add(archive, str(path.relative_to(view.path.parent)), file, size)
        if source is not None:
            data = source.read_bytes()
            _add(archive, f"source/{source.name}", io.BytesIO(data), len(data))
    return contents


def unpack(bundle: BinaryIO, folder: Path) -> Contents:
    """Put the files of a bundle into this folder, on disk, named as a store names them.

    InvalidInput if it is no bundle, or a damaged one.
    """
    try:
        with tarfile.open(fileobj=bundle, mode="r|gz") as archive:
            return _unpack(archive, folder)
    except (tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, and not of what is in the file
        raise InvalidInput(f"this is no bundle of a run, or a damaged one: {error}") from None


def _unpack(archive: tarfile.TarFile, folder: Path) -> Contents:
    members = iter(archive)
    contents = _head(archive, next(members, None))
    journal = folder / f"{contents.run}.jsonl"
    for member in members:
        file = archive.extractfile(member) if member.isreg() else None
        inner, _, name = member.name.rpartition("/")
        if file is None:
            raise InvalidInput(f"{member.name[:200]!r} in it is not a regular file")
        if member.name == journal.name:
            _put(file, journal)
        elif inner == Blobs(journal).folder.name and is_file_name(name):
            Blobs(journal).folder.mkdir(0o700, exist_ok=True)
            if _put(file, Blobs(journal).folder / name) != name:
                raise InvalidInput(f"the large result {name} in it is damaged")
        elif member.name.startswith(journal.stem + INPUT) and is_file_name(name[-64:]):
            if _put(file, folder / name) != name.removeprefix(journal.stem + INPUT):
                raise InvalidInput(f"the large input {name} in it is damaged")
        elif inner == "source" and name == contents.source:
            _put(file, journal.with_suffix(".source"))
        else:
            raise InvalidInput(f"{member.name[:200]!r} does not belong in a bundle")
    if not journal.exists():
        raise InvalidInput("there is no journal in it")
    return contents


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


def _put(file: IO[bytes], path: Path) -> str:
    """Write a new file, and return once it is on disk; the sha256 of its bytes."""
    digest = sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
        with files.with_path(path):
            while data := file.read(_CHUNK):
                digest.update(data)
                files.write_all(fd, data)
            files.sync(fd)
    finally:
        os.close(fd)
    return digest.hexdigest()


def _whole_blobs(view: RunView) -> list[Path]:
    """The files of the large values that the journal names, without those that are lost."""
    blobs, found = Blobs(view.path), set[Path]()
    for event in view.events():
        large = stored(event)
        if large is not None:
            try:
                blobs.check(large.reference)
            except BlobDamaged:
                continue
            found.add(blobs.path_of(large.reference))
    return sorted(found)


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, file)


def _source_of(view: RunView, job_files: Iterable[Path]) -> Path | None:
    """The file that the last attempt was made with, if it is unchanged."""
    attempts = view.state.attempts
    wanted = attempts[-1].started.source if attempts else None
    for path in job_files:
        if wanted == "sha256:" + sha256(path.read_bytes()).hexdigest():
            return path
    return None
