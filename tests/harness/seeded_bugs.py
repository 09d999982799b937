"""The seeded bugs: one safeguard after the other taken out of the source, and who must see it.

They stand in seeded_bugs.txt, in the order of what they harm: the disk, screens, places, the
journal, values, locks, runs. `#` is a bug's name, `@` its file below durably_cli, `-` what is right
there, `+` what is seeded instead, `=` a test that catches it, a quick one first.
"""

from __future__ import annotations

from pathlib import Path

from tests.harness.seeding import SeededBug


def _read(text: str) -> SeededBug:
    name, *lines = text.splitlines()
    parts = {mark: [line[1:] for line in lines if line[0] == mark] for mark in "@-+="}
    (file,), right, wrong, caught_by = parts.values()
    tests = tuple(map(str.strip, caught_by))
    return SeededBug(name.strip("# "), file.strip(), "\n".join(right), "\n".join(wrong), tests)


SEEDED_BUGS = [
    _read(text)
    for text in Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").split("\n#")
]
UNCHANGED = SeededBug("unchanged", "version.py", "__version__", "__version__", ())
"""What is the same with it as without it."""


def bug_named(name: str) -> SeededBug:
    """The bug of this name. LookupError if there is none."""
    for bug in (*SEEDED_BUGS, UNCHANGED):
        if bug.name == name:
            return bug
    raise LookupError(f"there is no seeded bug {name!r}")
