"""`durably.signal`: Python code sends a run what it waits for."""

from __future__ import annotations

from typing import Any

from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.signal import send_to_run
from durably_cli.project import places, stores
from durably_cli.project.run import Run


def signal(run: str | Run[Any], name: str, value: object, *, even_if_early: bool = False) -> None:
    """Send a run the signal of this name, or the run below it that waits for that.

    `run` is what a trigger returned; or an id, or what commands take for it, and then one of the
    project that the working directory is in. The value is what the step that waits says: a
    model, or what is JSON. The first signal counts, and the same again changes nothing. Raises
    Conflict for another one, and for a run that has ended, InvalidInput for a value of another
    type, and NotFound for a run that is not there or, unless `even_if_early`, waits for a signal of
    a similar name.
    """
    from durably_cli.values.own_output import as_validated  # and pydantic with it

    project = places.find_project() if isinstance(run, str) else run.project
    query = run if isinstance(run, str) else run.id
    with stores.hints_in(project):
        store = stores.open_store(project)
        text = as_validated(value)
        send_to_run(store, find_run(store, query), name, text, even_if_early=even_if_early)
