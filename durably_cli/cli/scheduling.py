"""What `durably schedule` is asked for: read as `trigger` reads it, and checked as that would."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zlib import crc32

import typer
from typer.core import TyperCommand

from durably_cli import hints, program
from durably_cli.cli.app import Command, UsageError, project_of
from durably_cli.cli.arguments import read_input, read_labels
from durably_cli.cli.job_flags import given_fields, job_named, own_options, start_if_script
from durably_cli.cli.trigger_options import detaches_after, refuse_senseless, timeout_of
from durably_cli.errors import UsageError as WrongUsage
from durably_cli.project import naming
from durably_cli.project.engine import database_variable, engine_name
from durably_cli.project.job import NAME
from durably_cli.project.script_files import is_script
from durably_cli.project.settings import DBOS, engine_settings
from durably_cli.render.scheduled import Scheduled
from durably_cli.system.files import working_directory
from durably_cli.system.folders import CACHE_VARIABLE, cache_folder, data_folder
from durably_cli.values.cron_expression import CronExpression

_TRIGGER = "durably.scheduled_trigger"


class ScheduleCommand(Command):
    """`schedule`, whose words behind `--` are what `trigger JOB` takes."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read its own options, and then those of trigger, for the job that is named."""
        named = own_options(self, ctx, args)[0].get("job")
        if isinstance(named, str) and not (ctx.resilient_parsing or _is_expression(named)):
            start_if_script(named, "schedule", args)
        try:
            rest = super().parse_args(ctx, list(args))
        except UsageError as error:
            _say_where_flags_stand(error, args)
            raise
        if ctx.resilient_parsing:  # a shell completes
            return rest
        job, flags = _job_and_flags(ctx, args)
        if job is not None and not ctx.params["remove"]:
            trigger: Any = ctx.parent.command.get_command(ctx.parent, "trigger")
            # Past that of Command, which notes that trigger was typed.
            ctx.meta[_TRIGGER] = TyperCommand.make_context(
                trigger, "trigger", [job, *flags], parent=ctx.parent
            )
        return rest


def _is_expression(word: str) -> bool:
    """Does it say when, where a job may stand? A path with a space in it is that of a file."""
    return not word or word.startswith("@") or (" " in word and not os.path.exists(word))


def _say_where_flags_stand(error: Any, args: list[str]) -> None:
    """An option that is none of schedule's is the job's, and stands behind `--`."""
    option = str(getattr(error, "option_name", ""))
    words = [n for n, each in enumerate(args) if option and each.partition("=")[0] == option]
    if words and "--" not in args and not error.possibilities:
        own = [word for word in args[words[0] :] if word in ("--install", "--systemd", "--json")]
        rest = [word for word in args[words[0] :] if word not in own]
        error.next_step = hints.command("schedule", *args[: words[0]], *own, "--", *rest)


def _job_and_flags(ctx: Any, args: list[str]) -> tuple[str | None, list[str]]:
    """The job, and the words for trigger. Of a script, the job goes without saying."""
    params = ctx.params
    project_of(ctx)
    script = program.script_of(hints.project())
    if script is not None and not params["tick"] and params["job"] is not None:
        if _is_expression(params["job"]):
            flags = [params["expression"]] if params["expression"] is not None else []
            params["flags"] = [*flags, *(params["flags"] or [])]
            params["job"], params["expression"] = script.job, params["job"]
    elif script is not None and not params["tick"]:
        params["job"] = script.job
    elif params["job"] is not None and _is_expression(params["job"]):
        when, job = params["job"], params["expression"]
        turned = job is not None and f"{hints.command('schedule', job, when)}    (the job first)"
        raise WrongUsage(
            f"a schedule is of a JOB, which stands before {when!r}",
            hint=turned or f"{hints.command('jobs')}    (lists the jobs)",
        )
    job, flags = params["job"], list(params["flags"] or [])
    if flags and "--" not in args:
        raise WrongUsage(
            f"{flags[0]!r} stands behind the expression, whose five fields are one word",
            hint=f"{hints.command('schedule', *_if_name(job), '0 3 * * *')}    (in quotes)",
        )
    return job, flags


def _if_name(job: str | None) -> tuple[str, ...]:
    """The job, if it is one: it may be the minute that began the expression."""
    return (job,) if job is not None and NAME.fullmatch(job) else ()


