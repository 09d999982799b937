"""In which order a run's system calls must come, so that no power cut takes what was acknowledged.

- A file's bytes are synced before it is linked or renamed to a name that stays.
- A new folder is synced in its parent before anything is put in it.
- Every name that stays is synced before the first step's function is called, a key's before the
  journal has its name.
- The file of a large value has its name, durably, before a line names it.
- A journal gets its name, and loses it, when all that was done before is on disk; what belongs to a
  run goes after its journal, and the mark of an imported run when its key stands for it.
- `step.started` is written before the function is called, `step.completed` after it; that is synced
  before the result is handed out, and nothing else is: one sync a step.
"""

from __future__ import annotations

import re
from pathlib import Path

from durably_cli.journal.blobs import is_file_name
from durably_cli.system.programs import LOCK
from tests.harness.system_calls import NAMINGS, SYNCS, WRITES, Call

_STARTED = "step.started step-"
_TOKEN = re.compile(r"(\d+) [0-9a-f]{32}\n")


class Order:
    """What is on disk and what is not yet, followed call by call; AssertionError at a wrong one."""

    def __init__(self, data: Path, effects: Path, *, keyed: bool = False) -> None:
        self._data, self._effects, self._keyed = str(data), str(effects), keyed
        self._journal = ""
        self._unsynced_files = set[str]()
        self._unsynced_names = set[str]()
        self._synced_folders = set[str]()
        self._event = ""
        self.syncs = 0
        """How often the journal was synced."""
        self.started = dict[str, int]()
        """The steps that were started, and how many syncs there were before."""
        self.results = list[str]()
        """The steps whose results were handed out."""

    def follow(self, calls: list[Call]) -> Order:
        """Follow all the calls of a process, to its end."""
        for call in calls:
            if call.gave < 0:
                continue
            if call.name in WRITES:
                self._write(call)
            elif call.name in SYNCS:
                self._sync(call.file)
            elif call.name in NAMINGS:
                self._name(call.name, call.file, call.target)
            elif call.name == "mkdir":
                self._put(call.file)
            elif call.name in ("unlink", "rmdir"):
                self._remove(call.file)
        assert self._journal not in self._unsynced_files, "the end of the run is not on disk"
        assert not self._unsynced_names, f"these are not on disk: {self._unsynced_names}"
        return self

    def _write(self, call: Call) -> None:
        token = _TOKEN.fullmatch(call.data)
        if call.file.startswith(self._data):
            self._unsynced_files.add(call.file)
            if call.event:
                large = {name for name in self._unsynced_names if is_file_name(name[-64:])}
                assert not large, f"{call.event} names what is not on disk: {large}"
                self._journal, self._event = call.file, call.event
            if call.event.startswith(_STARTED):
                self.started[call.event.removeprefix(_STARTED)] = self.syncs
            if call.event.startswith("step.completed"):
                self._check_names("acknowledged")
        elif token and call.file == self._effects:
            self._function_is_called(token[1])
        elif token:
            self._result_is_handed_out(token[1])

    def _sync(self, file: str) -> None:
        self._unsynced_files.discard(file)
        self._synced_folders.add(file)
        self._unsynced_names = {name for name in self._unsynced_names if _folder(name) != file}
        self.syncs += file == self._journal

    def _name(self, call: str, source: str, target: str) -> None:
        if not target.startswith(self._data):
            return
        assert source not in self._unsynced_files, f"{target} has its name before its bytes"
        if "/runs/" in target and target.endswith(".jsonl"):
            if self._keyed:
                synced = any(folder.endswith("/keys") for folder in self._synced_folders)
                assert synced, "the run is there before its key's claim is on disk"
            self._check_names(f"{target} is there")
        if self._journal == source and call.startswith("rename"):
            self._journal = target
        self._put(target)

    def _put(self, path: str) -> None:
        if _says_that_programs_live(path):  # which no power cut leaves alive
            return
        if path.startswith(self._data) and "tmp" not in Path(path).relative_to(self._data).parts:
            assert _folder(path) not in self._unsynced_names, f"{path}: its folder is not on disk"
            self._unsynced_names.add(path)

    def _remove(self, path: str) -> None:
        if not path.startswith(self._data) or "/runs/" not in path:
            return
        if path.endswith((".jsonl", ".imported")):
            self._check_names(f"{path} is removed")
            self._unsynced_names.add(path)
        else:
            removed = {name for name in self._unsynced_names if name.endswith(".jsonl")}
            assert not removed, f"{path} is removed before its journal is gone from the disk"

    def _check_names(self, what: str) -> None:
        assert not self._unsynced_names, f"{what} before these are on disk: {self._unsynced_names}"

    def _function_is_called(self, n: str) -> None:
        self._check_names("executed")
        assert self._event == f"step.started step-{n}", f"step {n} is executed unannounced"

    def _result_is_handed_out(self, n: str) -> None:
        if n in self.started:  # and not only replayed
            assert self._event == f"step.completed step-{n}", f"step {n} is not recorded"
            assert self._journal not in self._unsynced_files, f"step {n} is not on disk"
            assert self.syncs == self.started[n] + 1, "one sync a step"
        self.results.append(n)


def _folder(path: str) -> str:
    return str(Path(path).parent)


def _says_that_programs_live(path: str) -> bool:
    return path.endswith(".programs") or Path(path).name.startswith(LOCK)
