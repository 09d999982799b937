"""Journals of format 1 are read and written byte for byte, whoever reads and writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from durably_cli.errors import JournalError
from durably_cli.journal import codec
from durably_cli.journal.events import Unknown
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import TYPES, Event
from tests.golden import runs
from tests.golden.transcripts import stored_files

JOURNALS = sorted(runs.STORE.glob("runs/*/*.jsonl"))


def lines_of(journal: Path) -> Iterator[tuple[bytes, Event]]:
    """The good lines of a journal with their events."""
    fd = os.open(journal, os.O_RDONLY)
    try:
        yield from JournalReader(fd, journal, journal.stem).with_lines()
    except JournalError:
        pass
    finally:
        os.close(fd)


def test_what_was_written_once_is_what_is_written_today() -> None:
    assert runs.files() == stored_files()


@pytest.mark.parametrize("journal", JOURNALS, ids=runs.RUNS)
def test_an_event_that_was_read_is_written_as_the_same_bytes(journal: Path) -> None:
    crc = codec.seed(journal.stem)
    for seq, (line, event) in enumerate(lines_of(journal)):
        if isinstance(event, Unknown):
            assert event.line.encode() == line
        else:
            written, crc = codec.encode(seq, event, crc, codec.synced_to(line))
            assert written == line + b"\n"


def test_every_event_stands_in_the_store_with_every_field_set_and_left_out() -> None:
    found = [event for journal in JOURNALS for _, event in lines_of(journal)]
    for kind in TYPES.values():
        of_kind = [event for event in found if type(event) is kind]
        assert of_kind, f"no {kind.__name__} in the store"
        for name, default in kind._field_defaults.items():
            values = [getattr(event, name) for event in of_kind]
            assert default in values, f"{kind.__name__}.{name} is set everywhere"
            assert any(value != default for value in values), (
                f"{kind.__name__}.{name} is set nowhere"
            )
