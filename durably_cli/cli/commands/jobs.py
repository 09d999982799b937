"""`durably jobs`: import the project's jobs, and say what they are and take."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say
from durably_cli.cli.completion import complete_jobs
from durably_cli.cli.parameters import (
    AsJson,
)
from durably_cli.cli.streams import redirected
from durably_cli.engines.local.index import candidates
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.engines.local.working_folder import inside
from durably_cli.errors import ConfigError, InvalidInput, JobModuleError
from durably_cli.project import known_jobs, stores, unfound
from durably_cli.project.discovery import AnyJob, find_job, load_all
from durably_cli.project.script_files import home_of
from durably_cli.render.record import summary
from durably_cli.render.rows import row, write_json
from durably_cli.values.example import sample_of
from durably_cli.values.schema import Field, Kind, sample
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.part_types import BrokenModule, JobFields
    from durably_cli.render.run_types import RunSummary


@as_command()
def jobs(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(help="A job's name.", metavar="JOB", autocompletion=complete_jobs),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Show the project's jobs, or what one takes.

    In a pipe a job is a line of tab-separated cells: name, status of its last run, when that was
    made, its id, what the job does. `--json` has the JSON Schemas of input and output.

    \b
    Examples:
      durably jobs
      durably jobs sync-users
      durably jobs sync-users --json | jq .job.input
    """
    project = project_of(context)
    if job is None:
        return run_jobs(project, as_json=as_json)
    return run_job(project, job, as_json=as_json)


def run_jobs(project: Path, *, as_json: bool) -> int:
    """`durably jobs`; the exit code: that of a module that does not import, if there is one."""
    with redirected(), inside(home_of(project)):
        jobs, broken = load_all(project)
        broken += list(_taken_out(jobs))
    known_jobs.remember_jobs(project, jobs.values(), all_of_them=not broken)
    last = last_runs(stores.open_store(project), jobs)
    described = [(jobs[name], last.get(name)) for name in sorted(jobs)]
    out = sys.stdout
    if as_json:
        fields = [_as_json(*one) for one in described]
        unread: list[BrokenModule] = [{"path": each.path, "error": each.what} for each in broken]
        document.suggest(*(example(job) for job, _ in described))
        write_json({"jobs": fields, "broken": unread}, document.on(out))
    elif not described and not broken:
        say(f"no jobs in {project / 'jobs'}: {unfound.why_none(project)}")
    elif out.isatty():
        from durably_cli.render.jobs import show_jobs  # loads rich: only on a terminal

        show_jobs(described, broken, project, out)
    else:
        for job, last_run in described:
            run = (
                (last_run["status"], last_run["created"], last_run["id"])
                if last_run
                else [None] * 3
            )
            out.write(row(job.name, *run, job.doc))
    return _broken(broken, project) if broken else 0


def run_job(project: Path, name: str, *, as_json: bool) -> int:
    """`durably jobs JOB`; the exit code."""
    with redirected() as streams, inside(home_of(project)):
        job = find_job(project, name, lambda text: streams.stderr.write(visible(text) + "\n"))
    known_jobs.remember_jobs(project, [job])
    last_run = last_runs(stores.open_store(project), [name]).get(name)
    out = sys.stdout
    if as_json:
        document.suggest(example(job))
        write_json({"job": _as_json(job, last_run)}, document.on(out))
    elif out.isatty():
        from durably_cli.render.jobs import show_job  # loads rich: only on a terminal

        show_job(job, last_run, example(job), out)
    elif not job.fields:
        say(f"the input of {job.name} is {job.input_type}: it has no fields to name")
        say(f"try: {example(job)}")
    else:
        for field in job.fields:
            flag = field.flag or f"-p {field.name}="
            needed = "required" if field.required else "optional"
            out.write(row(field.name, flag, field.type, needed, field.default, field.description))
    return 0


def last_runs(store: Store, names: Iterable[str]) -> dict[str, RunSummary]:
    """The newest run of each job, where there is one that can be read."""
    found: dict[str, RunSummary] = {}
    missing = set(names)
    for run in store.look_at(candidates(store, jobs=missing)) if missing else ():
        if isinstance(run, RunView) and run.state.created.job in missing:
            found[run.state.created.job] = summary(run)
            missing.remove(run.state.created.job)
            if not missing:
                break
    return found


def example(job: AnyJob) -> str:
    """A command that runs the job, with its required fields in it."""
    words = ["trigger", job.name]
    for field in job.fields:
        if field.required:
            words += _words(field)
    if (text := sample(job.input_schema)) is not None:
        words += ["--input", text]
    return hints.command(*words)


def _words(field: Field) -> list[str]:
    value = sample_of(field)
    if field.flag is None:
        return ["-p", f"{field.name}={value}"]
    return [field.flag] if field.kind is Kind.SWITCH else [field.flag, value]


def _taken_out(jobs: dict[str, AnyJob]) -> Iterator[JobModuleError]:
    """Take out the jobs whose models cannot be described: code of theirs raises. And why."""
    for name, job in list(jobs.items()):
        try:
            _ = job.input_schema, job.output_schema
        except InvalidInput as error:
            del jobs[name]
            yield JobModuleError(str(job.source), error.what, error.what.rpartition("\n")[2])


def _as_json(job: AnyJob, last_run: RunSummary | None) -> JobFields:
    return {
        "name": job.name,
        "doc": job.doc,
        "source": job.place,
        "input": job.input_schema,
        "output": job.output_schema,
        "last_run": last_run,
    }


def _broken(broken: list[JobModuleError], project: Path) -> int:
    if len(broken) == 1:
        raise broken[0]
    raise ConfigError("\n".join(error.what for error in broken))
