"""Whether somebody takes up the runs of a store that are due."""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli import hints
from durably_cli.engines.local.check import Finding, Time
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.ticked import is_ticked, last_tick, overdue
from durably_cli.errors import ConfigError
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural


def of_tick(store: Store, time: Time, *, by_cron: bool = False) -> Iterator[Finding]:
    """When the last tick was, and what it should have taken up.

    With `by_cron` a line of a crontab is to start one each minute.
    """
    try:
        last, late = last_tick(store), overdue(store)
    except ConfigError as error:  # of the cache folder
        yield Finding("cron", "tick", "warning", error.what)
        return
    said = f"the last was at {time(last)}" if last else "there was none yet"
    if not late and by_cron and not is_ticked(store):
        detail = f"{said}, and a line of the crontab is to start one each minute: is cron running?"
        yield Finding("cron", "tick", "warning", detail)
        return
    if not late:
        yield Finding("cron", "tick", "ok", f"{said}; no run waits for one")
        return
    first, at = short(late[0].run_id), time(late[0].since)
    runs = f"run {first} was to be taken up at {at}"
    if len(late) > 1:
        runs = f"{plural(len(late), 'run')} were to be taken up, the first, {first}, at {at}"
    detail = f"{runs}, and no tick did; {said}: {hints.command('schedule', '--tick')}"
    yield Finding("cron", "tick", "warning", detail)
