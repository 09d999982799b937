"""A run as one page for a browser: no font, script or link from outside, readable without script.

It is written as the journal is read, a row an execution, so a long run takes no memory to write.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from html import escape
from pathlib import Path
from string import Template
from typing import TextIO

from durably_cli import hints
from durably_cli.engines.local.view import RunView
from durably_cli.journal.blobs import size_of
from durably_cli.journal.events import LogWritten
from durably_cli.journal.state import Status
from durably_cli.render.axis import round_times
from durably_cli.render.lane_rows import lanes_rows
from durably_cli.render.map_items import MapItems
from durably_cli.render.maps import executions
from durably_cli.render.next_steps import next_steps
from durably_cli.render.reason import reason
from durably_cli.render.record import summary
from durably_cli.render.rows import labels_text, log_lines, pretty_json
from durably_cli.render.step_record import cut_short, in_doubt
from durably_cli.render.timeline import (
    LEFT_OPEN,
    Execution,
    Stretch,
    seconds_between,
    stretches,
)
from durably_cli.render.words import Times, outcome_text
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural, size
from durably_cli.values.strict_json import Json
from durably_cli.values.visible import visible, visible_lines

ITEMS = 5_000
"""How many calls of a map's items are listed, the first ones."""

VALUE_LENGTH = 10_000
"""How many characters of a value are written; the page says where the rest is."""

Command = Callable[..., str]
"""Makes the command that looks at the run, with these options, wherever it is pasted."""

_FOLDER = Path(__file__).parent
_KINDS = ("completed", "failed", *LEFT_OPEN, "running", "debug", "info", "warn", "error")


def write_page(view: RunView, project: Path, out: TextIO) -> None:
    """The run of that project as it is now, as an HTML document."""
    job = view.state.created.job
    title = f"{job} {short(view.run_id)} {view.status}"
    end = Template(_read("page_end.html")).substitute()
    begin = Template(_read("page.html"))
    out.write(begin.substitute(title=_text(title), script=_hash_of_script(end)))
    command = partial(hints.command_anywhere, project, "inspect", short(view.run_id))
    values, steps = _values(view, command), _steps(view, command)
    head = _head(view, project)
    for part in (head, _error(view), values, _filter(), steps, _logs(view)):
        out.writelines(part)
    out.write(end)


def _head(view: RunView, project: Path) -> Iterator[str]:
    created, columns = view.state.created, summary(view)
    times = Times(created.at)
    status = str(view.status)
    yield f'<h1>{_text(created.job)} <code class="copied">{view.run_id}</code> '
    yield f'<span class="{status}">{status}</span></h1>\n<dl>\n'
    facts = {
        "reason": reason(view),
        "in doubt": ", ".join(step.name for step in in_doubt(view)),
        "cut short": ", ".join(step.name for step in cut_short(view)),
        "took": "" if columns["seconds"] is None else span(columns["seconds"]),
        "attempts": f"{len(view.state.attempts):,}",
        "steps": f"{columns['steps']:,} completed",
        "created": times.whole(created.at) + times.offset,
        "times": f"UTC{times.offset}, as where this page was made",
        "labels": labels_text(created.labels),
        "idempotency key": created.idempotency_key,
        "concurrency key": created.concurrency_key,
        "project": created.project,
    }
    for each in next_steps(view):
        yield _copied(each.purpose, hints.command_anywhere(project, *each.words))
    for name, value in facts.items():
        if value:
            yield f"<dt>{name}</dt><dd>{_text(value)}</dd>\n"
    yield _copied("journal", str(view.path))
    yield "</dl>\n"


def _copied(name: str, text: str) -> str:
    """A fact to paste elsewhere: the page's script puts a button behind it."""
    return f'<dt>{name}</dt><dd><code class="copied">{_text(text)}</code></dd>\n'


def _values(view: RunView, command: Command) -> Iterator[str]:
    yield '<div class="columns">\n'
    for name, value in (("Input", view.state.created.input), ("Output", view.state.output)):
        if value is not None:
            yield f"<section><h2>{name}</h2>{_value(value, command, '--json')}</section>\n"
    yield "</div>\n"


def _error(view: RunView) -> Iterator[str]:
    error = view.state.error
    if error is not None:
        yield f'<h2>Error</h2><pre class="failed copied">{_lines(error.traceback)}</pre>\n'


def _filter() -> Iterator[str]:
    options = "".join(f"<option>{kind}</option>" for kind in _KINDS)
    yield (
        '<div class="filter" id="filter" hidden>'
        '<input id="text" type="search" placeholder="Filter steps and logs" aria-label="Filter">'
        f'<select id="kind" aria-label="Kind"><option value="">all</option>{options}</select>'
        '<span id="count" class="dim" aria-live="polite"></span></div>\n'
    )


def _steps(view: RunView, command: Command) -> Iterator[str]:
    is_running = view.status is Status.RUNNING
    found = stretches(view.state.attempts, clock.now() if is_running else None)
    total = max(found[-1].start + found[-1].seconds, 0.001) if found else 1.0
    yield from _axis(total)
    times = Times(view.state.created.at)
    number = 0
    for each in executions(view.events, found, is_running=is_running, most=ITEMS):
        while number < each.attempt:
            yield _attempt(found, number, times, is_running=is_running)
            number += 1
        yield _step(each, command, total)
        if each.inside is not None:
            yield from _inside(each, each.inside, command, total)
    for left in range(number, len(found)):
        yield _attempt(found, left, times, is_running=is_running)
    yield "</tbody>\n</table>\n"


