"""`--dry-run` of resume and fork: what they would do with each step; nothing is executed."""

from __future__ import annotations

import sys
from pathlib import Path

from durably_cli import retyping
from durably_cli.cli import document
from durably_cli.cli.asking import say
from durably_cli.engines.decisions import Decisions, refuse_final
from durably_cli.engines.plan import plan_of
from durably_cli.project.engine import open_engine
from durably_cli.project.finding import find_here
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
    engine = open_engine(project)
    run_id = find_here(project, run, engine.runs)
    document.about(run_id)
    with engine.runs.view(run_id) as view:
        engine.refuse_to_go_on(view, is_fork=is_fork)
        if not is_fork:
            refuse_final(decisions, view.state)
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
