"""`--dry-run` of resume and fork: what they would do with each step; nothing is executed."""

from __future__ import annotations

import sys
from pathlib import Path

from durably_cli import retyping
from durably_cli.cli import document
from durably_cli.cli.asking import say
from durably_cli.engines.decisions import Decisions, refuse_final
from durably_cli.engines.local.attempt import check_may_go_on
from durably_cli.engines.local.fork import check_may_fork
from durably_cli.engines.local.leftovers import refuse_leftovers
from durably_cli.engines.local.plan import plan_of
from durably_cli.engines.local.resume import held_by
from durably_cli.engines.local.runs import find_run
from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import JournalView
from durably_cli.errors import Busy
from durably_cli.project import stores
from durably_cli.render import plans
from durably_cli.render.next_steps import next_commands
from durably_cli.steps import code_now
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
        _check(store, view, decisions, is_fork=is_fork)
        compare = code_now.CodeNow(project).compare
        plan = plan_of(view, decisions, compare, is_fork=is_fork, redo_failed=redo_failed)
        if as_json:
            planned = retyping.with_word("--dry-run")
            document.suggest(*([planned] if planned else []), *next_commands(view))
            plans.write_plan_json(plan, run_id, document.on(sys.stdout))
        elif sys.stdout.isatty():
            plans.draw_plan(plan, sys.stdout)
        else:
            plans.write_plan(plan, sys.stdout)
        sys.stdout.flush()
        if view.state.is_final and not is_fork:
            then = "its output is printed" if view.state.output is not None else "nothing is done"
            said = f"run {short(run_id)} is {view.state.status}: no step is executed, and {then}"
            say(said)
            return 0
        for line in plans.say_plan(plan):
            say(line)
    return 0


def _check(store: Store, view: JournalView, decisions: Decisions, *, is_fork: bool) -> None:
    """What makes the real command fail does so here, but for what only the job knows."""
    if view.held:
        raise held_by(view, Busy(f"run {short(view.run_id)} is held by another process"))
    if view.damage:
        raise view.damage
    refuse_leftovers(view.path, end=False)
    if is_fork:
        check_may_fork(view.path, view.state)
        return
    refuse_final(decisions, view.state)
    if not view.state.is_final:
        check_may_go_on(store, view.path, view.state)
