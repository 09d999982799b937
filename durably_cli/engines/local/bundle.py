"""A bundle of a run, taken apart into the files of a store; and one made of a journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from durably_cli.engines.bundle import BUNDLE_FORMAT, Contents, pack
from durably_cli.engines.local.archive import Member, files_in
from durably_cli.engines.local.claims import Claims
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.errors import InvalidInput
from durably_cli.journal.blobs import INPUT, Blobs, is_file_name
from durably_cli.journal.outputs import folder_of, is_output
from durably_cli.system import files, ids
from durably_cli.values.strict_json import parse

_HEAD_BYTES = 1 << 20


def pack_journal(
    view: JournalView, store: Store, job_files: Iterable[Path], out: BinaryIO
) -> Contents:
    """Write the run as it stands now; what the bundle says of itself."""
    created = view.state.created
    claim = None
    if created.idempotency_key is not None:
        claim = Claims(store.root).find(created.job, created.idempotency_key)
    sha256_ = claim.input_sha256 if claim and claim.run == view.run_id else None
    with view.open() as journal:
        events = view.events()
        return pack(view.path, journal, events, view.state, job_files, out, input_sha256=sha256_)


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
    if version != BUNDLE_FORMAT:
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
