"""`durably import`: bring in a run that was exported, or the runs of a project that was moved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say, say_damage
from durably_cli.cli.parameters import AsJson
from durably_cli.engines.local.import_ import import_bundle
from durably_cli.engines.local.view import is_imported
from durably_cli.project import adoption, stores
from durably_cli.project.engine import refuse_without_journals
from durably_cli.render.record import damage_fields
from durably_cli.render.rows import write_json
from durably_cli.system.ids import short

if TYPE_CHECKING:
    from durably_cli.render.part_types import ImportedProject, ImportedRun


@as_command("import")
def import_(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            help="What export has written; or the folder where the project was before, whether it "
            "is still there or not.",
            metavar="FILE|OLD_DIR",
        ),
    ],
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt", help="Make the run of a FILE one of this project's own, to be resumed here."
        ),
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Bring in a run that was exported, or those of a moved project.

    A run of a FILE can be looked at like any other; it is read-only unless it is adopted.

    The runs of OLD_DIR move here with their keys: that folder was moved here, or this project has
    got a DURABLY_NAME, or has no longer one.

    \b
    Examples:
      durably import run.tar.gz
      durably import run.tar.gz --adopt
      durably import /home/ann/old-place/billing
      DURABLY_NAME=billing durably import /srv/billing/releases/1
    """
    project = project_of(context)
    is_file = source.exists() and not source.is_dir()
    if is_file and not adoption.stood_at(source.absolute()):
        return _import_run(project, source, adopt=adopt, as_json=as_json)
    return _import_project(project, source, as_json=as_json)


def _import_run(project: Path, source: Path, *, adopt: bool, as_json: bool) -> int:
    refuse_without_journals(project, "import")
    store = stores.open_store(project, to_write=True)
    with open(source, "rb") as file:
        contents, was_here, damage = import_bundle(file, store, adopt=adopt)
    what = "was here already" if was_here else "is imported"
    read_only = is_imported(store.path_of(contents.run))
    if as_json:
        imported: ImportedRun = {
            "run": contents.run,
            "job": contents.job,
            "was_here": was_here,
            "read_only": read_only,
            "damage": damage_fields(damage),
        }
        document.suggest(hints.command("inspect", short(contents.run)))
        write_json({"imported": imported}, document.on(sys.stdout))
    else:
        print(contents.run)
    may = "it is read-only" if read_only else "it is this project's own, and can be resumed"
    say(f"run {short(contents.run)} of {contents.job} {what}; {may}")
    say_damage(damage)
    return 0


def _import_project(project: Path, old: Path, *, as_json: bool) -> int:
    folder = adoption.adopt(old.absolute(), project)
    was = f"the project that was at {old}, where a file is now," if old.is_file() else old
    say(f"the runs of {was} are now in {folder}")
    if as_json:
        imported: ImportedProject = {"project": str(old.absolute()), "store": str(folder)}
        document.suggest(hints.command("list"))
        write_json({"imported_project": imported}, document.on(sys.stdout))
    return 0
