"""The members of a tar archive that somebody else may have made: regular files, one behind another.

Python's own reader follows what an archive says of itself, into files that are sparse, headers that
are as large as memory, and a loop. This one reads what bundles consist of, and refuses the rest.
"""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator
from gzip import BadGzipFile, GzipFile
from typing import BinaryIO, NamedTuple

from durably_cli.errors import InvalidInput

_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20
_MOST_IN_HEADER = 1 << 14
"""How many bytes a header may have that says a long name."""

_RECORD = re.compile(rb"(\d{1,5}) ([^=\n]{1,100})=")


class Member(NamedTuple):
    """A file in an archive, whose bytes are to be read before the next one is asked for."""

    name: str
    chunks: Iterator[bytes]


def files_in(file: BinaryIO) -> Iterator[Member]:
    """The files of a gzipped archive, in order. InvalidInput for anything else."""
    with GzipFile(fileobj=file) as data:
        said: dict[str, str] = {}
        while (block := _read(data, _BLOCK)).strip(b"\0"):
            header = _header(block)
            if header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
                said |= _said(header, b"".join(_chunks(data, header.size)))
                continue
            if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
                raise InvalidInput(f"{header.name[:200]!r} in it is not a regular file")
            chunks = _chunks(data, _size(said.get("size", str(header.size))))
            yield Member(said.get("path", header.name), chunks)
            for _ in chunks:  # what nobody has read
                pass
            said = {}


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError) as error:
        raise _damaged(error) from None
    says_more = header.type in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
    if says_more and not 0 < header.size <= _MOST_IN_HEADER:
        raise _damaged(f"a header of {header.size:,} bytes")
    return header


def _said(header: tarfile.TarInfo, data: bytes) -> dict[str, str]:
    """What a header says of the file behind it: its path, and its size."""
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    found: dict[str, str] = {}
    while data:
        record = _RECORD.match(data)
        end = int(record[1]) if record else 0
        if record is None or not record.end() < end <= len(data) or data[end - 1] != 0x0A:
            raise _damaged("a header that makes no sense")
        key = record[2].decode("utf-8", "surrogateescape")
        if key.startswith("GNU.sparse"):
            raise _damaged("a file in it is sparse")
        found[key] = data[record.end() : end - 1].decode("utf-8", "surrogateescape")
        data = data[end:]
    return found


def _size(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise _damaged(f"a file of {text[:40]!r} bytes")
    return int(text)


def _chunks(data: GzipFile, size: int) -> Iterator[bytes]:
    """So many bytes in pieces, and what fills up the last block behind them."""
    left = size
    while left:
        piece = _read(data, min(left, _CHUNK))
        left -= len(piece)
        yield piece
    _read(data, -size % _BLOCK)


def _read(data: GzipFile, size: int) -> bytes:
    try:
        found = data.read(size)
    except BadGzipFile:
        raise _damaged("not a gzip file") from None
    except (EOFError, zlib.error) as error:
        raise _damaged(error) from None
    except OSError as error:
        if error.errno is not None:
            raise  # of the disk, and not of what is in the file
        raise _damaged(error) from None
    if len(found) < size:
        raise _damaged("it ends too early")
    return found


def _damaged(why: object) -> InvalidInput:
    return InvalidInput(f"this is no bundle of a run, or a damaged one: {why}")
