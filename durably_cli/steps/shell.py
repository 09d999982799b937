"""`step.sh` and `sh`: where programs of a step are run, and what is journalled of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from durably_cli.errors import StepMisused
from durably_cli.journal.events import LogWritten
from durably_cli.journal.masking import Secrets
from durably_cli.steps import doubt
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.capture import CHARACTERS, Budget
from durably_cli.steps.command import Words, command_of
from durably_cli.steps.current import current_step, forked_from, known_secrets
from durably_cli.steps.doubt import WhenInDoubt
from durably_cli.steps.program import CommandResult, run
from durably_cli.steps.stop import Abandoned, Stop, is_abandoned
from durably_cli.steps.tries import ONCE, Retry, retry_of
from durably_cli.system.process import this
from durably_cli.system.process_table import Owner
from durably_cli.system.programs import Programs
from durably_cli.values.durations import Duration
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.strict_json import Json, parse, to_json

if TYPE_CHECKING:
    from durably_cli.steps.performer import Performer
    from durably_cli.steps.step import Step
    from durably_cli.values.unread import Unread


def sh(
    command: Words,
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | None = None,
    check: bool = True,
    timeout: Duration | None = None,
) -> CommandResult:
    """Run a program in a step's function; it ends with the run, whatever becomes of durably.

    A list is executed as it is, a text by /bin/sh. `env` is laid over the variables of this
    process; the standard input is empty, or `input`. Output goes to stderr and into the run's logs.
    `timeout` is seconds, a timedelta or a text such as `90s`.

    CalledProcessError if it fails, unless `check` is False; StepTimeout; FileNotFoundError and
    other OSErrors if it cannot be launched; TypeError and ValueError for what makes no sense.
    """
    given = command_of(command, cwd=cwd, env=env, input=input, check=check, timeout=timeout)
    step = current_step("sh")
    if step is not None:
        return run(given, step.shell)
    origin = forked_from()
    return run(given, _OUTSIDE if origin is None else _of_fork(this.pid, *origin))


class Shell:
    """Where the programs of one Step are run; without one, those of no run.

    What is too much to be returned goes to files in `folder`, if there is one.
    """

    def __init__(
        self,
        step: Performer | None,
        stop: Stop | None = None,
        secrets: Secrets | None = None,
        folder: Path | None = None,
        programs: Programs | None = None,
    ) -> None:
        self._step, self._stop, self._secrets = step, stop, secrets
        self.programs = programs or Programs(folder, step.run_id if step and folder else None)
        self.results = ProgramResults(folder)
        self._budget, self._is_full = Budget(CHARACTERS), False

    def call(
        self,
        name: str,
        command: Words,
        tries: int | Retry,
        in_doubt: WhenInDoubt,
        **options: Any,
    ) -> FunctionCall:
        """The step that runs this command. StepMisused for what makes no sense."""
        try:
            given = command_of(command, **options)
        except (TypeError, ValueError) as error:
            raise StepMisused(f"step {name!r}: {error}") from None
        retry = None if tries is ONCE else retry_of(tries, name)
        looks = doubt.checked(in_doubt, name, retry)
        if callable(looks):
            looks = _of_command(looks, command)
        return FunctionCall(name, run, (given, self), self.results, None, retry, in_doubt=looks)

    @property
    def running(self) -> str | None:
        """The name of the step whose function is being called."""
        return self._step.running if self._step else None

    @property
    def has_secrets(self) -> bool:
        """Is there anything to mask?"""
        return bool(self._known())

    def mask(self, text: str) -> str:
        """The text without known secrets."""
        for each in self._known():
            text = each.mask(text)
        return text

    def log(self, line: LogWritten) -> None:
        """Add a line to the run's logs, up to the bound of an attempt."""
        if self._step is None or self._is_full:
            return
        if not self._budget.takes(len(line.message)):
            self._is_full = True
            line = line._replace(message="programs print more than the logs of an attempt take")
        self._step.emit(line)

    def new_output(self, stream: str) -> tuple[int, Path] | None:
        """A new file for output: its descriptor and path; None outside of a run."""
        return self.programs.new_output(stream)

    def _known(self) -> Iterable[Secrets]:
        """The secrets of the run; of no step, those of whatever run it may come from."""
        if self._step is None:
            return known_secrets()
        return () if self._secrets is None else (self._secrets,)

    def check(self) -> None:
        """Raise the cause of a stop of the attempt, or Abandoned, if nobody waits any more."""
        if is_abandoned.get()():
            raise Abandoned
        if self._stop is not None:
            self._stop.check_in_flight()


def _of_command(looks: Callable[..., object], command: Words) -> Callable[..., object]:
    """The function that looks, given the command as it was written."""
    return lambda *_: looks(command)


class ProgramResults:
    """The converter of what came of programs; a file of theirs is journalled by its name."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def dump(self, value: Any) -> Json:
        """The result as JSON."""
        parts = dict(vars(value))
        for name in _FILES:
            if parts[name] is None:
                del parts[name]
            else:
                parts[name] = os.path.basename(parts[name])
        return Json(to_json(parts))

    def load(self, text: Json) -> CommandResult:
        """The result that JSON gives back. DoesNotFit if it is of another kind of step."""
        parts = parse(text)
        try:
            for name in _FILES:
                if name in parts and self._folder is not None:
                    parts[name] = str(self._folder / parts[name])
            return CommandResult(**parts)
        except TypeError:
            raise DoesNotFit([("$", "it is not what a program gives")]) from None

    def reveal(self, value: Any) -> Any:
        """There are no secrets in it."""
        return None

    def unread(self, text: Json, value: Any) -> list[Unread]:
        """Nothing is passed over."""
        return []

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        """It is no type that anybody declares."""
        return {}


@lru_cache(maxsize=1)
def _of_fork(pid: int, step: Step, owner: Owner) -> Shell:
    """Where programs of a fork are run, which logs nothing: they are of the run of its origin."""
    return Shell(None, programs=Programs(step.shell.programs.folder, f"{step.run_id}/{pid}", owner))


_FILES = ("stdout_file", "stderr_file")
_OUTSIDE = Shell(None)
