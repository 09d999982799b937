"""`durably schedule`: what cron, systemd or launchd is to be given so that a job runs in time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say
from durably_cli.cli.completion import complete_jobs
from durably_cli.cli.parameters import AsJson, Yes
from durably_cli.cli.scheduling import ScheduleCommand, schedule_name, scheduled_job, scheduled_tick
from durably_cli.errors import UsageError
from durably_cli.project.job import NAME
from durably_cli.render.rows import write_json
from durably_cli.system import clock
from durably_cli.system.time_zone import LOCALTIME, Zone, zone_of_machine
from durably_cli.values.cron_expression import CronExpression

if TYPE_CHECKING:
    from durably_cli.cli.installing import By, ScheduleChange, Scheduler
    from durably_cli.render.part_types import ScheduleFields

_SHOWN = 5
"""How many of the next times."""


@as_command(cls=ScheduleCommand)
def schedule(
    context: typer.Context,
    job: Annotated[
        str | None,
        typer.Argument(help="The job's name.", metavar="[JOB]", autocompletion=complete_jobs),
    ] = None,
    expression: Annotated[
        str | None,
        typer.Argument(
            help="When, as in a crontab: minute, hour, day, month, weekday; or @daily.",
            metavar="[WHEN]",
        ),
    ] = None,
    flags: Annotated[
        list[str] | None,
        typer.Argument(help="What trigger is given besides.", metavar="[-- FLAGS...]"),
    ] = None,
    tick: Annotated[
        bool, typer.Option("--tick", help="In place of a job: durably tick, all the time.")
    ] = False,
    systemd: Annotated[
        bool, typer.Option("--systemd", help="A service and a timer of your own, in place of cron.")
    ] = False,
    launchd: Annotated[
        bool, typer.Option("--launchd", help="A plist of an agent, for macOS.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Tells several schedules of one job apart."),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Show what changes, ask, and install it.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="The same, to take out what was installed.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Print the crontab line or systemd units of a job, or install them.

    They name all by absolute paths, are quiet, and in a crontab each time has a key of its own, so
    that its work is done once. The flags are checked as trigger would check them, and the next
    times are shown in the machine's time zone. With --json and without --yes nothing is installed.

    \b
    Examples:
      durably schedule sync-users '0 3 * * *' -- --org-id org_123
      durably schedule sync-users '*/10 9-17 * * mon-fri' --systemd -- --org-id org_123
      durably schedule --tick
    """
    by: By = "systemd" if systemd else "launchd" if launchd else "cron"
    _refuse_senseless(context)
    from durably_cli.cli.installing import remove_it, scheduler_of  # not for --help

    if remove:
        called = None if tick else name or job
        place = scheduler_of(by, schedule_name(project_of(context), called))
        change = remove_it(place, yes=yes, as_json=as_json)
        answer = Answered(place, by, job, None, (), change)
    else:
        answer = _scheduled(context, by)
    if as_json:
        _write_document(answer)
    elif not remove:
        sys.stdout.write(_text_of(answer))
    return 0


class Answered(NamedTuple):
    """What was asked for, and what came of it; `due` is None of a tick, and if it was removed."""

    place: Scheduler
    by: By
    job: str | None
    due: CronExpression | None
    secrets: tuple[str, ...]
    change: ScheduleChange | None


def _refuse_senseless(context: typer.Context) -> None:
    params = context.params
    pairs = (("systemd", "launchd"), ("install", "remove"), ("tick", "job"), ("tick", "name"))
    for one, other in pairs:
        if params[one] and params[other]:
            words = "JOB" if other == "job" else f"--{other}"
            raise UsageError(f"--{one} and {words} exclude each other")
    name = params["name"]
    if name is not None and not NAME.fullmatch(name):
        raise UsageError(f"--name {name!r} is no name: letters, digits, dot, hyphen, underscore")
    if params["remove"] and (params["tick"] or name or params["job"]):
        return
    if not params["tick"] and params["job"] is None:
        raise UsageError(
            "a schedule is of a JOB, or --tick",
            hint=f"{hints.command('jobs')}    (lists the jobs)",
        )
    if not params["tick"] and params["expression"] is None:
        raise UsageError(
            "it is not said when: five fields as in a crontab",
            hint=f"{hints.command('schedule', params['job'], '0 3 * * *')}    (each day at 03:00)",
        )


