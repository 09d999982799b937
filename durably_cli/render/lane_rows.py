"""A map of many items in a page: its lanes, what they add up to, and a list of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from durably_cli.render.lane_shapes import lane_height, lane_shapes
from durably_cli.render.map_items import MapItems
from durably_cli.render.timeline import LEFT_OPEN, Execution
from durably_cli.render.words import one_line
from durably_cli.values.durations import span
from durably_cli.values.visible import visible

_WIDTH = 450
_RESULT_LENGTH = 100


def lanes_rows(name: str, inside: MapItems, total: float) -> Iterator[str]:
    """The rows of a table of four columns, below the map's own."""
    height = len(inside.lanes) * lane_height(len(inside.lanes))
    facts = "".join(f"<span>{_text(fact)}</span>" for fact in inside.facts())
    yield f'<tr><td class="facts dim">{facts}</td><td class="track lanes">'
    yield f'<svg viewBox="0 0 {_WIDTH} {height:g}" height="{height:g}" '
    yield 'preserveAspectRatio="none" aria-hidden="true">'
    for shape in lane_shapes(inside.lanes, lambda seconds: _place(seconds, total), 0.0):
        yield f'<path class="{shape.look}" d="{shape.outlines}"/>'
        if shape.crosses:
            yield f'<path class="halo" d="{shape.crosses}"/>'
            yield f'<path class="cross {shape.look}" d="{shape.crosses}"/>'
    yield '</svg></td><td></td><td class="wide"></td></tr>\n'
    yield from _list(name, inside)


def _list(name: str, inside: MapItems) -> Iterator[str]:
    listed = inside.rows
    seen = set(map(id, inside.calls))
    listed += [call for call in inside.failures if id(call) not in seen]
    title = f"{len(listed):,} calls"
    if inside.left_out:
        title = f"the first {title} of {len(inside.calls) + inside.left_out:,}, and failures"
    yield '<tr><td class="inside" colspan="4"><details class="items">'
    yield f"<summary>{title}</summary><table><tbody>\n"
    for call in listed:
        yield _call(name, call)
    yield "</tbody></table></details></td></tr>\n"


def _call(name: str, call: Execution) -> str:
    took = span(call.seconds)
    if call.error is not None:
        took, said = f"✗ {took}", one_line(call.error)
    elif call.result is not None:
        said = call.result
    else:
        took, said = "", call.status
    if len(said) > _RESULT_LENGTH:
        said = said[:_RESULT_LENGTH] + " …"
    look = "doubt" if call.status in LEFT_OPEN else call.status
    marked = "" if call.status == "completed" else f' class="{look}"'
    return (
        f'<tr data-kind="{call.status}"><td>{_text(call.name.removeprefix(name))}</td>'
        f'<td class="number">{took}</td><td{marked}>{_text(said)}</td></tr>\n'
    )


def _place(seconds: float, total: float) -> float:
    return round(min(seconds / total, 1.0) * _WIDTH, 1)


def _text(text: str) -> str:
    return escape(visible(text))
