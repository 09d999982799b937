"""What a terminal shows of a run that executes here: a line a step, and a live line below them."""

from __future__ import annotations

import re
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from durably_cli import hints
from durably_cli.engines.live_run import LiveRun
from durably_cli.journal.events import LogWritten, ProgressReported, RunStarted
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepFailed,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import item_around
from durably_cli.journal.wait_events import StepWaiting
from durably_cli.render.lines import Talk, share
from durably_cli.render.live_line import ERASE, Facts, LiveLine
from durably_cli.render.live_work import LiveWork
from durably_cli.render.tables import log_text
from durably_cli.system import terminals
from durably_cli.system.ids import short
from durably_cli.values.durations import span
from durably_cli.values.quantities import plural
from durably_cli.values.visible import visible

_LINES = 30
"""How many steps have a line of their own; after that only slow ones do, but no items of a map."""

_SLOW_MS = 2_000


class Live(Talk):
    """An observer that has a live line at the bottom: the step that runs, and what is done."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        # A terminal wraps what can be copied in one go: what the job prints, commands, tracebacks.
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._line = LiveLine(self._console, stream, self._facts_now)
        self._facts, self._run_id = Facts(), ""
        self._work = LiveWork()
        self._counts_only = False
        """Have steps completed that have no line of their own?"""

    def recorded(self, event: Event) -> None:
        if isinstance(event, (StepStarted, MapStarted, StepWaiting)):
            self._work.begun(event)
        elif isinstance(event, (StepCompleted, StepFailed, StepRetrying, StepCancelled)):
            self._work.ended(event)
        super().recorded(event)

    def replayed(self, name: str) -> None:
        super().replayed(name)
        self._work.replayed(name)
        self._facts = self._facts._replace(counts=self._counts())

    def begins(self, run_id: str, job: str, attempt: int, where: str = "") -> None:
        more = f"  attempt {attempt}" if attempt > 1 else ""
        more += where and f"  on {where}"
        self._console.print(Text.assemble((visible(job), "bold"), (f"  {run_id}{more}", "dim")))
        self._facts = Facts(visible(job), short(run_id))
        self._run_id = run_id
        self._line.start()

    def started(self, event: RunStarted, run: LiveRun) -> None:
        self.begins(run.run_id, run.state.created.job, event.attempt)
        for wait in run.state.waits.values():
            self._work.begun(wait)
        self.say_what_changed(event, run)
        if run.state.progress is not None:
            self.progressed(run.state.progress)

    def step_completed(self, event: StepCompleted) -> None:
        of_map = self._work.said_of(event)
        is_slow = event.ms >= _SLOW_MS and item_around(event.name) is None
        if self.completed <= _LINES or is_slow or of_map is not None:
            took = span(event.ms / 1000) + (f"  {of_map}" if of_map else "")
            done = f"  {took}{self.in_try(event.name)}"
            self._show(Text.assemble(("✓ ", "green"), visible(event.name), (done, "dim")))
        elif not self._counts_only:
            self._counts_only = True
            every = hints.command("inspect", short(self._run_id), "--all")
            self._show(Text("… from here on steps are counted; to see each:", "dim"), every)
        self._facts = self._facts._replace(counts=self._counts())

    def logged(self, event: LogWritten) -> None:
        said = log_text(event)
        self._console.print(said) if event.traceback else self._show(said)

    def progressed(self, event: ProgressReported) -> None:
        if self._work.reported(event):
            return
        of = f"{event.current:g}" + ("" if event.total is None else f"/{event.total:g}")
        if event.message:
            of += f" {visible(event.message)}"
        self._facts = self._facts._replace(share=share(event), of=of)

    def say(self, text: str, command: str = "") -> None:
        self._show(Text(visible(text)), command)

    def quote(self, line: str) -> None:
        self._console.print(Text(visible(line)))

    def _show(self, text: Text, command: str = "") -> None:
        """Rows that end between two words, and behind them, in one piece, a command to paste."""
        width = self._line.width
        rows = _at_spaces(text, width)
        if command:
            row = Text(visible(command))
            if rows[-1].cell_len + 1 + row.cell_len <= width:
                row = Text.assemble(rows.pop(), " ", row)
            rows.append(row)
        self._console.print(*rows, sep="\n")

    def close(self) -> None:
        super().close()
        self._line.stop()

    @property
    def erase(self) -> str:
        return ERASE if terminals.is_ours(self._stream) else ""

    def _facts_now(self) -> Facts:
        step, how_far = self._work.now()
        facts = self._facts._replace(step=step)
        return facts if how_far is None else facts._replace(**how_far._asdict())

    def _counts(self) -> str:
        done = plural(self.completed, "step")
        return f"{done}, {self.replayed_steps:,} replayed" if self.replayed_steps else done


def _at_spaces(text: Text, width: int) -> list[Text]:
    """The text in rows of so many cells; a word that is longer than a row stays in one piece."""
    if text.cell_len <= width:
        return [text]
    ends, column = list[int](), 0
    for word in re.finditer("[^ ]+ *| +", text.plain):
        if column and column + cell_len(word[0].rstrip(" ")) > width:
            ends.append(word.start())
            column = 0
        column += cell_len(word[0])
    rows = [*text.divide(ends)]
    for row in rows:
        row.rstrip()
    return rows