def _scheduled(context: typer.Context, by: By) -> Answered:
    from durably_cli.cli.installing import install_it, scheduler_of  # not for --help

    params = context.params
    job, due = params["job"], None
    if params["tick"]:
        what = scheduled_tick(context, "50s" if by == "cron" else "1h")
    else:
        try:
            due = CronExpression(params["expression"])
        except ValueError as error:
            raise UsageError(str(error)) from None
        what = scheduled_job(context, due, params["name"])
    place = scheduler_of(by, what.name)
    place.fill(what)
    if due is not None and not params["as_json"]:
        _say_times(due, by)
        _say_secrets(what.secrets, by)
    change = None
    if params["install"]:
        change = install_it(place, yes=params["yes"], as_json=params["as_json"])
    return Answered(place, by, job, due, what.secrets, change)


def _say_times(due: CronExpression, by: By) -> None:
    """The next times, in the zone of the machine, and what its clock does to them."""
    zone, now = zone_of_machine(), clock.utc_now()
    say(f"due next, in {zone.name}:")
    for each in islice(_times(due, by, zone), _SHOWN):
        say(f"  {each:%a} {each.isoformat(' ', 'minutes')}")
    for each in due.changed_by_the_clock(now, zone.rules) if by != "launchd" else ():
        if each.fold and by == "systemd":
            say(f"on {each:%Y-%m-%d} an hour comes twice: systemd runs it in the first one only")
        elif not each.fold:
            instead = f"runs it at {each:%H:%M}" if by == "cron" else "leaves it out that day"
            say(f"on {each:%Y-%m-%d} the clock leaves out its time: {by} {instead}")
    here = os.environ.get("TZ")
    if here and here.lstrip(":") != zone.name:
        say(f"TZ is {here} here, and {by} goes by {LOCALTIME}")


def _say_secrets(variables: tuple[str, ...], by: By) -> None:
    """Those that are here, where the input was read with them, and not there."""
    where = {"cron": "the crontab sets it above the line", "systemd": "its service sets it"}
    for name in variables:
        how = where.get(by, "its plist sets it")
        say(f"a secret is in {name}, which {by} has only if {how}; or give it as file:/PATH")


def _times(due: CronExpression, by: By, zone: Zone) -> Iterator[datetime]:
    times = due.times(clock.utc_now(), zone.rules)
    return filter(due.is_as_written, times) if by == "systemd" else times


def _text_of(answer: Answered) -> str:
    """What is put into a crontab, or into files, whose names then stand above."""
    files = answer.place.files
    if answer.by != "systemd":
        return files[0].text
    return "\n".join(f"# {answer.place.path_of(each)}\n{each.text}" for each in files)


def _write_document(answer: Answered) -> None:
    zone, due, change = zone_of_machine(), answer.due, answer.change
    times = islice(_times(due, answer.by, zone), _SHOWN) if due else ()
    fields: ScheduleFields = {
        "name": answer.place.name,
        "job": answer.job,
        "expression": due.text if due else None,
        "by": answer.by,
        "files": [
            {"path": answer.place.path_of(each), "text": each.text} for each in answer.place.files
        ],
        "zone": zone.name,
        "secret_variables": list(answer.secrets),
        "next_times": [clock.format_time(each.astimezone(UTC)) for each in times],
        "state": change.state if change else "printed",
        "diff": change.diff if change else "",
    }
    document.suggest(hints.command("verify", "--cron"), hints.command("help", "cron"))
    write_json({"schedule": fields}, document.on(sys.stdout))
