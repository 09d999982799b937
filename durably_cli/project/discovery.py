"""Finding a job: `sync-users` is looked for in jobs/sync_users.py, then where it was last time, and
only then in all modules.

A job module is imported under a name of its own, so that jobs/json.py hides nobody's json, with
the project's folder at the front of `sys.path`. A module that does not import hides only itself.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from durably_cli import hints
from durably_cli.errors import Abort, ConfigError, JobModuleError, NotFound
from durably_cli.journal.failures import describe
from durably_cli.project import known_jobs, missing_modules, places
from durably_cli.project.job import NAME, Job
from durably_cli.system import garbage
from durably_cli.values.untrusted import traceback_of

AnyJob = Job[Any, Any]


def find_job(project: Path, name: str, note: Callable[[str], object] = lambda text: None) -> AnyJob:
    """The job of this name; `note` is called with a line on other modules that do not import.

    NotFound with the nearest names if there is none; JobModuleError if the module that should have
    it does not import; ConfigError if two modules define it.
    """
    if not NAME.fullmatch(name):
        raise NotFound(f"{name!r} is no job's name", hint=hints.command("jobs"))
    _import_from(project)
    likely = _module_named_after(project, name)
    if likely is not None:
        for job in _jobs_of(load_module(likely)):
            if job.name == name:
                return job
    last = _where_it_was(project, name)
    if last is not None:
        return last
    jobs, broken = load_all(project)
    if name in jobs:
        for error in broken:
            note(f"passed over {error.what.splitlines()[0]}")
        return jobs[name]
    for error in broken:
        if _mentions(error.path, name):
            raise error
    raise _not_found(project, name, sorted(jobs), broken)


def load_all(project: Path) -> tuple[dict[str, AnyJob], list[JobModuleError]]:
    """Every job of the project by name, and the modules that do not import.

    ConfigError, with both places, if two jobs have one name.
    """
    _import_from(project)
    jobs: dict[str, AnyJob] = {}
    broken: list[JobModuleError] = []
    for path in places.job_files(project):
        try:
            found = _jobs_of(load_module(path))
        except JobModuleError as error:
            broken.append(error)
            continue
        for job in found:
            other = jobs.setdefault(job.name, job)
            if other.place != job.place:
                raise ConfigError(
                    f"two jobs are named {job.name}: at {other.place} and at {job.place}",
                    hint="rename one of them: @define_job(name=...)",
                )
    return jobs, broken


def load_module(path: Path) -> ModuleType:
    """The module of this file, imported once. JobModuleError with the user's own error."""
    name = _module_name(path)
    if name in _loaded and name in sys.modules:
        return _loaded[name]
    spec = spec_from_file_location(name, path, loader=_JobLoader(name, str(path)))
    if spec is None or spec.loader is None:
        raise JobModuleError(str(path), f"{path} cannot be imported")
    _load_pydantic_for(path)
    garbage.freeze_loaded()
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Abort, KeyboardInterrupt):
        raise
    except BaseException as error:
        sys.modules.pop(name, None)
        raise _broken(path, error) from error
    _loaded[name] = module
    sys.modules.setdefault(name, module)
    return module


_loaded = dict[str, ModuleType]()
"""Job modules as they were executed: one may put something else into `sys.modules`."""


def _load_pydantic_for(path: Path) -> None:
    """Import pydantic first, if the module will, so that `gc.freeze` covers it.

    It saves a trigger with a typed input 5 % of its CPU, 191 ms without it and 181 so, and `jobs`
    as much (30 of each, in turn; two equal ones differ by 0.6 %).
    """
    with suppress(Exception):  # the module's own import reports what is wrong
        if b"pydantic" in path.read_bytes():
            import pydantic

            _ = pydantic.BaseModel, pydantic.TypeAdapter  # these load the most of it


class _JobLoader(SourceFileLoader):
    """Leaves no compiled file in the user's project."""

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        pass


def _jobs_of(module: ModuleType) -> list[AnyJob]:
    """The jobs in a module. Other objects are asked nothing: a proxy may raise at anything."""
    found = {id(value): value for value in vars(module).values() if issubclass(type(value), Job)}
    return list(found.values())


def _module_named_after(project: Path, name: str) -> Path | None:
    stem = name.replace("-", "_").replace(".", "_")
    for path in (project / "jobs" / f"{stem}.py", project / "jobs" / stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _where_it_was(project: Path, name: str) -> AnyJob | None:
    """The job, if it is where it was last time: to import all modules may take long."""
    path = known_jobs.file_of(project, name)
    if path is None or path not in places.job_files(project):
        return None
    try:
        return next((job for job in _jobs_of(load_module(path)) if job.name == name), None)
    except JobModuleError:  # it may be elsewhere by now
        return None


def _module_name(path: Path) -> str:
    stem = path.parent.name if path.name == "__init__.py" else path.stem
    return f"durably_job_{stem}"


def _import_from(project: Path) -> None:
    if str(project) not in sys.path[:1]:
        sys.path.insert(0, str(project))


def _broken(path: Path, error: BaseException) -> JobModuleError:
    what = describe(error)
    line = _line_in(path, error)
    where = f"{path}:{line}" if line else str(path)
    hint = (
        missing_modules.hint(error, path) if issubclass(type(error), ModuleNotFoundError) else None
    )
    return JobModuleError(str(path), f"{where} does not import\n{what.traceback}", hint=hint)


def _line_in(path: Path, error: BaseException) -> int | None:
    """The line of the module at which it stopped; nothing is asked of the exception's own class."""
    if issubclass(type(error), SyntaxError):
        file, line = (SyntaxError.__dict__[name].__get__(error) for name in ("filename", "lineno"))
        if type(file) is str and type(line) is int and file == str(path):
            return line
    frames = traceback.extract_tb(traceback_of(error))
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _mentions(path: str, name: str) -> bool:
    """May the module at this path define the job? Then its own error is the answer."""
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    return name in text or f"def {name.replace('-', '_')}(" in text


def _not_found(
    project: Path, name: str, known: list[str], broken: list[JobModuleError]
) -> NotFound:
    import difflib  # only after a typing mistake

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    what = f"there is no job {name} in {project / 'jobs'}"
    if near:
        what += f"; did you mean {' or '.join(near)}?"
    elif known:
        what += f"; there are: {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}"
    else:
        what += ", nor any other"
    for error in broken:
        what += f"\npassed over {error.what}"
    hint = hints.command("jobs", near[0]) if near else None
    return NotFound(what, hint=hint)
