"""Why a job is not there: a function without `@define_job`, a file in a sub-folder, a typing error.

Asked only once all modules have been imported; what else is looked at is read as text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import FunctionType
from typing import Any

from durably_cli import hints
from durably_cli.errors import ConfigError, JobModuleError, NotFound
from durably_cli.project import known_jobs, places
from durably_cli.project.importing import PACKAGE
from durably_cli.project.job import Job
from durably_cli.project.script_files import is_script
from durably_cli.steps.step import Step

_MOST_FILES, _MOST_NAMES = 2_000, 20
"""How many files of a large project are looked at, and how many jobs are named."""


def no_job(
    project: Path, name: str, known: Sequence[str], broken: Sequence[JobModuleError]
) -> NotFound:
    """The error for a name that no job has, of these that are known."""
    from durably_cli import retyping  # only after a typing mistake

    is_one_file = is_script(project)
    what = f"there is no job {name} in {project if is_one_file else project / PACKAGE}"
    same = _same(name, known)
    near = [same] if same else known_jobs.near(name, known)
    why = None if same or is_one_file else _why(project, name)
    hint = hints.command("jobs", *near[:1]) if known and (near or not why) else None
    if same:  # another job, of a name that is only near, is looked at first
        hint = retyping.with_word(name, same) or hint
    if why:
        what += f": {why}"
    if near:
        what += f"; did you mean {' or '.join(near)}?"
    elif not why:
        what += _what_there_is(project, known)
    for error in broken:
        what += f"\npassed over {error.what.splitlines()[0]}: {error.reason}"
    return NotFound(what, hint=hint, code="no-such-job")


def _what_there_is(project: Path, known: Sequence[str]) -> str:
    if not known:
        return f", nor any other: {why_none(project)}"
    more = ", ..." if len(known) > _MOST_NAMES else ""
    return f"; there are: {', '.join(known[:_MOST_NAMES])}{more}"


def _same(name: str, known: Sequence[str]) -> str | None:
    """The job that this is another spelling of, or the function of; None if there is none."""
    defined = [vars(module).get(name.replace("-", "_")) for module in _modules()]
    of_function = (job.name for job in defined if issubclass(type(job), Job))
    return known_jobs.spelled(name, known) or next(of_function, None)


def no_name(project: Path, given: str) -> NotFound:
    """The error for what no job can be named; of a file's path, with the job that is in it."""
    from durably_cli import retyping  # only after a typing mistake

    what = f"{given!r} is no job's name"
    if given.endswith(".py"):
        job = Path(given).stem.replace("_", "-")
        if job in known_jobs.known(project):
            hint = retyping.with_word(given, job) or hints.command("jobs", job)
            return NotFound(f"{what}; did you mean {job}?", hint=hint, code="no-such-job")
    return NotFound(what, hint=hints.command("jobs"), code="no-such-job")


def why_none(project: Path) -> str:
    """Why a project whose modules were all imported has no job."""
    for function in _undecorated():
        if _takes_a_step(function):
            return _has_no_decorator(function, project)
    for path in _passed_over(project):
        if b"define_job" in _bytes_of(path):
            return _is_not_looked_at(path, project)
    if not any(places.job_files(project)):
        return f"it has no module (one that works: {hints.command('init', project)})"
    return "no module of it has a function with @define_job"


def _why(project: Path, name: str) -> str | None:
    wanted = name.replace("-", "_").replace(".", "_")
    for module in _modules():
        value = vars(module).get(wanted)
        if isinstance(hidden := _behind(value), Job) and hidden is not value:
            return f"another decorator hides it, at {hidden.place}: write @define_job above all"
        if module.__name__.rpartition(".")[2] == wanted and (jobs := _names_in(module)):
            return f"{_short(module.__file__, project)} has {', '.join(jobs[:_MOST_NAMES])}"
    for function in _undecorated():
        if function.__name__ == wanted and _takes_a_step(function):
            return _has_no_decorator(function, project)
    for path in _passed_over(project):
        text = _bytes_of(path)
        if b"define_job" in text and (
            path.stem.lstrip("_") == wanted or f"def {wanted}(".encode() in text
        ):
            return _is_not_looked_at(path, project)
    return None


def _takes_a_step(function: FunctionType) -> bool:
    """May it be a handler, and not only what one calls?"""
    first = function.__code__.co_varnames[: function.__code__.co_argcount][:1]
    typed = function.__annotations__.get(first[0]) if first else None
    return first == ("step",) or typed in (Step, "Step")


def _has_no_decorator(function: FunctionType, project: Path) -> str:
    code = function.__code__
    place = f"{_short(code.co_filename, project)}:{code.co_firstlineno}"
    return f"{function.__name__} at {place} has no @define_job above it"


def _is_not_looked_at(path: Path, project: Path) -> str:
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    to = f"a file of {PACKAGE}/" if stem == PACKAGE else f"{PACKAGE}/{stem.lstrip('_')}.py"
    return (
        f"{_short(path, project)} is not looked at, only {PACKAGE}/*.py and "
        f"{PACKAGE}/*/__init__.py are; move it to {to}"
    )


def _short(path: Path | str, project: Path) -> str:
    return os.path.relpath(path, project) if Path(path).is_relative_to(project) else str(path)


def _undecorated() -> Iterator[FunctionType]:
    """The plain functions of the job modules."""
    for module in _modules():
        for value in vars(module).values():
            if type(value) is FunctionType and value.__module__ == module.__name__:
                yield value


def _modules() -> Iterator[Any]:
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{PACKAGE}.") and name.count(".") == 1:
            yield module


def _names_in(module: Any) -> list[str]:
    return [value.name for value in vars(module).values() if issubclass(type(value), Job)]


def _behind(value: object) -> object:
    """What a decorator's function wraps, decorator by decorator."""
    while type(value) is FunctionType and "__wrapped__" in value.__dict__:
        value = value.__dict__["__wrapped__"]
    return value


def _passed_over(project: Path) -> Iterator[Path]:
    """The project's other Python files in which somebody may have put a job."""
    looked_at: Collection[Path] = ()
    with suppress(OSError, ConfigError):
        looked_at = set(places.job_files(project))
        inside = islice((project / PACKAGE).rglob("*.py"), _MOST_FILES)
        for path in (*sorted(inside), *sorted(project.glob("*.py"))):
            if path not in looked_at:
                yield path


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
