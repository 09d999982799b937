"""`durably adopt`: bring the runs along of a project that was moved."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.project.adoption import adopt
from durably_cli.render.words import visible


@as_command("adopt")
def adopt_(
    context: typer.Context,
    old: Annotated[str, typer.Argument(help="Where the project was before.", metavar="OLD_DIR")],
) -> int:
    """Bring the runs along of a project that was moved or named.

    \b
    Examples:
      durably adopt /home/ann/old-place/billing
      DURABLY_NAME=billing durably adopt /srv/billing/releases/1
    """
    folder = adopt(Path(old).absolute(), project_of(context))
    print(visible(f"the runs of {old} are now in {folder}"), file=sys.stderr)
    return 0
