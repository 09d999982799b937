"""Claims: which run an idempotency key stands for, for ever.

A claim is a file named by the hash of job and key, made like a journal: filled, synced, then linked
to its name, so of any number of claimants one wins. It is made before its run: a claim without a
run is completed by the next trigger. When its run is deleted it becomes a tombstone first, and a
trigger that meets one runs nothing.

Keys come from outside; they touch paths only as hashes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from durably_cli import hints
from durably_cli.engines.keys import name_of_key
from durably_cli.errors import DurablyError, JournalError
from durably_cli.journal.blobs import is_file_name
from durably_cli.journal.events import RunCreated
from durably_cli.system import files, ids
from durably_cli.values.strict_json import to_json


class Claim(NamedTuple):
    """The run that a key stands for, and the sha256 of the input it was claimed with.

    `deleted` is when its run was deleted, if it was, and `canonical_sha256` that of the input's
    canonical form; a claim of an earlier durably has none.
    """

    run: str
    input_sha256: str
    deleted: str | None = None
    canonical_sha256: str | None = None


class Claims:
    """The idempotency keys of a store."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "keys"
        self._temporary = root / "tmp"

    def path(self, job: str, key: str) -> Path:
        """The file of this key's claim, whether there is one or not."""
        return self.folder / name_of_key(job, key)

    def find(self, job: str, key: str) -> Claim | None:
        """The claim of this key of this job, if there is one. JournalError if it is damaged."""
        try:
            return self._read(self.path(job, key))
        except JournalError as error:
            care = hints.command("help", "care")
            error.hint = (
                "put an intact copy of the file back\n"
                f"{care}    (says what to do if its work may be done again)"
            )
            raise

    def make(self, job: str, key: str, claim: Claim) -> bool:
        """Claim the key, durably; False if another claim came first."""
        files.make_folder(self.folder)
        path = self.path(job, key)
        return files.publish(self._written(path, claim), path)

    def of_run(self, run_id: str) -> tuple[Path, Claim] | None:
        """The claim that stands for this run, with its file; not one that is a tombstone."""
        for path, claim in self.all():
            if isinstance(claim, Claim) and claim.run == run_id and not claim.deleted:
                return path, claim
        return None

    def stands_for(self, created: RunCreated) -> bool:
        """Does the key of this run stand for it, or has it none?"""
        claim = self._claim_of(created)
        return created.idempotency_key is None or (claim is not None and not claim.deleted)

    def is_buried(self, created: RunCreated) -> bool:
        """Is the claim of this run a tombstone, so that the run is as good as deleted?"""
        claim = self._claim_of(created)
        return claim is not None and claim.deleted is not None

    def bury(self, path: Path, claim: Claim, deleted: str) -> None:
        """Make a claim a tombstone, durably."""
        self._replace(path, claim._replace(deleted=deleted))

    def revive(self, path: Path, claim: Claim) -> None:
        """Make a tombstone a claim again, durably: its run is back."""
        self._replace(path, claim._replace(deleted=None))

    def free(self, path: Path) -> None:
        """Forget a claim, durably: its key can be claimed again."""
        path.unlink(missing_ok=True)
        self.sync()

    def sync(self) -> None:
        """Return once every claim that can be seen is on disk: before its run is made."""
        files.sync_folder(self.folder)

    def all(self) -> Iterator[tuple[Path, Claim | DurablyError]]:
        """Every claim with its file, or why that cannot be read."""
        for name in sorted(filter(is_file_name, files.names(self.folder))):
            path = self.folder / name
            try:
                claim = self._read(path)
            except DurablyError as error:
                yield path, error
            else:
                if claim is not None:
                    yield path, claim

    def _replace(self, path: Path, claim: Claim) -> None:
        os.rename(self._written(path, claim), path)
        self.sync()

    def _claim_of(self, created: RunCreated) -> Claim | None:
        key = created.idempotency_key
        claim = None if key is None else self.find(created.job, key)
        return claim if claim is not None and claim.run == created.run else None

    def _read(self, path: Path) -> Claim | None:
        try:
            fd = files.open_existing(path)
        except FileNotFoundError:
            return None
        with open(fd, encoding="ascii", errors="replace") as file:
            text = file.read()
        try:
            found = json.loads(text)
            others = map(found.get, ("deleted", "canonical_sha256"))
            claim = Claim(found["run"], found["input_sha256"], *others)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _unreadable(path) from None
        if not isinstance(claim.run, str) or not ids.is_id(claim.run):
            raise _unreadable(path)
        return claim

    def _written(self, path: Path, claim: Claim) -> Path:
        """A temporary file that holds the claim, on disk."""
        fields = {name: value for name, value in claim._asdict().items() if value is not None}
        with files.with_path(path):
            return files.written(
                self._temporary, path.name, (to_json(fields) + "\n").encode("ascii")
            )


def _unreadable(path: Path) -> JournalError:
    return JournalError(
        f"the claim {path} cannot be read",
        hint="keep a copy of the file before you touch it",
    )
