"""What moves on a terminal: the live line of a run that executes, and views that are redrawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from durably_cli.engines.local.execute import LiveRun
from durably_cli.engines.local.follow import ticks
from durably_cli.journal.events import (
    Event,
    LogWritten,
    ProgressReported,
    RunStarted,
    StepCompleted,
    StepStarted,
)
from durably_cli.render.lines import Talk, share
from durably_cli.render.tables import console_on, log_text
from durably_cli.render.words import span, visible
from durably_cli.system.ids import short
from durably_cli.values.quantities import plural


def redraw(out: TextIO, draw: Callable[[Console], bool]) -> None:
    """Draw on a screen of its own again and again, until `draw` says False or on Ctrl-C.

    If the drawing is taller than the terminal, its last lines are shown.
    """
    console = console_on(out)
    try:
        with console.screen():
            for _ in ticks():
                with console.capture() as drawn:
                    goes_on = draw(console)
                lines = drawn.get().rstrip("\n").split("\n")[-console.height + 1 :]
                out.write(_HOME + "".join(line + _TO_LINE_END + "\n" for line in lines) + _TO_END)
                out.flush()
                if not goes_on:
                    return
    except KeyboardInterrupt:
        return


_HOME, _TO_LINE_END, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"

_LINES = 30
"""How many steps have a line of their own; after that only slow ones do."""

_SLOW_MS = 2_000


class Live(Talk):
    """An observer that keeps a live line at the bottom: the step that runs, and what is done."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._console = Console(file=stream, highlight=False)
        self._progress_bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[job]}", style="bold"),
            TextColumn("{task.fields[running]}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[of]}", markup=False),
            TextColumn("{task.fields[counts]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress_bar.add_task(
            "", total=None, job="", running="", of="", counts="", visible=False
        )

    def recorded(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._update(running=visible(event.name))
        super().recorded(event)

    def replayed(self, name: str) -> None:
        super().replayed(name)
        self._update(counts=self._counts())

    def started(self, event: RunStarted, run: LiveRun) -> None:
        job = visible(run.state.created.job)
        again = f"  attempt {event.attempt}" if event.attempt > 1 else ""
        self._console.print(Text.assemble((job, "bold"), (f"  {run.run_id}{again}", "dim")))
        self.say_what_changed(event, run)
        self._update(job=f"{job} {short(run.run_id)}", visible=True)
        self._progress_bar.start()

    def step_completed(self, event: StepCompleted) -> None:
        if self.completed <= _LINES or event.ms >= _SLOW_MS:
            took = span(event.ms / 1000)
            self._console.print(
                Text.assemble(("✓ ", "green"), visible(event.name), (f"  {took}", "dim"))
            )
        self._update(running="", counts=self._counts())

    def logged(self, event: LogWritten) -> None:
        self._console.print(log_text(event, with_time=False))

    def progressed(self, event: ProgressReported) -> None:
        of = f"{event.current:g}" + ("" if event.total is None else f"/{event.total:g}")
        if event.message:
            of += f" {visible(event.message)}"
        done = share(event)
        self._update(total=None if done is None else 1.0, completed=done or 0.0, of=of)

    def say(self, text: str) -> None:
        self._console.print(Text(visible(text)), soft_wrap=True)

    def close(self) -> None:
        super().close()
        self._progress_bar.stop()

    def _counts(self) -> str:
        done = plural(self.completed, "step")
        return f"{done}, {self.replayed_steps:,} replayed" if self.replayed_steps else done

    def _update(self, **fields: object) -> None:
        self._progress_bar.update(self._task, **fields)  # type: ignore[arg-type]
