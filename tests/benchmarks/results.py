"""Results: what was measured, on which machine and when; as a file, a table and a picture."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

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
    """The results before, with these in the place of what was measured again, or behind them."""
    anew = {part.work: part for part in results.parts}
    parts = [anew.pop(part.work, part) for part in before.parts] + list(anew.values())
    return results._replace(versions=before.versions | results.versions, parts=parts)


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
        "in a checkout with `pip install -e '.[test]'`, node and npm. A figure is the median of\n"
        "turns that what is compared takes one after the other; on a busy machine it differs from\n"
        f"one time to the next. Versions:\n{versions}."
    )


def figure(number: float) -> str:
    """Three digits that count."""
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


_WIDTH, _LEFT, _BAR, _ROW = 900, 330, 430, 20
_STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
.title { font-weight: 600; } .dim { fill: #59636e; } .name { text-anchor: end; }
.paper { fill: #ffffff; } .ours { fill: #1a7f37; } .peer { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .dim { fill: #9198a1; } .paper { fill: #0d1117; }
  .ours { fill: #3fb950; } .peer { fill: #6e7681; }
}
"""


def picture(results: Results, works: tuple[str, ...]) -> str:
    """An SVG of bars, for the parts whose works begin so: durably and what is beside it."""
    drawn, y = [], 20
    for part in results.parts:
        if not part.work.startswith(works):
            continue
        better = "more is better" if part.more_is_better else "less is better"
        drawn.append(f'<text class="title" x="20" y="{y + 14}">{escape(part.work)}</text>')
        drawn.append(
            f'<text class="dim" x="{_LEFT}" y="{y + 14}">{escape(part.unit)}; {better}</text>'
        )
        y += _ROW + 4
        largest = max(part.figures.values())
        for name, number in part.figures.items():
            width = max(1.0, _BAR * number / largest)
            kind = "ours" if name == OURS else "peer"
            drawn.append(f'<text class="name" x="{_LEFT - 10}" y="{y + 14}">{escape(name)}</text>')
            drawn.append(
                f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" width="{width:.1f}" height="14"/>'
            )
            drawn.append(f'<text x="{_LEFT + width + 8:.1f}" y="{y + 14}">{figure(number)}</text>')
            y += _ROW
        y += 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y}" '
        f'viewBox="0 0 {_WIDTH} {y}" role="img"><style>{_STYLE}</style>'
        f'<rect class="paper" width="{_WIDTH}" height="{y}"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )
