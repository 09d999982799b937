"""`durably export`: write a run into one file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say, say_damage, say_hint
from durably_cli.cli.parameters import (
    AsJson,
    OneRun,
)
from durably_cli.errors import DurablyError, UsageError
from durably_cli.project import places
from durably_cli.project.engine import open_engine
from durably_cli.project.finding import find_here
from durably_cli.render.record import damage_fields
from durably_cli.render.rows import write_json
from durably_cli.system import files
from durably_cli.system.ids import short

if TYPE_CHECKING:
    from durably_cli.render.part_types import ExportedRun


@as_command()
def export(
    context: typer.Context,
    run: OneRun,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write; a new one.")
    ],
    as_json: AsJson = False,
) -> int:
    """Write a run into one file, to look at it elsewhere.

    It holds the journal, the large results, and the job's file if it is still the one of the last
    attempt. Secrets are not in it.

    \b
    Examples:
      durably export @failed -o run.tar.gz
    """
    return run_export(project_of(context), run, output, as_json=as_json)


def run_export(project: Path, query: str, target: Path, *, as_json: bool) -> int:
    """`durably export`; the exit code. The file gets its name when it is whole and on disk."""
    engine = open_engine(project)
    run_id = find_here(project, query, engine.runs)
    document.about(run_id)
    if os.path.lexists(target):
        raise UsageError(f"{target} exists already", hint="choose another name")
    fd, temporary = files.create_unnamed(target.parent, target.name)
    with files.with_path(target), open(fd, "wb") as out:
        contents, damage, goes_on = engine.export(run_id, _job_files(project), out)
        out.flush()
        os.fsync(fd)
        files.give_name(fd, temporary, target)
    say(f"exported run {short(run_id)} of {contents.job} to {target}")
    say_damage(damage)
    if goes_on:
        say(
            "it goes on where it is: to adopt it elsewhere, export it once it has ended, or its "
            "work is done twice"
        )
        say_hint(hints.command("wait", short(run_id)))
    if contents.source is None:
        say("the job's file is not in it: it has changed since the last attempt")
    if as_json:
        exported: ExportedRun = {
            "run": run_id,
            "job": contents.job,
            "file": str(target.absolute()),
            "has_source": contents.source is not None,
            "damage": damage_fields(damage),
        }
        document.suggest(hints.command("inspect", short(run_id)))
        write_json({"exported": exported}, document.on(sys.stdout))
    return 0


def _job_files(project: Path) -> Iterator[Path]:
    try:
        yield from places.job_files(project)
    except DurablyError:  # there is no folder of jobs (any more)
        return
