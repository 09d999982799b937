"""The CPU of a step in us, with the disk taken out: {"us": ...}.

    cpu_of_steps.py steps N     a plain one
    cpu_of_steps.py replay N    one whose result is handed back
    cpu_of_steps.py resume N    the same, with its share of the whole resume: its lines are read

It runs on this durably and on that of commit f286f5e, whose modules lay flat.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

try:
    from durably_cli.engines.local.resume import resume
    from durably_cli.project.places import find_project
    from durably_cli.project.stores import open_store
    from durably_cli.system import files
except ImportError:
    from durably_cli.paths import find_project, open_store
    from durably_cli.resumes import resume

    from durably_cli import files

from durably_cli import Step, define_job

ROUNDS = 5


class Unseen:
    """Nobody looks on."""

    def recorded(self, event: Any) -> None: ...
    def replayed(self, name: str) -> None: ...
    def owns(self, run: Any) -> None: ...
    def waits_for_run(self, view: Any) -> None: ...
    def waits_for_key(self, run_id: str, key: str) -> None: ...
    def waits_for_programs(self, run_id: str) -> None: ...


took: list[float] = []


@define_job
def many(step: Step, payload: dict) -> None:  # type: ignore[type-arg]
    names = [f"step-{n}" for n in range(payload["steps"])]
    begun = time.process_time()
    for name in names:
        step.run(name, int)
    took.append(time.process_time() - begun)
    raise ValueError("to be resumed")


def main(what: str, steps: int) -> None:
    files.sync = lambda fd: None
    with tempfile.TemporaryDirectory() as data:
        os.environ["DURABLY_DATA_DIR"] = data
        runs = [many.trigger({"steps": steps}) for _ in range(ROUNDS)]
        found = took
        if what != "steps":
            took.clear()
            whole = list[float]()
            store = open_store(find_project(start=Path(__file__).parent))
            for _ in range(ROUNDS):
                begun = time.process_time()
                resume(store, runs[0].id, lambda created: many, Unseen())
                whole.append(time.process_time() - begun)
            found = took if what == "replay" else whole
    print(json.dumps({"us": min(found) / steps * 1e6}))


main(sys.argv[1], int(sys.argv[2]))
