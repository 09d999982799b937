"""The files that the events of a fork name: those of its origin, shared as links."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from durably_cli.journal.blobs import BlobDamaged, Blobs, is_blob_reference
from durably_cli.journal.outputs import folder_of, outputs_of
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted, StepFailed, StepMarkedDone
from durably_cli.system import files
from durably_cli.values.strict_json import Json, to_json


def linked(origin: Path, path: Path, events: Iterable[Event]) -> Iterator[Event]:
    """The same events for the journal at this path, with what they name as files of that run."""
    there, here = Blobs(origin), Blobs(path)
    for event in events:
        if isinstance(event, (StepCompleted, StepMarkedDone)):
            if is_blob_reference(event.result):
                event = event._replace(result=here.share(event.result, there))
        elif isinstance(event, StepFailed) and event.whole:
            event = event._replace(whole=_shared(event.whole, here, there))
        yield event
    outputs = outputs_of(origin)
    if outputs:
        files.make_folder(folder_of(path))
        for output in outputs:
            files.link_or_copy(output, folder_of(path) / output.name)
        files.sync_folder(folder_of(path))
    if here.folder.exists():
        files.sync_folder(here.folder)


def _shared(whole: dict[str, object], here: Blobs, there: Blobs) -> dict[str, object]:
    """The reference to all of an error; none if its file is lost, which is no reason to stop."""
    try:
        found: dict[str, object] = json.loads(here.share(Json(to_json(whole)), there))
    except (BlobDamaged, OSError):
        return {}
    return found