def scheduled_job(context: typer.Context, due: CronExpression, name: str | None) -> Scheduled:
    """The command that triggers the job on that schedule.

    An error of `trigger` where that would refuse it, and UsageError for what no schedule can do.
    """
    trigger: typer.Context = context.meta[_TRIGGER]
    job: str = context.params["job"]
    flags = list(context.params["flags"] or [])
    project = project_of(context)
    secrets = _checked(trigger, job, project)
    if engine_name(engine_settings(project)) == DBOS and (url := database_variable(project)):
        secrets = (*secrets, url)
    variables, words = words_for_cron(project, "trigger", job, *flags)
    if not {"-q", "--quiet"} & {*flags}:
        words.append("-q")
    needs_folder = is_script(project) or _has_relative_paths(trigger)
    return Scheduled(
        schedule_name(project, name or job),
        f"{job} of {project}",
        due,
        variables,
        words,
        str(working_directory()) if needs_folder else "",
        None if trigger.params["idempotency_key"] is not None else f"{name}-" if name else "",
        secrets,
    )


def scheduled_tick(context: typer.Context, seconds: str) -> Scheduled:
    """The command that ticks, again and again."""
    project = project_of(context)
    if engine_name(engine_settings(project)) == DBOS:
        raise WrongUsage(
            "the runs of this project are in a database: its workers do what tick does",
            hint=hints.command("worker", "--systemd"),
        )
    variables, words = words_for_cron(project, "tick", "--for", seconds, "-q")
    about = f"tick of {project}"
    return Scheduled(schedule_name(project, None), about, None, variables, words, "", None)


def schedule_name(project: Path, name: str | None) -> str:
    """What tells a schedule from others of this user, in names of units and marks of lines.

    None is the tick of the project.
    """
    known = naming.project_name(project) or engine_settings(project).name
    if not known:
        known = f"{naming.as_name(project.stem)}-{crc32(os.fsencode(project)):08x}"
    return f"durably-{known}-tick" if name is None else f"durably-{known}.{name}"


def words_for_cron(project: Path, *words: str) -> tuple[dict[str, str], list[str]]:
    """The variables and words of a command, for whoever has no PATH and another home folder."""
    hints.keep_runs_in(data_folder())
    variables, called = hints.words_anywhere(*words)
    if os.environ.get(CACHE_VARIABLE):
        variables[CACHE_VARIABLE] = str(cache_folder())
    script = program.script_of(project)
    if script is not None:
        from durably_cli.project.script_start import starter_anywhere  # only for scripts

        starter = len(script.called(None, None))
        called[:starter] = starter_anywhere(Path(script.path))
    return variables, called


def _checked(trigger: typer.Context, job: str, project: Path) -> tuple[str, ...]:
    """The variables with its secrets. What makes trigger refuse the words does so here."""
    from durably_cli.cli.streams import redirected
    from durably_cli.engines.working_folder import inside
    from durably_cli.project.discovery import find_job
    from durably_cli.project.script_files import home_of
    from durably_cli.values.secret_sources import places

    refuse_senseless(trigger)
    timeout_of(trigger)
    detaches_after(trigger)
    read_labels(trigger.params["label"] or [])
    given = trigger.params["input"]
    if given == "-":
        raise WrongUsage(
            "--input - reads stdin, which a schedule does not have",
            hint="put the input into a file, and name it: --input @FILE",
        )
    whole = read_input(given, trigger.params["field"] or [], given_fields(trigger))
    with redirected(), inside(home_of(project)):
        found = job_named(trigger) or find_job(project, job)
        settled = json.loads(found.settle(whole).input)
        references = [str(each.value) for each in places(found.input_schema, [settled])]
    variables = {each.removeprefix("env:") for each in references if each.startswith("env:")}
    return tuple(sorted(variables))


def _has_relative_paths(trigger: typer.Context) -> bool:
    """Do the words name a file in the working directory? A schedule has another one."""
    given = trigger.params["input"] or ""
    is_file = given.startswith("@") and not os.path.isabs(given[1:])
    return is_file or any(
        not os.path.isabs(text) and text != "-" and not text.startswith("~")
        for text in _texts(given_fields(trigger, as_typed=True).values())
    )


def _texts(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _texts(value)
