"""What is said of a run whose process is gone by the time that it is looked at."""

from __future__ import annotations

import io

from durably_cli.cli.outcome import say_outcome
from durably_cli.engines.local.store import Store
from durably_cli.engines.request import Disposition
from durably_cli.engines.result import TriggerResult
from durably_cli.render.lines import Talk
from tests.conftest import Project


def test_a_run_that_nobody_holds_any_more_is_not_said_to_be_held(project: Project) -> None:
    project.job(
        """
        @define_job
        def work(step: Step, payload: dict) -> None:
            step.run("one", lambda: effect("one"))
            time.sleep(60)
        """
    )
    with project.start("trigger", "work") as owner:
        project.wait_for_effects()
        [journal] = project.data.glob("*/runs/*/*.jsonl")
        store = Store(journal.parents[2])
        held, gone = io.StringIO(), io.StringIO()
        result = TriggerResult(journal.stem, Disposition.IDEMPOTENT, executed=False)
        with store.view(journal.stem) as view:
            assert say_outcome(view, result, None, Talk(held), "durably resume @last") == 0
        owner.kill()
    assert f"another process holds it (pid {owner.pid}" in held.getvalue()
    with store.view(journal.stem) as view:
        assert say_outcome(view, result, None, Talk(gone), "durably resume @last") == 75
    assert "interrupted" in gone.getvalue()
    assert "durably resume @last" in gone.getvalue()
    assert "another process" not in gone.getvalue()
