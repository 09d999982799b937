"""What a run of steps side by side was promised, and how long the log of its disk was by then."""

from __future__ import annotations

import json
from pathlib import Path

from durably_cli.engines.local.store import Store
from durably_cli.engines.local.view import RunView
from durably_cli.journal.state import Status
from durably_cli.journal.step_events import StepCompleted
from tests.harness.side_by_side import Items, SideBySide


class Promised:
    """A run that is killed in the middle, and comes to its end; a power cut that comes later than a
    promise leaves it unbroken.
    """

    def __init__(self, root: Path, form: str, shape: str) -> None:
        self._steps = SideBySide(root, form, shape, at_once=4)
        self._steps.ask_for(Items.of(5, "abcdef"))
        self._acknowledged = list[tuple[str, str, int]]()
        self._end, self._out = 0, ""

    @property
    def sizes(self) -> list[int]:
        """How long the log was at each promise."""
        return [*{size for _, _, size in self._acknowledged}, self._end]

    def keep(self, disk: Path, log: Path) -> None:
        """Do it all on the disk that is mounted there."""
        steps, project = self._steps, self._steps.project
        project.env |= {"WRITE_LOG": str(log), "DURABLY_DATA_DIR": str(disk / "data")}
        with project.start(*steps.begin()) as process:
            while steps.executions() < 16 and not process.has_ended(0.001):
                pass
            assert process.is_killed()
        steps.enter(process.result())
        result = steps.attempt(*steps.begin())
        steps.check_output(result)
        self._end, self._out = log.stat().st_size, result.out
        words = [line.split() for line in project.effects]
        self._acknowledged = [
            (name, token, int(rest[1])) for what, name, token, *rest in words if what == "ack"
        ]

    def acknowledged(self, log_size: int) -> dict[str, str]:
        """The tokens of the steps that were acknowledged when the log was so long."""
        return {name: token for name, token, size in self._acknowledged if size <= log_size}

    def check(self, disk: Path, log_size: int) -> None:
        """AssertionError if the readers find less on this disk than was promised by then."""
        store = Store(next((disk / "data").glob("project-*"), disk / "none"))
        found, runs = dict[str, str](), 0
        for view in store.views():
            runs += 1
            assert isinstance(view, RunView), f"unreadable: {view}"
            assert view.damage is None, f"taken for damage: {view.damage}"
            for event in view.events():
                if isinstance(event, StepCompleted) and event.name not in self._steps.items:
                    found[event.name] = json.loads(event.result)
            if log_size >= self._end:
                assert view.status is Status.COMPLETED, f"completed, and now {view.status}"
                assert f"{view.state.output}\n" == self._out, "it printed another output"
        assert runs <= 1, "one key, and several runs"
        assert runs or log_size < self._end, "the run is lost"
        for name, token in self.acknowledged(log_size).items():
            assert found.get(name) == token, f"{name} is lost"
        for name, token in found.items():
            assert token in self._steps.made[name], f"{name} has a result that was never made"

    def go_on(self, disk: Path, log_size: int) -> None:
        """On the disk that is left, bring the run to its end."""
        steps, project = self._steps, self._steps.project
        project.env["DURABLY_DATA_DIR"] = str(disk / "data")
        acknowledged, before = self.acknowledged(log_size), len(project.effects)
        output = json.loads(project.run(*steps.begin()).out)
        executed = {line.split()[1] for line in project.effects[before:] if line[0] == "r"}
        again = executed & acknowledged.keys()
        assert not again, f"acknowledged, and executed again: {again}"
        assert output.keys() == steps.items.names(steps.shape)
        assert acknowledged.items() <= output.items()
        project.run("verify")
