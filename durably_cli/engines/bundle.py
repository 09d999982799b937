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
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple

from durably_cli.engines.who import host
from durably_cli.errors import JournalDamaged
from durably_cli.journal.blobs import BlobDamaged, Blobs
from durably_cli.journal.large import stored
from durably_cli.journal.outputs import outputs_of
from durably_cli.journal.registry import Event
from durably_cli.journal.state import Attempt, RunState
from durably_cli.system import clock, files
from durably_cli.values.strict_json import to_json
from durably_cli.version import __version__

BUNDLE_FORMAT = 1


class Contents(NamedTuple):
    """What bundle.json says: the run, and what is needed of it to take it up elsewhere."""

    run: str
    job: str
    host: str
    exported: str
    durably: str
    source: str | None = None
    input_sha256: str | None = None


class Exported(NamedTuple):
    """What a bundle was made of: what is damaged of the run, and whether others go on with it."""

    contents: Contents
    damage: JournalDamaged | None
    goes_on: bool = False


def pack(
    journal: Path,
    file: IO[bytes],
    events: Iterable[Event],
    state: RunState,
    job_files: Iterable[Path],
    out: BinaryIO,
    *,
    input_sha256: str | None,
) -> Contents:
    """Write a run as it stands in the open file of its journal; what the bundle says of itself.

    The files that its `events` name stand beside the journal's path. `input_sha256` is what the
    run's idempotency key was claimed with, if that stands for it.
    """
    run, job = state.created.run, state.created.job
    source = _source_of(state.attempts, job_files)
    contents = Contents(
        run=run,
        job=job,
        host=host(),
        exported=clock.now(),
        durably=__version__,
        source=source.name if source else None,
        input_sha256=input_sha256,
    )
    head = to_json({"bundle": BUNDLE_FORMAT, **contents._asdict()}).encode("ascii")
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        _add(archive, "bundle.json", io.BytesIO(head), len(head))
        _add(archive, f"{run}.jsonl", file, os.fstat(file.fileno()).st_size)
        for path in (*_whole_blobs(journal, events), *outputs_of(journal)):
            with open(files.open_existing(path), "rb") as large:
                size = os.fstat(large.fileno()).st_size
                _add(archive, str(path.relative_to(journal.parent)), large, size)
        if source is not None:
            data = source.read_bytes()
            _add(archive, f"source/{source.name}", io.BytesIO(data), len(data))
    return contents


def _whole_blobs(journal: Path, events: Iterable[Event]) -> list[Path]:
    """The files of the large values that the journal names, without those that are lost."""
    blobs, found = Blobs(journal), set[Path]()
    for event in events:
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


def _source_of(attempts: Sequence[Attempt], job_files: Iterable[Path]) -> Path | None:
    """The file that the last attempt was made with, if it is unchanged."""
    wanted = attempts[-1].started.source if attempts else None
    for path in job_files:
        if wanted == "sha256:" + sha256(path.read_bytes()).hexdigest():
            return path
    return None
