"""Finding a job: `sync-users` is looked for in jobs/sync_users.py, then where it was last time, and
only then in all modules. A module that does not import hides only itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from durably_cli.errors import JobModuleError
from durably_cli.project import importing, known_jobs, places, unfound
from durably_cli.project.job import NAME, Job
from durably_cli.project.modules import load_module
from durably_cli.project.script_files import is_script

AnyJob = Job[Any, Any]


def find_job(project: Path, name: str, note: Callable[[str], object] = lambda text: None) -> AnyJob:
    """The job of this name; `note` is called with a line on other modules that do not import.

    NotFound with the nearest names if there is none; JobModuleError if the module that should have
    it does not import, or if another one defines it as well.
    """
    if not NAME.fullmatch(name):
        raise unfound.no_name(project, name)
    if is_script(project):
        jobs = _of_script(project)
        if name not in jobs:
            raise unfound.no_job(project, name, sorted(jobs), ())
        return jobs[name]
    importing.prepare(project)
    found = _where_it_should_be(project, name) or _where_it_was(project, name)
    if found is not None:
        _refuse_another(project, found)
        return found
    jobs, broken = load_all(project)
    if name in jobs:
        for error in broken:
            note(f"passed over {error.what.splitlines()[0]}")
        return jobs[name]
    for error in broken:
        if _mentions(error.path, name):
            raise error
    raise unfound.no_job(project, name, sorted(jobs), broken)


def load_all(project: Path) -> tuple[dict[str, AnyJob], list[JobModuleError]]:
    """Every job of the project by name, and the modules that do not import or share a job's name.

    Two jobs of one name hide only themselves. ConfigError if jobs/__init__.py, which all need, does
    not import.
    """
    if is_script(project):
        return _of_script(project), []
    importing.prepare(project)
    jobs: dict[str, AnyJob] = {}
    broken: list[JobModuleError] = []
    twice: dict[str, JobModuleError] = {}
    for path in places.job_files(project):
        try:
            found = _jobs_of(load_module(project, path))
        except JobModuleError as error:
            broken.append(error)
            continue
        for job in found:
            if jobs.setdefault(job.name, job).place != job.place:
                twice[job.name] = _two(jobs[job.name], job)
    return {name: job for name, job in jobs.items() if name not in twice}, [
        *broken,
        *twice.values(),
    ]


def _of_script(script: Path) -> dict[str, AnyJob]:
    """The jobs of a script, whose process this is. JobModuleError for a type that is none."""
    from durably_cli.project.as_script import jobs_of_script  # only for scripts

    jobs: dict[str, AnyJob] = {}
    for job in jobs_of_script(script):
        if jobs.setdefault(job.name, job) is not job:
            raise _two(jobs[job.name], job)
        try:
            job._read_types()
        except TypeError as error:
            what = f"{job.place}: {error}"
            raise JobModuleError(str(job.source), what, str(error)) from None
    return jobs


def _two(one: AnyJob, other: AnyJob) -> JobModuleError:
    return JobModuleError(
        str(other.source),
        f"two jobs are named {one.name}: at {one.place} and at {other.place}",
        f"two jobs are named {one.name}",
        hint="rename one of them: @define_job(name=...)",
    )


def _refuse_another(project: Path, job: AnyJob) -> None:
    """JobModuleError if another job has this one's name, as far as the text of a module tells.

    Only a module that may define it is imported: to import all of them may take long. One that does
    not import hides only itself.
    """
    function = re.escape(job.name).replace(r"\-", "[-_]")
    defines = re.compile(rf"\bdef\s+{function}\b|\bname\s*=\s*['\"]{re.escape(job.name)}['\"]")
    for path in places.job_files(project):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "define_job" not in text or not defines.search(text):
            continue
        try:
            jobs = _jobs_of(load_module(project, path))
        except JobModuleError:
            continue
        for other in jobs:
            if other.name == job.name and other.place != job.place:
                raise _two(job, other)


def _jobs_of(module: ModuleType) -> list[AnyJob]:
    """The jobs in a module. Other objects are asked nothing: a proxy may raise at anything."""
    found = {id(value): value for value in vars(module).values() if issubclass(type(value), Job)}
    return list(found.values())


def _module_named_after(project: Path, name: str) -> Path | None:
    stem = name.replace("-", "_").replace(".", "_")
    for path in (project / "jobs" / f"{stem}.py", project / "jobs" / stem / "__init__.py"):
        if path.is_file() and stem != "__init__":
            return path
    return None


def _where_it_should_be(project: Path, name: str) -> AnyJob | None:
    """The job, if it is in the module that has its name."""
    path = _module_named_after(project, name)
    jobs = () if path is None else _jobs_of(load_module(project, path))
    return next((job for job in jobs if job.name == name), None)


def _where_it_was(project: Path, name: str) -> AnyJob | None:
    """The job, if it is where it was last time: to import all modules may take long."""
    path = known_jobs.file_of(project, name)
    if path is None or path not in places.job_files(project):
        return None
    try:
        return next((job for job in _jobs_of(load_module(project, path)) if job.name == name), None)
    except JobModuleError:  # it may be elsewhere by now
        return None


def _mentions(path: str, name: str) -> bool:
    """May the module at this path define the job? Then its own error is the answer."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    return name in text or f"def {name.replace('-', '_')}(" in text
