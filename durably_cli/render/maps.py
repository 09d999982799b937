"""The executions of a run with its maps put together: each of them has its items inside.

An item is a call, or a scope of several; what stands in a map of an item is of that item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from durably_cli.journal.events import RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepStarted
from durably_cli.journal.step_names import item_around
from durably_cli.render.map_items import FEW_CALLS, MapItems
from durably_cli.render.timeline import CallBegins, Execution, Stretch, calls

_GRAINS = 1_000
"""Into how many parts the axis is divided, within which calls are drawn as one."""


def executions(
    events: Callable[[], Iterable[Event]],
    found: Sequence[Stretch],
    *,
    is_running: bool = False,
    most: int = FEW_CALLS,
) -> Iterator[Execution]:
    """Every call of the handler's own steps, and every map, with so many of its items' calls.

    In the order of their ends; those without one last. The events are gone through twice.
    """
    total = found[-1].start + found[-1].seconds if found else 0.0
    steps_left = _steps_of_scopes(events())
    each_call = calls(events(), found, is_running=is_running)
    return _put_together(each_call, steps_left, total / _GRAINS, most)


def _put_together(
    found: Iterable[CallBegins | Execution],
    steps_left: dict[int, Counter[str]],
    grain: float,
    most: int,
) -> Iterator[Execution]:
    attempt, open_maps = 0, dict[str, MapItems]()
    for each in found:
        if each.attempt != attempt:
            yield from _without_end(attempt, open_maps)
            attempt, open_maps = each.attempt, {}
        item = item_around(each.name)
        if item is not None:
            if isinstance(each, Execution) and each.is_map:
                continue
            inside = open_maps.get(item.scope)
            if inside is None:
                of_scopes = steps_left.get(attempt, Counter[str]())
                inside = open_maps[item.scope] = MapItems(grain, of_scopes, most)
            if isinstance(each, CallBegins):
                inside.begin(item, each)
            else:
                inside.end(item, each)
        elif isinstance(each, Execution):
            inside = open_maps.pop(each.name, None)
            yield each if inside is None and not each.is_map else _with_inside(each, inside)
    yield from _without_end(attempt, open_maps)


def _with_inside(each: Execution, inside: MapItems | None) -> Execution:
    if inside is None:
        return each._replace(inside=MapItems(0.0, Counter[str](), 0))
    begun = inside.start
    if begun is None or begun >= each.start:
        return each._replace(inside=inside)
    # It had completed before, and so its start is journalled only once its new items are done.
    end = max(begun + each.seconds, each.start)
    return each._replace(start=begun, seconds=end - begun, inside=inside)


def _without_end(attempt: int, open_maps: dict[str, MapItems]) -> Iterator[Execution]:
    """Maps that had completed before, and whose process ended in an item that is new."""
    for name, inside in open_maps.items():
        if inside.calls:
            start = inside.start or 0.0
            seconds = max(call.end for call in inside.calls) - start
            at = inside.calls[0].at
            status = "cut short"
            yield Execution(attempt, name, status, start, seconds, at, is_map=True, inside=inside)


def _steps_of_scopes(events: Iterable[Event]) -> dict[int, Counter[str]]:
    """How many calls of steps each item begins that is a scope, by attempts."""
    found = dict[int, Counter[str]]()
    attempt = 0
    for event in events:
        if isinstance(event, RunStarted):
            attempt += 1
        elif isinstance(event, StepStarted):
            item = item_around(event.name)
            if item is not None and item != event.name:
                found.setdefault(attempt, Counter[str]())[item] += 1
    return found
