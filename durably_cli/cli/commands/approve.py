"""`durably approve`: say yes to the question of a run. No job is imported."""

from __future__ import annotations

import typer

from durably_cli.cli.app import as_command, project_of
from durably_cli.cli.parameters import AsJson, OneRun, Question, Reason, Yes


@as_command()
def approve(
    context: typer.Context,
    run: OneRun,
    name: Question = None,
    reason: Reason = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Say yes to the question of a run.

    The answer counts if it is the first. A question of a child run is answered by the id of its
    parent, too. On a terminal the question is shown, and asked for once more.

    \b
    Examples:
      durably approve @last
      durably approve 3f2a9c1d approval --reason "as agreed"
    """
    from durably_cli.cli.answering import answer_run  # not for --help

    return answer_run(
        project_of(context), run, name, approved=True, reason=reason, yes=yes, as_json=as_json
    )
