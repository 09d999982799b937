"""What of a run is in flight here: the step that began last, how many beside it, and maps."""

from __future__ import annotations

import json
import time

from durably_cli.journal.events import ProgressReported
from durably_cli.journal.step_events import (
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import item_around
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.render.live_map import HowFar, LiveMap
from durably_cli.render.words import local_clock, local_time
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible


class LiveWork:
    """It is shown one event after the other, and asked by the thread that draws."""

    def __init__(self) -> None:
        self._steps: dict[str, str] = {}
        self._maps: dict[str, LiveMap] = {}
        self._maps_inside, self._were_maps = set[str](), set[str]()

    def begun(self, event: StepStarted | MapStarted | StepWaiting) -> None:
        """A step begins, or a map, or a wait."""
        item = item_around(event.name)
        if item is not None:
            if isinstance(event, MapStarted):  # in an item, of whose calls it is none
                self._maps_inside.add(event.name)
            else:
                self._map(item.scope).begun(item)
            return
        self._steps.pop(event.name, None)
        said: str = event.name
        if isinstance(event, StepWaiting):
            from durably_cli.render.waits import OpenWait, said_of  # few runs wait

            said = said_of(OpenWait("", event), local_time)
        self._steps[event.name] = visible(said)
        if isinstance(event, MapStarted):
            self._map(event.name, event.items or None)

    def ended(self, event: StepCompleted | StepFailed | StepRetrying | StepCancelled) -> None:
        """A step, a map or a try has ended, if by a cancellation."""
        item = item_around(event.name)
        if item is None:
            self._maps.pop(event.name, None)
            self._steps.pop(event.name, None)
            if isinstance(event, StepRetrying):
                again = local_clock(event.until)[:8]
                self._steps[event.name] = visible(f"{event.name}, again at {again}")
        elif event.name in self._maps_inside:
            self._maps_inside.discard(event.name)
        elif isinstance(event, StepRetrying):
            self._map(item.scope).pauses(item)
        else:
            has_failed, is_cancelled = map(isinstance, (event,) * 2, (StepFailed, StepCancelled))
            goes_on = item != event.name or is_cancelled
            found = self._map(item.scope)
            found.ended(item, time.monotonic(), goes_on=goes_on, has_failed=has_failed)

    def replayed(self, name: str) -> None:
        """What a step gave before is handed back; that of a map, once it has ended."""
        item = item_around(name)
        if item is None:
            self._maps.pop(name, None)
            self._steps.pop(name, None)
        elif item == name:
            self._map(item.scope).replayed()

    def reported(self, event: ProgressReported) -> bool:
        """Is this what a map that is in flight says of itself?"""
        for name, found in [*self._maps.items()]:
            if event.message == name or (event.message or "").startswith(f"{name}, "):
                found.reported(int(event.current), event.total, time.monotonic())
                return True
        return False

    def said_of(self, event: StepCompleted) -> str | None:
        """How many items a map had that has completed; None of what is no map."""
        if event.name not in self._were_maps:
            return None
        counted = json.loads(event.result)
        items, failed = counted.get("items"), len(counted.get("failed", ()))
        if items is None:  # the result stands in a file, for so many have failed
            return ""
        return plural(items, "item") + (f", {failed:,} failed" if failed else "")

    def now(self) -> tuple[str, HowFar | None]:
        """What is in flight, and how far that is, if it is a map."""
        steps, maps = [*self._steps.values()], [*self._maps.values()]
        if not steps:
            return "", None
        step = visible(maps[-1].name) if maps else steps[-1]
        beside = f" and {len(steps) - 1:,} more" if len(steps) > 1 else ""
        return f"{step}{beside}", maps[-1].how_far(time.monotonic()) if maps else None

    def _map(self, name: str, total: int | None = None) -> LiveMap:
        """That map; one that had completed before says that it begins only at its end."""
        if name not in self._maps:
            self._were_maps.add(name)
            self._maps[name] = LiveMap(name, time.monotonic(), total)
            self._steps.setdefault(name, visible(name))
        return self._maps[name]