def _axis(total: float) -> Iterator[str]:
    """The head of the table, with the round times of the axis that the bars stand on."""
    marked = list(round_times(total, most=5))
    step = 100 * marked[1][0] / total if len(marked) > 1 else 100
    yield f'<h2>Steps</h2>\n<table style="--step:{step:.3f}%">\n<thead><tr><th>step</th>'
    yield '<th class="axis" aria-label="seconds of execution">'
    for seconds, label in marked:
        yield f'<i style="left:{100 * seconds / total:.2f}%">{label}</i>'
    yield '</th><th class="number">took</th><th class="number wide">result</th></tr></thead>\n'
    yield "<tbody>\n"


def _attempt(found: list[Stretch], index: int, times: Times, *, is_running: bool) -> str:
    stretch, attempt = found[index], found[index].attempt
    is_running = is_running and stretch.number == len(found)
    facts = [times.whole(attempt.started.at)]
    if index:
        gap = seconds_between(found[index - 1].attempt.last, attempt.started.at)
        facts.append(f'<span class="number">{span(gap)} later</span>')
    facts.append(_text("running" if is_running else outcome_text(attempt.outcome)))
    if attempt.before:
        facts.append(f"{plural(attempt.before, 'step')} done before")
    if attempt.started.dropped:
        facts.append(f"dropped {plural(attempt.started.dropped, 'torn byte')}")
    return (
        f'<tr class="attempt"><th scope="rowgroup">attempt {stretch.number}</th>'
        f'<th>{", ".join(facts)}</th><th class="number">{span(stretch.seconds)}</th>'
        '<th class="wide"></th></tr>\n'
    )


def _inside(each: Execution, inside: MapItems, command: Command, total: float) -> Iterator[str]:
    """The calls of a map's items, a row each; if there are many, its lanes and a list."""
    if inside.is_few:
        for call in inside.rows:
            yield _step(call, command, total, of=each.name)
    else:
        yield from lanes_rows(each.name, inside, total)


def _step(each: Execution, command: Command, total: float, *, of: str = "") -> str:
    look = "doubt" if each.status in LEFT_OPEN else each.status
    place_of_name = ' class="inside"' if of else ""
    left, width = min(100 * each.start / total, 99.5), 100 * each.seconds / total
    took = span(each.seconds) if each.status in ("completed", "failed") else each.status
    pause = ""
    if each.pause:
        end, wide = min(left + width, 99.5), 100 * each.pause / total
        place = f"left:{end:.2f}%;width:{min(wide, 100 - end):.2f}%"
        pause = f'<i class="pause" title="a pause of {span(each.pause)}" style="{place}"></i>'
    if each.error is not None:
        inside = f'<pre class="failed copied">{_lines(each.error.traceback)}</pre>'
        result = _text(each.error.type)
    elif each.result is not None:
        inside = _value(each.result, command, "--step", each.name)
        result = size(size_of(each.result))
    else:
        inside, result = "<p>It was started, and left no result.</p>", ""
    if each.inside is not None:
        result = each.inside.note()
    if each.status == "failed":
        took = f"✗ {took}"
    drawn = f"{look} map" if each.is_map else look
    return (
        f'<tr data-kind="{each.status}"><td{place_of_name}><details>'
        f"<summary>{_text(each.name.removeprefix(of))}</summary>{inside}"
        f'</details></td><td class="track"><i class="{drawn}" title="{each.status}" '
        f'style="left:{left:.2f}%;width:{min(width, 100 - left):.2f}%"></i>{pause}</td>'
        f'<td class="number {look}">{took}</td><td class="number wide">{result}</td></tr>\n'
    )


def _logs(view: RunView) -> Iterator[str]:
    if not view.state.log_lines:
        return
    times = Times(view.state.created.at)
    yield "<h2>Logs</h2>\n<table>\n<thead><tr><th>time</th><th>level</th>"
    yield '<th class="wide">step</th><th>message</th></tr></thead>\n<tbody>\n'
    for log in log_lines(view.events()):
        yield _log(log, times)
    yield "</tbody>\n</table>\n"


def _log(log: LogWritten, times: Times) -> str:
    source = f'<span class="dim">{_text(log.source)}: </span>' if log.source else ""
    traceback = "\n".join(log.traceback)
    below = f"<pre>{_lines(traceback)}</pre>" if traceback else ""
    return (
        f'<tr data-kind="{_text(log.level)}"><td class="dim">{times.of_day(log.at)}</td>'
        f'<td class="{_text(log.level)}">{_text(log.level)}</td>'
        f'<td class="dim wide">{_text(log.step or "")}</td>'
        f"<td>{source}{_text(log.message)}"
        f'<span class="dim">{_text(log.values)}</span>{below}</td></tr>\n'
    )


def _value(text: Json, command: Command, *options: str) -> str:
    shown = pretty_json(text)
    if len(shown) <= VALUE_LENGTH:
        return f'<pre class="copied">{escape(shown)}</pre>'
    return (
        f"<pre>{escape(shown[:VALUE_LENGTH])} …</pre>"
        f"<p>The first {VALUE_LENGTH:,} characters; all {size(len(text))}: "
        f'<code class="copied">{_text(command(*options))}</code></p>'
    )


def _text(text: str) -> str:
    return escape(visible(text))


def _lines(text: str) -> str:
    return escape(visible_lines(text))


def _hash_of_script(html: str) -> str:
    """What allows the one script in this, and no other, by a Content-Security-Policy."""
    script = html.partition("<script>")[2].partition("</script>")[0]
    return "sha256-" + b64encode(sha256(script.encode()).digest()).decode("ascii")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
