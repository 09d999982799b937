"""What drives operations, of whatever kind: what the journal has of them is handed back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from durably_cli.errors import Abort, FileChanged, JournalLost, StepInDoubt, StepMisused
from durably_cli.journal.raised import raised_again
from durably_cli.journal.registry import Event
from durably_cli.steps import doubt
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.causes import mark
from durably_cli.steps.doubt import WhenInDoubt
from durably_cli.steps.operation import Operation, Past, Plan, Wait
from durably_cli.steps.scope import Scope
from durably_cli.steps.stop import Stop
from durably_cli.values.convert import vouches
from durably_cli.values.plain import Converter, DoesNotFit
from durably_cli.values.strict_json import FILE_MARK, Json

NOT_REPLAYED = object()
"""In place of a result that counts no more."""

_MARK = '"$'
"""What is in a result that names a file of the user's, or stands in one of its own."""


class Waits(NamedTuple):
    """An operation is to go on with its plan when this wait is over."""

    plan: Plan
    wait: Wait


class Driver:
    """Hands back what the journal has of operations; how the rest is done, a subclass says.

    `append` writes an event and returns once it is as durable as it must be; `replayed` is called
    with the name of every step whose result is handed back. No kind of step is known here, but for
    the short way of a plain call. The `scope` is that of the handler.
    """

    def __init__(
        self,
        append: Callable[[Event], object],
        past: Past,
        stop: Stop,
        replayed: Callable[[str], object],
        scope: Scope,
    ) -> None:
        self.past, self.scope = past, scope
        self.has_executed = False
        """Whether a step was executed; until then the handler is where it has been before."""
        self._write, self._stop, self._replayed = append, stop, replayed
        self._append: Callable[[Event], object] = self._append_first
        stop.waits_until = self.waits_until

    def perform(self, operation: Operation) -> Any:
        """What came of it, before or now."""
        raise NotImplementedError

    def carry_out(self, operation: Operation) -> Any:
        """What comes now of one that has no result at hand."""
        raise NotImplementedError

    def call(self, call: FunctionCall) -> Any:
        """The same of a plain call, without options."""
        raise NotImplementedError

    def found(self, operation: Operation) -> Any:
        """The result that the journal has of it; NOT_REPLAYED if it is to be carried out."""
        name, converter = operation.name, operation.converter
        if converter is None or (text := self.past.results.get(name)) is None:
            return NOT_REPLAYED
        in_doubt = operation.in_doubt if isinstance(operation, FunctionCall) else doubt.AGAIN
        return self.replay(name, text, converter, in_doubt)

    def replay(
        self, name: str, text: Json, converter: Converter, in_doubt: WhenInDoubt = doubt.AGAIN
    ) -> Any:
        """The value of a step's journalled result; NOT_REPLAYED if a file that it names is another
        one now.

        StepMisused if it no longer fits the declared type. A step that stops where it is
        `in_doubt` ends the attempt for such a file.
        """
        names_a_file = _MARK in text  # asked once: most do not
        if names_a_file:
            text = self._whole(name, text)
        try:
            value: object = converter.load(text)
        except DoesNotFit as error:
            misused = StepMisused(
                f"the journalled result of step {name!r} no longer fits the type it is declared "
                f"with ({error}); restore the type, or have the step executed again"
            )
            mark(misused, name)
            raise misused from None
        if (
            names_a_file
            and FILE_MARK in text
            and vouches(converter)
            and self._has_changed_files(name, text, stops=in_doubt == doubt.STOP)
        ):
            return NOT_REPLAYED
        self.past.results.pop(name, None)
        self._replayed(name)
        return value

    def _whole(self, name: str, result: Json) -> Json:
        try:
            return self.past.whole(name, result)
        except JournalLost as lost:
            self._stop.stop(lost)
            raise

    def _has_changed_files(self, name: str, result: Json, *, stops: bool) -> bool:
        """Is a file of a result not what it was? Then the step is to be executed again."""
        from durably_cli.steps.vouched import discarded_for_files  # few results have any

        try:
            event = discarded_for_files(name, result, self.past)
        except FileChanged as error:
            mark(error, name)
            raise
        if event is None:
            return False
        if stops:
            stopped = doubt.stopped_behind(name, event.why)
            mark(stopped, name)
            self._stop.stop(stopped)
            raise stopped
        self._recorded(event)
        with self.past.changing:
            self.past.forget(name)
            self.past.unfinished[name] = self.past.redone[name] = event
        return True

    def _recorded(self, event: Event) -> object:
        try:
            return self._append(event)
        except JournalLost as lost:
            self._stop.stop(lost)
            raise

    def _plan_of(self, operation: Operation) -> Plan:
        """The plan of a step that is to be executed; its carried failure is raised instead."""
        past = self.past
        if past.owed:
            with past.changing:
                owed = [*past.owed]
                past.owed.clear()
            for event in owed:
                self._recorded(event)
        if past.failures and (failed := past.failures.pop(operation.name, None)) is not None:
            error = raised_again(failed)
            self._replayed(failed.name)
            raise error
        return operation.plan(past)

    def waits_until(self) -> str | None:
        """When the first wait is over, if the handler does nothing now but wait."""
        raise NotImplementedError

    def _end_by(self, error: BaseException) -> None:
        """End the attempt, if a plan says so."""
        if isinstance(error, Abort):
            self._stop.stop(error)

    def _stop_or(self, error: BaseException) -> BaseException:
        """What a function raised; after a stop that is what it, or a library, has made of it."""
        cause = self._stop.cause
        return error if cause is None or isinstance(error, (Abort, KeyboardInterrupt)) else cause

    def _append_first(self, event: Event) -> object:
        self._append = self._write  # so that this costs the other events nothing
        written = self._append(event)
        self.has_executed = True  # and not yet to who sees the event: all before it was replayed
        return written


def mark_failed(error: BaseException, name: str) -> None:
    """This is what a step raised, unless it is what ends the attempt."""
    if not isinstance(error, Abort) or isinstance(error, StepInDoubt):
        mark(error, name)
