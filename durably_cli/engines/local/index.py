"""The index: which runs may fit a filter, without a look at every journal.

It is a cache, never believed over a journal: it leaves out runs that cannot fit, and whoever asks
looks at the journals of the rest. In the user's cache folder, for each day on which runs were made:

    <day>.json       {"folder": stamp, "open": [id, ...],
                      "ended": [[status, job, labels, "id id ..."], ...]}
    <day>.runs.json  {id: [stamp, status, job, labels], ...}

A day's folder changes whenever a run is made, taken up, repaired or removed in it, because each of
these gives or takes a name. As long as it has not changed, the runs that had ended are as they
were, and the first file answers. Once it has, the second one says which runs to look at again:
those whose journals have changed, or that a process held. Those that have not ended are in every
answer.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from durably_cli.engines.local import cache
from durably_cli.engines.local.stamps import Stamp, settled_stamp, stamp_of
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.journal.state import Status
from durably_cli.system import files
from durably_cli.values.strict_json import to_json

_MANY = 5_000
"""So many journals take so long to look at that a person should know why."""

_FEW = 20
"""How many unfinished runs are looked at each time: some may have ended since."""

_UNFORESEEN = (Status.DAMAGED, Status.UNREADABLE)
"""What becomes of a run without a change of its folder."""


class _Ended(NamedTuple):
    """Runs of a day that ended alike; `run_ids` has spaces between them."""

    status: str
    job: str
    labels: Mapping[str, str]
    run_ids: str


class _Day(NamedTuple):
    """The runs of a day: those that have ended, and those that must be looked at."""

    open: list[str]
    ended: list[_Ended]


class _Look(NamedTuple):
    """What a look at a journal found; `status` is None unless its run had ended.

    The stamp of one that a process held is empty, for it ends without a change of the file.
    """

    stamp: Stamp
    status: str | None = None
    job: str = ""
    labels: Mapping[str, str] = {}


def candidates(
    store: Store,
    *,
    statuses: Collection[Status] = (),
    jobs: Collection[str] = (),
    labels: Mapping[str, str] | None = None,
    looking_at_many: Callable[[], object] = lambda: None,
) -> Iterator[str]:
    """The ids of all runs of these statuses, jobs and labels, and of some others; newest first.

    An empty filter matches every run. The caller may shrink `jobs` between items.
    `looking_at_many` is called once if it takes a while, as it does where there is no index yet.
    """
    wanted = labels or {}
    if not (statuses or jobs or wanted) or not set(statuses).isdisjoint(_UNFORESEEN):
        yield from store.run_ids()
        return
    folder = cache.of_store(store.root, "index")
    days = store.days()
    _forget_all_but(days, folder)
    looked = 0
    for day in days:
        runs, looked_at = _runs_of(day, store, folder)
        if looked < _MANY <= looked + looked_at:
            looking_at_many()
        looked += looked_at
        fitting = [(run_id, "") for run_id in runs.open]
        for status, job, has, run_ids in runs.ended:
            if (
                (not statuses or status in statuses)
                and (not jobs or job in jobs)
                and wanted.items() <= has.items()
            ):
                fitting += [(run_id, job) for run_id in run_ids.split()]
        for run_id, job in sorted(fitting, reverse=True):
            if not job or not jobs or job in jobs:
                yield run_id


def glances(store: Store) -> Iterator[tuple[str, str, str]]:
    """The id of every run, newest first, with its job and status as they were seen last.

    Both are empty of a run that must be looked at.
    """
    folder = cache.of_store(store.root, "index")
    for day in store.days():
        runs, _ = _runs_of(day, store, folder)
        seen = [(run_id, "", "") for run_id in runs.open]
        for status, job, _, run_ids in runs.ended:
            seen += [(run_id, job, status) for run_id in run_ids.split()]
        yield from sorted(seen, reverse=True)


def unended(store: Store, day: str) -> list[str]:
    """The runs of a day that had not ended when they were looked at last, and some others."""
    return _runs_of(day, store, cache.of_store(store.root, "index"))[0].open


def _runs_of(day: str, store: Store, folder: Path) -> tuple[_Day, int]:
    """The runs of a day, and how many journals were looked at to know."""
    path = folder / f"{day}.json"
    stamp = settled_stamp(store.runs / day)
    known = cache.read_cache(path)
    try:
        if stamp and known["folder"] == stamp and len(known["open"]) <= _FEW:
            return _Day(list(known["open"]), [_ended(*each) for each in known["ended"]]), 0
    except (TypeError, ValueError, KeyError):  # there is none, or it is no such file
        pass
    looks, looked_at = _looks(day, store, folder / f"{day}.runs.json")
    runs = _grouped(looks)
    if stamp and stamp == settled_stamp(store.runs / day):
        cache.write_cache(path, {"folder": stamp, **runs._asdict()})
    return runs, looked_at


def _looks(day: str, store: Store, path: Path) -> tuple[dict[str, _Look], int]:
    """What the last look at each run of a day found, and how many it takes now: none for a run
    whose journal is as it was, unless a process held it.
    """
    try:
        before = {run_id: _read_look(*look) for run_id, look in cache.read_cache(path).items()}
    except (TypeError, ValueError, AttributeError):
        before = {}
    looks: dict[str, _Look] = {}
    looked = 0
    for run_id in store.run_ids_of(day):
        stamp = stamp_of(store.path_of(run_id))
        last = before.get(run_id)
        if last is None or last.stamp != stamp:
            last = _look(run_id, store, stamp)
            looked += 1
        looks[run_id] = last
    if looks != before:
        cache.write_cache(path, looks)
    return looks, looked


def _ended(status: str, job: str, labels: Any, run_ids: str) -> _Ended:
    return _Ended(status, job, dict(labels), str(run_ids))


def _read_look(stamp: Stamp, status: str | None, job: str, labels: Any) -> _Look:
    return _Look(stamp, status, job, dict(labels))


def _look(run_id: str, store: Store, stamp: Stamp) -> _Look:
    if store.is_held(run_id):  # it may be long, and grow with each look
        return _Look([])
    found = store.look(run_id)
    if not isinstance(found, JournalView):
        return _Look([])
    with found:
        if found.held or not stamp:
            return _Look([])
        if found.damage or not found.state.has_ended:
            return _Look(stamp)
        created = found.state.created
        return _Look(stamp, found.status, created.job, created.labels)


def _grouped(looks: Mapping[str, _Look]) -> _Day:
    alike = defaultdict[tuple[str, str, str], list[str]](list)
    labels: dict[str, Mapping[str, str]] = {}
    open_: list[str] = []
    for run_id, look in looks.items():
        if look.status is None:
            open_.append(run_id)
        else:
            written = to_json(look.labels)
            labels[written] = look.labels
            alike[look.status, look.job, written].append(run_id)
    ended = [
        _Ended(status, job, labels[written], " ".join(run_ids))
        for (status, job, written), run_ids in alike.items()
    ]
    return _Day(open_, ended)


def _forget_all_but(days: list[str], folder: Path) -> None:
    """Remove what is known of days that are no more."""
    wanted = set(days)
    try:
        for name in files.names(folder):
            if name.partition(".")[0] not in wanted:
                os.unlink(folder / name)
    except OSError:
        pass
