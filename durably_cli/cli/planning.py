"""`--dry-run` of resume and fork: what they would do with each step; nothing is executed."""

from __future__ import annotations

import sys
from pathlib import Path

from durably_cli.cli import document
from durably_cli.engines.local.decisions import Decisions
from durably_cli.engines.local.lookup import find_run
from durably_cli.engines.local.plan import CompareCode, plan_of
from durably_cli.engines.local.resume import held_by
from durably_cli.engines.local.view import RunView
from durably_cli.errors import Busy
from durably_cli.project import stores
from durably_cli.render import plans
from durably_cli.render.next_steps import next_commands
from durably_cli.steps import code_now
from durably_cli.steps.bytecode import COMPILER
from durably_cli.steps.code_now import Verdict
from durably_cli.system.ids import short


def show_plan(
    project: Path,
    run: str,
    decisions: Decisions,
    *,
    as_json: bool,
    is_fork: bool = False,
    redo_failed: bool = False,
) -> int:
    """Print a row a step; the exit code."""
    store = stores.open_store(project)
    run_id = find_run(store, run)
    document.about(run_id)
    with store.view(run_id) as view:
        _check(view, is_fork=is_fork)
        plan = plan_of(view, decisions, _compared_in(project), redo_failed=redo_failed)
        if as_json:
            document.suggest(*next_commands(view))
            plans.write_plan_json(plan, run_id, document.on(sys.stdout))
        elif sys.stdout.isatty():
            plans.show_plan(plan, sys.stdout)
        else:
            plans.write_plan(plan, sys.stdout)
        sys.stdout.flush()
        for line in plans.say_plan(plan):
            print(line, file=sys.stderr)
    return 0


def _compared_in(project: Path) -> CompareCode:
    """Compares functions with what the sources of the project make of them now."""
    sources = code_now.CodeNow(project)

    def compared(code: str, python: str) -> Verdict:
        compiler = f"cpython-{''.join(python.split('.')[:2])}"
        if compiler != COMPILER or "-O" in python:
            return Verdict.UNKNOWN  # other versions make other code of the same
        return sources.compare(code).verdict

    return compared


def _check(view: RunView, *, is_fork: bool) -> None:
    if view.held:
        raise held_by(view, Busy(f"run {short(view.run_id)} is held by another process"))
