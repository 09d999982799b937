"""The files that the results of a run vouch for, and what became of them since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.run_view import RunView
from durably_cli.journal.blobs import BlobDamaged, names_files
from durably_cli.journal.state import RunState
from durably_cli.journal.step_state import StepState, step_states
from durably_cli.values.strict_json import FILE_MARK


class FileNow(NamedTuple):
    """A file as a step saw it, and what became of it; None if the same is in it.

    `path` is as the step gave it, and leads on from the folder that the run was in. `is_to_fail`
    says that the run fails if it is another one, in place of executing the step again.
    """

    path: str
    size: int
    sha256: str
    change: str | None
    is_to_fail: bool = False


def vouched_files(step: StepState, view: RunView) -> list[FileNow]:
    """The files of a step's result; none if that is lost."""
    result = step.result
    if result is None or not (FILE_MARK in result or names_files(result)):  # as nearly always
        return []
    from durably_cli.values.file import change_of  # few results name a file
    from durably_cli.values.named_files import files_named_in

    try:
        whole = view.result(result)
    except BlobDamaged:
        return []
    folder = _folder_of(view.state)
    return [
        FileNow(
            *(str(file.path), file.size, file.sha256, change_of(file, folder)),
            is_to_fail=file.changed == "fail",
        )
        for file in files_named_in(whole)
    ]


def changed_files(view: RunView) -> Iterator[tuple[StepState, FileNow]]:
    """The files that results of the run vouch for and that are not what they were."""
    for step in step_states(view.events(), view.state.unfinished, view.state.discarded):
        for file in vouched_files(step, view):
            if file.change:
                yield step, file


def _folder_of(state: RunState) -> str:
    """Where the run was last, or goes on: its project may be elsewhere now."""
    created = state.created
    was = (state.attempts[-1].started.folder if state.attempts else "") or created.folder
    return (hints.project() or was) if was == created.project else was
