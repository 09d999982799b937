"""What is known of a project's jobs without importing them: for completion, which must be quick.

A cache: `trigger`, `resume` and `jobs` write down the jobs they have loaded; a job that was never
loaded is known only by the name of its file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from durably_cli.engines.local import cache
from durably_cli.errors import DurablyError
from durably_cli.project import places, stores
from durably_cli.values.schema import Field, Kind

if TYPE_CHECKING:
    from durably_cli.project.job import Job

_NEAR = 0.7
"""How like another name must be."""


class KnownJob(NamedTuple):
    """A job as it was when it was last loaded; `stamp` says of which file."""

    doc: str
    fields: list[Field]
    stamp: list[Any]


def remember_jobs(
    project: Path, jobs: Iterable[Job[Any, Any]], *, all_of_them: bool = False
) -> None:
    """Write down what these jobs are; with `all_of_them`, forget the others."""
    before = load(project)
    known = {} if all_of_them else dict(before)
    for job in jobs:
        stamp = _stamp(job.source)
        last = before.get(job.name)
        is_same = last is not None and last.stamp == stamp
        known[job.name] = last if last and is_same else KnownJob(job.doc, job.fields, stamp)
    if known != before:
        cache.write_cache(_path(project), {name: one._asdict() for name, one in known.items()})


def known(project: Path) -> dict[str, str]:
    """The names of the jobs, with what each does, as far as one can know without importing."""
    loaded = load(project)
    files_of_loaded = {one.stamp[0] for one in loaded.values()}
    found = {name: one.doc for name, one in loaded.items()}
    try:
        for path in places.job_files(project):
            if str(path) not in files_of_loaded:
                found.setdefault(places.stem_of(path).replace("_", "-"), "not loaded yet")
    except (DurablyError, OSError):
        pass
    return found


def spelled(name: str, names: Iterable[str]) -> str | None:
    """The one of the names that this is another spelling of: sync_users for sync-users."""
    from durably_cli.project.likeness import alike  # only after a typing mistake

    return next((each for each in names if alike(each) == alike(name)), None)


def near(name: str, names: Iterable[str]) -> list[str]:
    """Those of the names that may have been wanted by this one, the nearest first."""
    import difflib  # only after a typing mistake

    from durably_cli.project.likeness import alike

    by_form = {alike(each): each for each in names}
    found = difflib.get_close_matches(alike(name), by_form, n=3, cutoff=_NEAR)
    return [by_form[each] for each in found]


def file_of(project: Path, name: str) -> Path | None:
    """The file that a job was in when it was last loaded; None if that is not known."""
    known = load(project).get(name)
    return None if known is None else Path(known.stamp[0])


def load(project: Path) -> dict[str, KnownJob]:
    """The jobs that were loaded so far, by name."""
    try:
        return {name: _known(one) for name, one in cache.read_cache(_path(project)).items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        return {}


def _known(found: dict[str, Any]) -> KnownJob:
    fields = [
        Field(*one)._replace(kind=Kind(one[1]), items=Kind(one[7]), places=())
        for one in found["fields"]
    ]
    source, *rest = found["stamp"]
    return KnownJob(str(found["doc"]), fields, [str(source), *rest])


def _path(project: Path) -> Path:
    return cache.cache_file(stores.folder_of_path(project).name, "json")


def _stamp(source: Path) -> list[Any]:
    """What tells one version of a file from the next."""
    try:
        status = os.stat(source)
    except OSError:
        return [str(source)]
    return [str(source), status.st_mtime_ns, status.st_size, status.st_ctime_ns]
