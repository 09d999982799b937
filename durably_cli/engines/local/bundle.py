"""A run in one file, to look at elsewhere: a gzipped tar archive.

    bundle.json            which run this is, of what, exported when and by what
    <run id>.jsonl         the journal, byte by byte
    <run id>.blobs/...     its large results, output, log lines and errors
    <run id>.programs/...  what its programs have printed, if that is much
    <run id>.input-...     its input, if that is large
    source/<name>          the job's file, if it still is the one of the last attempt

What is damaged of a run is exported as it is, but for a large result that is lost: it is left out.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from durably_cli.engines.local.archive import Member, files_in
from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.engines.who import host
from durably_cli.errors import InvalidInput
from durably_cli.journal.blobs import INPUT, BlobDamaged, Blobs, is_file_name
from durably_cli.journal.large import stored
from durably_cli.journal.outputs import folder_of, is_output, outputs_of
from durably_cli.system import clock, files, ids
from durably_cli.values.strict_json import parse, to_json
from durably_cli.version import __version__

FORMAT = 1

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


def pack(view: JournalView, store: Store, job_files: Iterable[Path], out: BinaryIO) -> Contents:
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
        for path in (*_whole_blobs(view), *outputs_of(view.path)):
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
    members = files_in(bundle)
    contents = _head(next(members, None))
    journal = folder / f"{contents.run}.jsonl"
    blobs, programs = Blobs(journal).folder, folder_of(journal)
    for name, chunks in members:
        inner, _, last = name.rpartition("/")
        if name == journal.name:
            _put(name, chunks, journal)
        elif inner == blobs.name and is_file_name(last):
            blobs.mkdir(0o700, exist_ok=True)
            if _put(name, chunks, blobs / last) != last:
                raise InvalidInput(f"the large result {last} in it is damaged")
        elif inner == programs.name and is_output(last):
            programs.mkdir(0o700, exist_ok=True)
            _put(name, chunks, programs / last)
        elif name == journal.stem + INPUT + last[-64:] and is_file_name(last[-64:]):
            if _put(name, chunks, folder / name) != last[-64:]:
                raise InvalidInput(f"the large input {name} in it is damaged")
        elif inner == "source" and last == contents.source:
            _put(name, chunks, journal.with_suffix(".source"))
        else:
            raise InvalidInput(f"{name[:200]!r} does not belong in a bundle")
    if not journal.exists():
        raise InvalidInput("there is no journal in it")
    return contents


def _head(member: Member | None) -> Contents:
    data = b""
    if member is not None and member.name == "bundle.json":
        for piece in member.chunks:
            data += piece
            if len(data) > _HEAD_BYTES:
                break
    try:
        found: dict[str, Any] = parse(data)
        version = found.pop("bundle")
        contents = Contents(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise InvalidInput("this is no bundle of a run: bundle.json is not first") from None
    if version != FORMAT:
        raise InvalidInput(f"it is a bundle of format {version!r:.40}", hint="upgrade durably")
    must, may = contents[: -len(Contents._field_defaults)], contents._field_defaults
    given = [*must, *filter(None, map(found.get, may))]
    if not all(isinstance(value, str) for value in given):
        raise InvalidInput("this is no bundle of a run: bundle.json does not say what it should")
    if contents.input_sha256 is not None and not is_file_name(contents.input_sha256):
        raise InvalidInput("this is no bundle of a run: what it says of its input is no sha256")
    if not ids.is_id(contents.run):
        raise InvalidInput("this is no bundle of a run: it names none")
    return contents


def _put(name: str, chunks: Iterable[bytes], path: Path) -> str:
    """Write a new file, and return once it is on disk; the sha256 of its bytes."""
    digest = sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        raise InvalidInput(f"{name[:200]!r} is in it twice") from None
    try:
        os.fchmod(fd, 0o600)
        with files.with_path(path):
            for data in chunks:
                digest.update(data)
                files.write_all(fd, data)
            files.sync(fd)
    finally:
        os.close(fd)
    return digest.hexdigest()


def _whole_blobs(view: JournalView) -> list[Path]:
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


def _source_of(view: JournalView, job_files: Iterable[Path]) -> Path | None:
    """The file that the last attempt was made with, if it is unchanged."""
    attempts = view.state.attempts
    wanted = attempts[-1].started.source if attempts else None
    for path in job_files:
        if wanted == "sha256:" + sha256(path.read_bytes()).hexdigest():
            return path
    return None
