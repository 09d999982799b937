"""`durably repair`: cut off what is damaged, when it may be, and keep the original."""

from __future__ import annotations

from pathlib import Path

import typer

from durably_cli import hints
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import confirm, say
from durably_cli.cli.parameters import (
    OneRun,
    Yes,
)
from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.repair import find_cut, repair
from durably_cli.errors import Forbidden
from durably_cli.project import stores
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural


@as_command("repair")
def repair_(
    context: typer.Context,
    run: OneRun,
    yes: Yes = False,
) -> int:
    """Cut off what is damaged of a journal, and keep the original.

    It shows what is kept and what is dropped, and asks. The original is kept beside the journal,
    and the journal says that it was repaired, by whom, and what was dropped.

    \b
    Examples:
      durably repair @last
      durably repair @last --yes
    """
    return run_repair(project_of(context), run, yes=yes)


def run_repair(project: Path, query: str, *, yes: bool) -> int:
    """`durably repair`; the exit code."""
    store = stores.open_store(project)
    run_id = find_run(store, query)
    cut = find_cut(store, run_id)
    if cut is None:
        say(f"run {short(run_id)} is not damaged; nothing was changed")
        return 0
    with store.view(run_id, despite_damage=True) as view:
        if view.imported:
            raise Forbidden(f"run {short(run_id)} was imported, and is read-only")
    say(f"{store.path_of(run_id)} is damaged at line {cut.line}, byte {cut.byte}: {cut.reason}")
    good_lines, good_steps = plural(cut.good_lines, "line"), plural(cut.good_steps, "step")
    say(f"kept would be {good_lines}, with {good_steps} completed")
    dropped = f"{plural(cut.dropped_lines, 'line')}, {plural(cut.dropped_bytes, 'byte')}"
    say(f"dropped would be {dropped}: steps among them are executed again on resume")
    if not confirm("Cut it there? The original is kept beside it.", yes=yes):
        say("nothing was changed")
        return 0
    original = repair(store, run_id, cut)
    say(f"repaired; the original is {store.path_of(run_id).with_name(original)}")
    say(f"go on where it is now: {hints.command('resume', short(run_id))}")
    return 0
