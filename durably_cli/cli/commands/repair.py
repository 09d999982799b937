"""`durably repair`: cut off what is damaged, when it may be, and keep the original."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.asking import confirm, say
from durably_cli.cli.parameters import (
    AsJson,
    OneRun,
    Yes,
)
from durably_cli.engines.local.repair import Cut, find_cut, repair
from durably_cli.engines.local.runs import find_run
from durably_cli.engines.local.store import Store
from durably_cli.errors import Forbidden
from durably_cli.project import stores
from durably_cli.project.engine import refuse_without_journals
from durably_cli.render.rows import write_json
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.render.part_types import RepairFields


@as_command("repair")
def repair_(
    context: typer.Context,
    run: OneRun,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Cut off what is damaged of a journal, and keep the original.

    It shows what is kept and what is dropped, and asks; with --json and without --yes it changes
    nothing. The original is kept beside the journal, and the journal says that it was repaired, by
    whom, and what was dropped.

    \b
    Examples:
      durably repair @last
      durably repair @last --yes
    """
    return run_repair(project_of(context), run, yes=yes, as_json=as_json)


def run_repair(project: Path, query: str, *, yes: bool, as_json: bool) -> int:
    """`durably repair`; the exit code. A program is not asked: it is said what would be done."""
    refuse_without_journals(project, "repair")
    store = stores.open_store(project)
    run_id = find_run(store, query)
    document.about(run_id)
    path, cut = store.path_of(run_id), find_cut(store, run_id)
    original: Path | None = None
    following = hints.command("inspect", short(run_id))
    if cut is None:
        say(f"run {short(run_id)} is not damaged; nothing was changed")
    else:
        _refuse_imported(store, run_id)
        _say_cut(path, cut)
        question = "Cut it there? The original is kept beside it."
        if yes if as_json else confirm(question, yes=yes):
            original = path.with_name(repair(store, run_id, cut))
            following = hints.command("resume", short(run_id))
            say(f"repaired; the original is {original}")
            say(f"go on where it is now: {following}")
        else:
            say("nothing was changed")
    if as_json:
        document.suggest(following, hints.command("help", "care"))
        write_json({"repair": _fields(path, cut, original)}, document.on(sys.stdout))
    return 0


def _refuse_imported(store: Store, run_id: str) -> None:
    with store.view(run_id, despite_damage=True) as view:
        if view.imported:
            raise Forbidden(f"run {short(run_id)} was imported, and is read-only")


def _say_cut(path: Path, cut: Cut) -> None:
    say(f"{path} is damaged at line {cut.line}, byte {cut.byte}: {cut.reason}")
    good_lines, good_steps = plural(cut.good_lines, "line"), plural(cut.good_steps, "step")
    say(f"kept would be {good_lines}, with {good_steps} completed")
    dropped = f"{plural(cut.dropped_lines, 'line')}, {plural(cut.dropped_bytes, 'byte')}"
    say(f"dropped would be {dropped}: steps among them are executed again on resume")


def _fields(path: Path, cut: Cut | None, original: Path | None) -> RepairFields:
    fields: RepairFields = {
        "run": path.stem,
        "journal": str(path),
        "damage": None,
        "good": None,
        "dropped": None,
        "original": None if original is None else str(original),
    }
    if cut is not None:
        fields["damage"] = {"line": cut.line, "byte": cut.byte, "reason": cut.reason}
        fields["good"] = {"lines": cut.good_lines, "steps": cut.good_steps, "bytes": cut.good_bytes}
        fields["dropped"] = {"lines": cut.dropped_lines, "bytes": cut.dropped_bytes}
    return fields
