"""`durably import`: bring a run in that was exported elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import say, say_damage
from durably_cli.engines.local.import_ import import_bundle
from durably_cli.engines.local.view import is_imported
from durably_cli.project import stores
from durably_cli.system.ids import short


@as_command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="What export has written.", metavar="FILE", dir_okay=False)
    ],
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Make it one of this project's own, to be resumed here.")
    ] = False,
) -> int:
    """Bring a run in that was exported elsewhere.

    It can be looked at like any other; it is read-only unless it is adopted.

    \b
    Examples:
      durably import run.tar.gz
      durably import run.tar.gz --adopt
    """
    return run_import(project_of(context), file, adopt=adopt)


def run_import(project: Path, source: Path, *, adopt: bool) -> int:
    """`durably import`; the exit code."""
    store = stores.open_store(project, to_write=True)
    with open(source, "rb") as file:
        contents, was_here, damage = import_bundle(file, store, adopt=adopt)
    print(contents.run)
    what = "was here already" if was_here else "is imported"
    read_only = is_imported(store.path_of(contents.run))
    may = "it is read-only" if read_only else "it is this project's own, and can be resumed"
    say(f"run {short(contents.run)} of {contents.job} {what}; {may}")
    say_damage(damage)
    return 0
