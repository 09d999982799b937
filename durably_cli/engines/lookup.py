"""Which run a person means: part of an id, `@last`, `@last/JOB`, `@failed` or `key:JOB/VALUE`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from durably_cli import hints
from durably_cli.engines.run_view import RunView
from durably_cli.engines.runs import Runs
from durably_cli.errors import NotFound, UsageError
from durably_cli.journal.state import Status

_PART = r"[0-9a-f-]{4,36}"
_CANDIDATES = 10


def run_of_query(runs: Runs, query: str) -> str:
    """The id of the run that a query names.

    NotFound if there is none; UsageError if several runs fit, with the candidates.
    """
    if query.startswith("@"):
        return _by_word(runs, query)
    if query.startswith("key:"):
        return _by_key(runs, query)
    part = query.strip().lower()
    if not re.fullmatch(_PART, part):
        raise _no_run(runs, query)
    fitting = runs.fitting(part)
    if not fitting:
        raise _not_there(runs, f"no run {query}")
    if len(fitting) > 1:
        raise UsageError(
            f"{query} fits {len(fitting)} runs:\n" + _candidates(runs, fitting),
            hint="give more of the id, its last 8 characters for one",
        )
    return fitting[0]


def _not_there(runs: Runs, what: str) -> NotFound:
    what += f" in {runs.place}{runs.why_none()}"
    return NotFound(f"there is {what}", hint=hints.command("list"))


def _no_run(runs: Runs, query: str) -> UsageError:
    """The error for what no run can be named, with what was probably wanted."""
    import difflib  # only after a typing mistake

    from durably_cli import retyping

    word, job = query.strip().lstrip("@").lower(), query.replace("_", "-")
    near = difflib.get_close_matches(word, _WORDS, n=1, cutoff=0.7)
    wanted = _WORDS[near[0]] if near else f"@last/{job}" if _newest_of(runs, job) else None
    if wanted is not None:
        hint = retyping.with_word(query, wanted) or hints.command("inspect", wanted)
        return UsageError(f"{query!r} is no run; did you mean {wanted}?", hint=hint)
    return UsageError(
        f"{query!r} is no run: give 4 or more characters of the head or the tail of its id, "
        "or @last, @last/JOB, @failed, key:JOB/VALUE",
        hint=hints.command("list"),
    )


_WORDS = {
    **dict.fromkeys(("last", "latest", "newest", "recent"), "@last"),
    **dict.fromkeys(("failed", "last-failed", "failure"), "@failed"),
}
"""What people type for the words that mean a run."""


def _by_word(runs: Runs, query: str) -> str:
    word, _, job = query.partition("/")
    if query == "@last":
        found, what = next(_not_steps(runs), None), "no run"
    elif query == "@failed":
        found, what = _newest_failed(runs), "no failed run"
    elif word == "@last" and job:
        found, what = _newest_of(runs, job), f"no run of {job}"
    else:
        raise _no_run(runs, query)
    if found is None:
        raise _not_there(runs, what)
    return found


def _not_steps(runs: Runs) -> Iterator[str]:
    """The runs that are no step of another one, newest first; those that cannot be read, too."""
    for run_id in runs.run_ids():
        created = runs.created(run_id)
        if created is None or not created.parent:
            yield run_id


def _newest_failed(runs: Runs) -> str | None:
    failed = runs.candidates(statuses=[Status.FAILED])
    return _newest(
        runs,
        failed,
        lambda view: view.status is Status.FAILED and not view.state.created.parent,
    )


def _newest_of(runs: Runs, job: str) -> str | None:
    """The newest run of a job that can be read; None if there is none."""
    return _newest(runs, runs.candidates(jobs=[job]), lambda view: view.state.created.job == job)


def _newest(runs: Runs, run_ids: Iterable[str], wanted: Callable[[RunView], bool]) -> str | None:
    for run in runs.look_at(run_ids):
        if isinstance(run, RunView) and wanted(run):
            return run.run_id
    return None


def job_and_key(query: str) -> tuple[str, str]:
    """The job and the idempotency key of `key:JOB/VALUE`."""
    job, slash, value = query.removeprefix("key:").partition("/")
    if not (job and slash and value):
        raise UsageError(f"{query!r} is no key; it reads key:JOB/VALUE")
    return job, value


def _by_key(runs: Runs, query: str) -> str:
    job, value = job_and_key(query)
    found = runs.claimed(job, value)
    if found.run is None:
        deleted = f"; it was deleted at {found.deleted}" if found.deleted else ""
        if found.elsewhere:
            deleted = f"; it was used for {found.elsewhere}{deleted}"
        raise NotFound(
            f"no run of {job} has the idempotency key {value!r} in {runs.place}{deleted}",
            hint=hints.command("list", "--job", job),
        )
    return found.run


def _candidates(runs: Runs, fitting: list[str]) -> str:
    lines = []
    for run in fitting[:_CANDIDATES]:
        found = runs.look(run)
        if isinstance(found, RunView):
            lines.append(f"  {run}  {found.state.created.job}  {found.status}")
            found.close()
        else:
            lines.append(f"  {run}")
    if len(fitting) > _CANDIDATES:
        lines.append(f"  ... and {len(fitting) - _CANDIDATES} more")
    return "\n".join(lines)
