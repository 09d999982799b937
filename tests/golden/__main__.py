"""Compare what today's durably prints with what is stored, or store that instead.

python -m tests.golden            shows what differs, and ends with 1 if anything does
python -m tests.golden --write    writes it down; read the diff before you commit it

Of the store only what is new is written: the journals of a run that has been added.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.golden import public_names, runs
from tests.golden.stories import STORIES, expectation
from tests.golden.transcripts import Stage, stored_files


def main(*args: str) -> int:
    """The command line."""
    if args not in ((), ("--write",)):
        print(__doc__, file=sys.stderr)
        return 2
    if args:
        _add_to_store()
        _drop_left_over()
    differs = 0
    for path, text in _made():
        stored = path.read_text(encoding="utf-8") if path.exists() else ""
        if text == stored:
            continue
        differs += 1
        if args:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.name}")
        else:
            lines = (stored.splitlines(True), text.splitlines(True))
            sys.stdout.writelines(difflib.unified_diff(*lines, f"{path.name}, stored", "today"))
    return 0 if args else min(differs, 1)


def _made() -> Iterator[tuple[Path, str]]:
    """Each file of expectations, and what would be in it today."""
    yield public_names.PATH, public_names.as_text()
    for name, story in STORIES.items():
        with tempfile.TemporaryDirectory() as folder:
            yield expectation(name), Stage(Path(folder)).run(story)


def _add_to_store() -> None:
    there = stored_files()
    for name, data in runs.files().items():
        if name not in there:
            path = runs.STORE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"new in the store: {name}")


def _drop_left_over() -> None:
    """Remove the expectations of stories that no longer exist."""
    for path in expectation("any").parent.glob("*.txt"):
        if path.stem not in STORIES:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
