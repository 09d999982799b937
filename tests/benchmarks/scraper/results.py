"""What came of the forms: as a file, a table, and a part of a page."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

from tests.benchmarks.peers.packages import DBOS
from tests.benchmarks.results import figure
from tests.benchmarks.scraper.forms import Form
from tests.benchmarks.scraper.trials import Trial
from tests.harness.examples import REPOSITORY

FILE = Path(__file__).with_name("results.json")
PAGE = REPOSITORY / "durably_cli" / "cli" / "help" / "performance.md"
_BEGIN = "The forms took turns on "
"""How the paragraph begins that says where it was measured."""


class Row(NamedTuple):
    """The figures of one form: medians, and of the pages fetched twice the mean and the most."""

    name: str
    lines: int
    seconds: float
    cpu: float
    through_kill: float
    twice: float
    most_twice: int
    lost: int


class Results(NamedTuple):
    """All rows, and where and how they were measured."""

    on: str
    machine: str
    versions: list[str]
    pages: int
    rounds: int
    kills: int
    rows: list[Row]


def row_of(form: Form, whole: Sequence[Trial], killed: Sequence[Trial]) -> Row:
    """What these trials of a form say."""
    return Row(
        form.name,
        form.lines,
        median(each.seconds for each in whole),
        median(each.cpu for each in whole),
        median(each.seconds for each in killed),
        mean(each.twice for each in killed),
        max(each.twice for each in killed),
        sum(each.lost for each in (*whole, *killed)),
    )


def now(rows: list[Row], pages: int, rounds: int, kills: int) -> Results:
    """The results of today, on this machine."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release().partition('-')[0]}"
    versions = [
        f"Python {platform.python_version()}",
        "GNU parallel " + _version("parallel"),
        "curl " + _version("curl"),
        DBOS.requirements[0].replace("==", " "),
    ]
    return Results(date.today().isoformat(), machine, versions, pages, rounds, kills, rows)


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"\d[\d.]*", said.stdout)
    return found[0] if found else "of an unknown version"


def save(results: Results, path: Path = FILE) -> None:
    """Write them down."""
    content = results._asdict() | {"rows": [row._asdict() for row in results.rows]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path = FILE) -> Results:
    """What was written down."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Results(**content | {"rows": [Row(**row) for row in content["rows"]]})


def table(rows: Sequence[Row], pages: int) -> Iterator[str]:
    """The lines of a table in Markdown."""
    yield (
        f"| {pages:,} pages, 16 at once | lines of code | seconds | CPU seconds "
        "| seconds, killed at the half | fetched twice | at the most | lost |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        seconds = " | ".join(map(figure, (row.seconds, row.cpu, row.through_kill, row.twice)))
        yield f"| {row.name} | {row.lines} | {seconds} | {row.most_twice:,} | {row.lost:,} |"


def page(results: Results, before: str) -> str:
    """The page with these results in the place of those before."""
    paragraphs = before.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        if re.match(r"\| [\d,]+ pages", paragraph):
            paragraphs[number] = "\n".join(table(results.rows, results.pages))
        elif paragraph.startswith(_BEGIN):
            paragraphs[number] = _where(results)
    return "\n\n".join(paragraphs)


def _where(results: Results) -> str:
    return (
        f"{_BEGIN}{results.on}, on {results.machine}, by\n"
        f"`python -m tests.benchmarks.scraper --save`: {results.rounds} times to the end, of which"
        " the medians are\n"
        f"shown, and {results.kills} times with a kill, of which the mean and the most are. "
        f"{', '.join(results.versions)}."
    )
