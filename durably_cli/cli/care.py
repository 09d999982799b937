"""The commands that take care of journals: verify, repair, delete, prune, export and import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from durably_cli.cli.app import AsJson, command, project_of
from durably_cli.cli.completion import complete_runs
from durably_cli.cli.running import RUN
from durably_cli.journal.state import Status

_Runs = Annotated[
    list[str], typer.Argument(help=RUN, metavar="RUN...", autocompletion=complete_runs)
]
_Yes = Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")]
_Statuses = Annotated[
    list[Status] | None,
    typer.Option(
        "--status",
        help="Only runs of this status; completed and cancelled by default, for the others could "
        "still be resumed. May be repeated.",
    ),
]
_FreeKeys = Annotated[
    bool,
    typer.Option(
        "--free-keys",
        help="Let the idempotency keys be used anew; by default the work of a deleted run is never "
        "done again.",
    ),
]


@command()
def verify(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(help=RUN, metavar="[RUN]...", autocompletion=complete_runs),
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Everything, as without a RUN.")] = False,
    as_json: AsJson = False,
) -> int:
    """Check journals, keys, locks and leftovers.

    In a pipe a file is a line of tab-separated cells: kind, name, state, what that means. The exit
    code is 74 if one is damaged.

    \b
    Examples:
      durably verify
      durably verify @last
      durably verify --json | jq -r '.findings[] | select(.state != "ok") | .detail'
    """
    from durably_cli.cli.commands.verify import run_verify
    from durably_cli.errors import UsageError

    if all and runs:
        raise UsageError("--all and runs exclude each other")
    return run_verify(project_of(context), runs or [], as_json=as_json)


@command()
def repair(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=RUN, metavar="RUN", autocompletion=complete_runs)],
    yes: _Yes = False,
) -> int:
    """Cut off what is damaged of a journal.

    It shows what is kept and what is dropped, and asks. The original is kept beside the journal,
    and the journal says that it was repaired, by whom, and what was dropped.

    \b
    Examples:
      durably repair @last
      durably repair @last --yes
    """
    from durably_cli.cli.commands.repair import run_repair

    return run_repair(project_of(context), run, yes=yes)


@command()
def delete(
    context: typer.Context,
    runs: _Runs,
    status: _Statuses = None,
    free_keys: _FreeKeys = False,
) -> int:
    """Remove runs for good.

    Never one that a process executes, and one that could be resumed only if its status is named.

    \b
    Examples:
      durably delete @last
      durably delete @failed --status failed
    """
    from durably_cli.cli.commands.delete import run_delete

    return run_delete(project_of(context), runs, status or [], free_keys=free_keys)


@command()
def prune(
    context: typer.Context,
    older_than: Annotated[
        str, typer.Option(metavar="TIME", help="How old: 45m, 12h, 30d, 8w, or before a date.")
    ],
    keep_last: Annotated[
        int, typer.Option(min=0, metavar="N", help="Keep the newest N runs of each job.")
    ] = 0,
    status: _Statuses = None,
    free_keys: _FreeKeys = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the runs that would go, and leave them.")
    ] = False,
    yes: _Yes = False,
) -> int:
    """Remove old runs for good.

    The ids of those that are gone are printed, one a line.

    \b
    Examples:
      durably prune --older-than 30d --dry-run
      durably prune --older-than 30d --keep-last 5 --yes
      durably prune --older-than 8w --status failed --status completed -y
    """
    from durably_cli.cli.commands.delete import PruneOptions, run_prune
    from durably_cli.cli.options import read_moment

    before = read_moment(older_than, "--older-than")
    options = PruneOptions(before, keep_last, status or [], free_keys, dry_run, yes)
    return run_prune(project_of(context), options)


@command()
def export(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help=RUN, metavar="RUN", autocompletion=complete_runs)],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write; a new one.")
    ],
) -> int:
    """Write a run into one file, to look at it elsewhere.

    It holds the journal, the large results, and the job's file if it is still the one of the last
    attempt. Secrets are not in it.

    \b
    Examples:
      durably export @last -o run.tar.gz
    """
    from durably_cli.cli.commands.export import run_export

    return run_export(project_of(context), run, output)


@command("import")
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
    from durably_cli.cli.commands.export import run_import

    return run_import(project_of(context), file, adopt=adopt)
