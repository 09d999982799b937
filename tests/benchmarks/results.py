"""Results: what was measured, on which machine and when; as a file and a table."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.measuring import OURS, Part

FILE = Path(__file__).with_name("results.json")


class Results(NamedTuple):
    """The parts that were measured, and with what."""

    on: str
    machine: str
    command: str
    versions: dict[str, str]
    parts: list[Part]


def now(parts: list[Part], command: str, versions: dict[str, str]) -> Results:
    """The results of today, on this machine."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release().partition('-')[0]}"
    python = {OURS: f"durably on Python {platform.python_version()}"}
    return Results(date.today().isoformat(), machine, command, python | versions, parts)


def merged(results: Results, before: Results) -> Results:
    """The results before, with these in the place of what was measured again, or behind them.

    They are of both days then.
    """
    anew = {part.work: part for part in results.parts}
    parts = [anew.pop(part.work, part) for part in before.parts] + list(anew.values())
    on = " and ".join(sorted({*before.on.split(" and "), results.on}))
    return results._replace(on=on, versions=before.versions | results.versions, parts=parts)


def save(results: Results, path: Path = FILE) -> None:
    """Write them down."""
    content = results._asdict() | {"parts": [part._asdict() for part in results.parts]}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path = FILE) -> Results:
    """What was written down."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Results(**content | {"parts": [Part(**part) for part in content["parts"]]})


def table(parts: list[Part]) -> Iterator[str]:
    """The lines of a table in Markdown: a block a part, and durably's share of each figure."""
    yield "| work | durably | beside it | | durably : it | limit |"
    yield "|---|---:|---|---:|---:|---:|"
    for part in parts:
        work = f"{part.work}, {part.unit}"
        ours = figure(part.figures[OURS])
        others = [name for name in part.figures if name != OURS]
        if not others:
            yield f"| {work} | {ours} | | | | |"
        for name in others:
            sign = "≥" if part.more_is_better else "≤"
            limit = f"{sign} {part.limits[name]:g}" if name in part.limits else ""
            missed = "" if part.is_kept(name) else " **missed**"
            ratio, theirs = figure(part.ratio(name)), figure(part.figures[name])
            yield f"| {work} | {ours} | {name} | {theirs} | {ratio} | {limit}{missed} |"
            work = ours = ""


def page(results: Results, before: str) -> str:
    """The page of `durably help performance` with these results in the place of those before."""
    paragraphs = before.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        if paragraph.startswith("| work |"):
            paragraphs[number] = "\n".join(table(results.parts))
        elif paragraph.startswith("Measured on "):
            paragraphs[number] = _told(results)
    return "\n\n".join(paragraphs)


def _told(results: Results) -> str:
    versions = ",\n".join(dict.fromkeys(results.versions.values()))
    return (
        f"Measured on {results.on}, on {results.machine}, by `{results.command}`,\n"
        "in a checkout with `pip install -e '.[bench]'`, node and npm. A figure is the median of\n"
        "turns that what is compared takes one after the other; on a busy machine it differs from\n"
        f"one time to the next. Versions:\n{versions}."
    )


def figure(number: float) -> str:
    """Three digits that count."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"
