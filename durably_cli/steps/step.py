"""The object a handler receives: what it may ask of its run.

A `Step` knows no file. It takes the results that are there already and something that records an
event, so a dict and `list.append` do: that is also the step to test jobs with. Each method makes an
operation of its arguments, which the driver performs; a kind of step is one file beside this one
and one method here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar, TypeVarTuple, overload

from durably_cli.errors import StepMisused
from durably_cli.journal.masking import NO_SECRETS, Secrets
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import NO_CODE
from durably_cli.steps import current, doubt
from durably_cli.steps.call import FunctionCall, converter_for, is_async
from durably_cli.steps.doubt import WhenInDoubt
from durably_cli.steps.driver import NOT_REPLAYED
from durably_cli.steps.logger import Logger
from durably_cli.steps.many_steps import ManySteps
from durably_cli.steps.memory_mail import with_signals
from durably_cli.steps.operation import Past, fresh_past
from durably_cli.steps.progress import reported
from durably_cli.steps.scope import checked_name
from durably_cli.steps.stop import Stop, StopInMemory
from durably_cli.steps.tries import ONCE, Retry, limit_of, retry_of
from durably_cli.steps.waiting_steps import WaitingSteps
from durably_cli.values import convert, declared, plain
from durably_cli.values.durations import Duration
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.steps.command import Words
    from durably_cli.steps.program import CommandResult
    from durably_cli.system.databases.database import Connect

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Called(NamedTuple):
    """What a step calls, the type given as `returns`, the converter, and the code."""

    fn: Callable[..., object]
    returns: object
    converter: plain.Converter
    code: str


def _no_code(_: object) -> str:
    return NO_CODE


def _ignore(_: object) -> None:
    pass


_NOTHING_YET = _Called(_ignore, None, convert.converter(declared.UNDECLARED), NO_CODE)


class Step(ManySteps, WaitingSteps):
    """Checkpoints of one attempt.

    `Step()` is one in memory, to test jobs with: it runs every step, keeps nothing, and lets no
    time pass; of `signals` each is there. `results` are JSON texts by step name, each taken out
    when it is replayed; `record` is called with every event, and returns once it is as durable as
    it must be; `replayed` with the name of each that is. `secrets` are masked in events.
    """

    def __init__(
        self,
        results: dict[str, Json] | None = None,
        record: Callable[[Event], object] = _ignore,
        *,
        run_id: str = "in-memory",
        attempt: int = 1,
        created_at: datetime | None = None,
        replayed: Callable[[str], object] = _ignore,
        secrets: Secrets = NO_SECRETS,
        signals: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(record, replayed, secrets)
        self.run_id = run_id
        """The id of the run, the same in every attempt."""
        self.attempt = attempt
        """Which attempt this is, from 1."""
        self.created_at = created_at or datetime.now(UTC)
        """When the run was made, in UTC; the same in every attempt."""
        self.log = Logger(self)
        """Lines of four levels for the journal and for the standard `logging`."""
        self._last = _NOTHING_YET
        self._code_of: Callable[[Callable[..., object]], str] = _no_code
        self._rows_of = f"{run_id}-{os.urandom(8).hex()}"  # in memory each is another one
        past = fresh_past({} if results is None else results)
        self._connect(past if signals is None else with_signals(past, signals), StopInMemory())

    @overload
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], T],
        /,
        *args: *Ts,
        returns: None = None,
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[*Ts], object] = "again",
    ) -> T: ...
    @overload
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        returns: type[T],
        tries: int | Retry = 1,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[*Ts], object] = "again",
    ) -> T: ...
    def run(
        self,
        name: str,
        fn: Callable[[*Ts], object],
        /,
        *args: *Ts,
        returns: Any = None,
        tries: int | Retry = ONCE,
        timeout: Duration | None = None,
        in_doubt: WhenInDoubt = doubt.AGAIN,
    ) -> Any:
        """Call `fn(*args)` once, and return what it returned, in this and every later attempt.

        The result goes through JSON on the first run as on a replay: as the type `returns`, else
        as the one that `fn` declares, else as the plain JSON that it must be. The exception of a
        step passes through, and the step runs again on resume. A name is used once per execution.
        With `tries`, a number or a `Retry`, a function that raises is called again, after a pause.
        `timeout` is the time for each call: seconds, a timedelta or a text such as `90s`; one that
        takes longer fails with StepTimeout. `in_doubt` says what a resume does if the call was cut
        short: `again` calls it once more; `stop` fails until a person decides; a function is called
        with the same arguments to look, and returns the result or raises NotDone.

        Any thread of the handler may ask for steps, while the handler lasts. Raises StepMisused for
        a reused name, a nested or an async step, RunEnded behind the end of the handler, and
        ValueRefused for a result that would come back different.
        """
        name = self._scope.enter(name, sys._getframe(1))
        last_fn, last_returns, converter, code = self._last
        if fn is not last_fn or returns is not last_returns:  # it seldom is, in a loop
            converter, code = self._look_at(name, fn, returns)
        text = self._at_hand.get(name)
        if text is not None:  # no operation is made
            value = self._driver.replay(name, text, converter, in_doubt)
            if value is not NOT_REPLAYED:
                return value
        retry = None if tries is ONCE else retry_of(tries, name)
        limit = None if timeout is None else limit_of(timeout, name)
        if in_doubt is not doubt.AGAIN:
            in_doubt = doubt.checked(in_doubt, name, retry)
        # As FunctionCall(...) makes it, without a call of Python code in between: saves 0.2 us.
        call = (name, fn, args, converter, self._secrets, retry, limit, in_doubt, code, "")
        if retry is None and limit is None and in_doubt is doubt.AGAIN:
            return self._driver.call(tuple.__new__(FunctionCall, call))
        return self._carry_out(tuple.__new__(FunctionCall, call))

    def sh(
        self,
        name: str,
        command: Words,
        *,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        input: str | bytes | None = None,
        check: bool = True,
        tries: int | Retry = ONCE,
        timeout: Duration | None = None,
        in_doubt: Literal["again", "stop"] | Callable[[Any], CommandResult] = "again",
    ) -> CommandResult:
        """Run a program once, and return what came of it, in this and every later attempt.

        A list is executed as it is, a text by /bin/sh; the other arguments are those of `sh`.
        `timeout` is the time of each try. `in_doubt` is as for `run`: a function that looks is
        called with the command. Known secrets are masked in what it prints. Raises what `sh` does,
        and StepMisused for what makes no sense.
        """
        name = self._scope.enter(name, sys._getframe(1))
        text = self._at_hand.get(name)
        if text is not None:
            return self._driver.replay(name, text, self.shell.results)  # type: ignore[no-any-return]
        options = {"cwd": cwd, "env": env, "input": input, "check": check, "timeout": timeout}
        call = self.shell.call(name, command, tries, in_doubt, **options)
        result: CommandResult = self._carry_out(call)
        return result

    @overload
    def transaction(
        self,
        name: str,
        connect: Connect,
        fn: Callable[[Any, *Ts], T],
        /,
        *args: *Ts,
        returns: None = None,
        tries: int | Retry = 1,
    ) -> T: ...
    @overload
    def transaction(
        self,
        name: str,
        connect: Connect,
        fn: Callable[[Any, *Ts], object],
        /,
        *args: *Ts,
        returns: type[T],
        tries: int | Retry = 1,
    ) -> T: ...
    def transaction(
        self,
        name: str,
        connect: Connect,
        fn: Callable[[Any, *Ts], object],
        /,
        *args: *Ts,
        returns: Any = None,
        tries: int | Retry = ONCE,
    ) -> Any:
        """Call `fn(connection, *args)` in a transaction, exactly once, whatever is killed when.

        `connect` is the path of a SQLite file, or a function that gives a new connection of
        `sqlite3` or `psycopg`, which is closed behind. The result is a row of the table
        `durably_steps` there, written in the same transaction. The function neither commits nor
        rolls back: that is done when it has returned, or has raised.

        Raises what `run` does; StepMisused for another connection, and for a function that ends
        the transaction.
        """
        name = self._scope.enter(name, sys._getframe(1))
        last_fn, last_returns, converter, code = self._last
        if fn is not last_fn or returns is not last_returns:
            if is_async(fn):
                raise StepMisused(
                    f"step {name!r}: the function of a transaction is a plain one, in an async "
                    "handler too: it is called in a thread"
                )
            converter, code = self._look_at(name, fn, returns)
        text = self._at_hand.get(name)
        if text is not None:
            value = self._driver.replay(name, text, converter)
            if value is not NOT_REPLAYED:
                return value
        from durably_cli.steps.transaction import transaction  # only jobs that have some pay for it

        retry = None if tries is ONCE else retry_of(tries, name)
        row = self._keys.get(name, self._rows_of), name, self._discarded[name]
        call = transaction(row, connect, fn, args, converter, self._secrets, retry, code)
        return self._carry_out(call)

    def progress(
        self, current: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Report how far the run has come, `current` of `total` in any unit.

        Any thread of the handler may. TypeError for what is no number, or one that no float holds.
        """
        self.emit(reported(current, total, message))

    def idempotency_key(self, name: str) -> str:
        """A text for the header of that name, of requests that this step sends.

        It is the same in every try and every attempt, and another one for every step and run, and
        once a result of the step was discarded. StepMisused for what is no name.
        """
        from hashlib import sha256  # few jobs ask

        name = self._scope.whole(checked_name(name))
        run = self._keys.get(name, self.run_id)
        key = f"{run}-{sha256(name.encode()).hexdigest()[:16]}"
        discarded = self._discarded[name]
        return f"{key}-{discarded}" if discarded else key

    def _look_at(
        self, name: str, fn: Callable[..., object], returns: Any
    ) -> tuple[plain.Converter, str]:
        """The converter of a function's results, and its code: the next step may have the same."""
        converter = converter_for(name, fn, returns, may_be_async=self.is_async)
        code = self._code_of(fn)
        self._last = _Called(fn, returns, converter, code)
        return converter, code

    def _connect(self, past: Past, stop: Stop) -> None:
        self._perform_with(past, stop)
        current.made(self, self._scope)
