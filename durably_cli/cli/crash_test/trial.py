"""One trial: a run of its own is killed at a place, and resumed; what came of it."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli import hints
from durably_cli.cli.crash_test.contents import Contents, read_contents
from durably_cli.cli.crash_test.notes import KillAt, Notes, Orders
from durably_cli.cli.crash_test.processes import ProcessEnded, Processes
from durably_cli.cli.crash_test.watched import Watched
from durably_cli.engines.local.store import Store
from durably_cli.engines.run_view import RunView
from durably_cli.errors import Busy, DurablyError
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_events import StepCompleted
from durably_cli.project.script_files import home_of
from durably_cli.system import files
from durably_cli.system.folders import DATA_VARIABLE
from durably_cli.values.secret_sources import SecretMissing, resolve
from durably_cli.values.strict_json import Json

TOOK_TOO_LONG = "took too long"
_PAUSE_SECONDS, _LONGEST_PAUSE = 0.2, 60.0
STOPPED, STUCK = "stopped", "stuck"
"""Instead of a status: a step waits for somebody's word; a step waits for what does not come."""


class Subject(NamedTuple):
    """What is tested: a job of a project, its input, and the signals that its steps are sent.

    Of a script, which is a project, an empty name is the job that it runs.
    """

    project: Path
    job: str
    input: Json
    signals: Mapping[str, str]

    def secrets(self) -> Secrets:
        """What its input refers to: a job may write it somewhere, and no report may have it."""
        values = dict[str, str]()
        for text in _texts_in(json.loads(self.input)):
            with suppress(SecretMissing):
                values[text] = resolve(text)
        return Secrets(values)


class SeenRun(NamedTuple):
    """What came of a run: of one that was killed `at` a place, or of an undisturbed one.

    `error` is the type and the message, `failed` the steps behind it. `before` is what its first
    process has noted, and `after` its last one.
    """

    at: KillAt | None
    was_killed: bool
    status: str
    error: tuple[str, str]
    failed: list[str]
    job: str
    output: str | None
    results: dict[str, str]
    contents: Contents
    before: Notes
    after: Notes

    @property
    def in_flight(self) -> list[str]:
        """The steps that the kill has cut short."""
        return self.before.in_flight if self.was_killed else []

    @property
    def has_ended(self) -> bool:
        """Is there something to compare?"""
        return self.status in ("completed", "failed")


class Trials:
    """Makes them, each in a data folder that is empty, with all that is watched as it was."""

    def __init__(
        self, subject: Subject, watched: Watched, processes: Processes, folder: Path
    ) -> None:
        self._subject, self._watched, self._processes = subject, watched, processes
        self._folder, self.seconds = folder, 600.0
        self._input = folder / "input.json"
        self._input.write_text(subject.input, "ascii")

    def undisturbed(self, *, records: bool) -> SeenRun:
        """A run that nobody kills; DurablyError if none could be made."""
        seen, first = self._begun(None, records=records)
        if first.code not in (0, 1) and not seen.status:
            raise _why_none(first, self._processes.data)
        return seen

    def at(self, place: KillAt) -> SeenRun:
        """A run that is killed there, once, and then resumed to its end."""
        return self._begun(place, records=False)[0]

    def _begun(self, place: KillAt | None, *, records: bool) -> tuple[SeenRun, ProcessEnded]:
        self._watched.put_back()
        shutil.rmtree(self._processes.data, ignore_errors=True)
        files.make_folder(self._processes.data)
        orders = Orders(
            notes="",
            project=str(home_of(self._subject.project)),
            kill_at=place,
            records=records,
            watched=[str(path) for path in self._watched.paths],
            signals=dict(self._subject.signals),
        )
        job = [self._subject.job] if self._subject.job else []
        words = ["trigger", *job, "-i", f"@{self._input}", "--json"]
        first = last = self._processes.run(words, orders, self.seconds)
        run = self._run_id()
        if first.notes.has_killed and run:
            last = self._resumed(run, orders._replace(kill_at=None))
        return self._seen(place, run, first, last), first

    def _resumed(self, run: str, orders: Orders) -> ProcessEnded:
        """Once the programs of the killed process have ended."""
        give_up = time.monotonic() + _LONGEST_PAUSE
        while True:
            last = self._processes.run(["resume", run, "--json"], orders, self.seconds)
            is_busy = last.code == Busy.exit_code and last.notes.last("stuck") is None
            if not is_busy or time.monotonic() > give_up:
                return last
            time.sleep(_PAUSE_SECONDS)

    def _seen(
        self, place: KillAt | None, run: str, first: ProcessEnded, last: ProcessEnded
    ) -> SeenRun:
        contents = read_contents(self._watched.paths, self._folder)
        seen = SeenRun(
            *(place, first.notes.has_killed, "", ("", ""), [], "", None, {}),
            *(contents, first.notes, last.notes),
        )
        if run:
            with self._store().view(run) as view:
                seen = _read(seen, view)
            seen.results.update(self._results_of_children(run))
        if last.code is None:
            return seen._replace(status=STUCK, error=(TOOK_TOO_LONG, f"{self.seconds:.0f} s"))
        if last.notes.last("stuck") is not None:
            return seen._replace(status=STUCK)
        return seen

    def _results_of_children(self, run: str) -> dict[str, str]:
        found = dict[str, str]()
        store = self._store()
        for run_id in store.run_ids():
            if run_id != run:
                with store.view(run_id) as view:
                    job = view.state.created.job
                    found |= {f"{job}: {name}": text for name, text in _results(view).items()}
        return found

    def _store(self) -> Store:
        return Store(next(self._processes.data.glob("*/runs")).parent)

    def _run_id(self) -> str:
        """The run that was made; empty if none was."""
        if not any(self._processes.data.glob("*/runs/*/*.jsonl")):
            return ""
        store = self._store()
        made = filter(None, map(store.created, store.run_ids()))
        return next((each.run for each in made if not each.parent), "")


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def _read(seen: SeenRun, view: RunView) -> SeenRun:
    state = view.state
    error = (state.error.type, state.error.message) if state.error else ("", "")
    return seen._replace(
        status=STOPPED if error[0] == "StepInDoubt" else str(view.status),
        error=error,
        failed=[str(name) for name in state.causes],
        job=state.created.job,
        output=view.output(),
        results=_results(view),
    )


def _results(view: RunView) -> dict[str, str]:
    return {
        str(event.name): str(event.result)
        for event in view.events()
        if isinstance(event, StepCompleted)
    }


def _why_none(ended: ProcessEnded, data: Path) -> DurablyError:
    """What the process said, as an error of this command, whose data folder is another one."""
    try:
        said: dict[str, Any] = json.loads(ended.out)["error"]
    except (ValueError, KeyError, TypeError):
        lines = ended.said.strip().splitlines() or [f"exit code {ended.code}"]
        return DurablyError(f"the job cannot be run: {lines[0].removeprefix('durably: ')}")
    chosen = os.environ.get(DATA_VARIABLE)
    here = f"{DATA_VARIABLE}={hints.quoted(chosen)} " if chosen else ""
    hint = said["hint"] and said["hint"].replace(f"{DATA_VARIABLE}={hints.quoted(data)} ", here)
    error = DurablyError(said["message"], hint=hint, code=said["code"])
    error.exit_code = said["exit"]
    return error
