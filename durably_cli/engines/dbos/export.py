"""A run of the database in a bundle: as the journal that the local engine would have written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from durably_cli.engines.bundle import Contents, pack
from durably_cli.engines.dbos.database import RunDatabase
from durably_cli.engines.dbos.view import DatabaseView
from durably_cli.engines.past import refuse_unknown
from durably_cli.journal.blobs import LIMIT, Blobs, belongs_in_a_file
from durably_cli.journal.codec import encode
from durably_cli.journal.events import RunCreated
from durably_cli.journal.large import shortened
from durably_cli.journal.ownership import create_journal
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepMarkedDone
from durably_cli.values.strict_json import Json


def pack_rows(
    database: RunDatabase, view: DatabaseView, job_files: Iterable[Path], out: BinaryIO
) -> Contents:
    """Write the run as it stands now; what the bundle says of itself.

    JournalTooNew if it has events that this durably does not know.
    """
    refuse_unknown(view.where, view.state)
    row = database.row(
        "select input_sha256 from durably.keys where (project, run, job, key) = (%s, %s, %s, %s)",
        *(database.project, view.run_id),
        *(view.state.created.job, view.state.created.idempotency_key),
    )
    with TemporaryDirectory(prefix="durably-export-") as folder:
        journal = _written(view, Path(folder))
        with open(journal, "rb") as file:
            events = JournalReader(file.fileno(), journal, view.run_id)
            return pack(
                *(journal, file, events, view.state, job_files, out),
                input_sha256=row[0] if row else None,
            )


def _written(view: DatabaseView, folder: Path) -> Path:
    """The run's journal in this folder, with the files beside it that it names."""
    path = folder / f"{view.run_id}.jsonl"
    blobs = Blobs(path)

    def put(value: Json) -> Json:
        return blobs.put(value, folder / "tmp")

    def behind_created() -> Iterator[Event]:
        for event in view.events():
            if not isinstance(event, RunCreated):
                yield _fitting(event, put)

    made = create_journal(path, folder / "tmp", view.state.created, behind_created)
    assert made is not None, "the folder is new"
    made.close()
    return path


def _fitting(event: Event, put: Callable[[Json], Json]) -> Event:
    """The event as a line of a journal has it: what is too large goes to a file."""
    if isinstance(event, (StepCompleted, StepMarkedDone)):
        if belongs_in_a_file(event.result):
            return event._replace(result=put(event.result))
    elif len(encode(0, event, 0)[0]) > LIMIT:
        return shortened(event, put)
    return event
