"""The driver of the handler's thread: it performs the effects of plans, there and in a few more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from durably_cli.errors import Abort, FileChanged, JournalLost, StepMisused
from durably_cli.journal.raised import raised_again
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepFailed
from durably_cli.steps import doubt
from durably_cli.steps.causes import mark
from durably_cli.steps.operation import All, Call, Operation, Past, Raised, Wait
from durably_cli.steps.stop import Stop
from durably_cli.system import signals
from durably_cli.system.time_limits import call_within
from durably_cli.values.convert import vouches
from durably_cli.values.plain import Converter, DoesNotFit
from durably_cli.values.strict_json import FILE_MARK, Json

NOT_REPLAYED = object()
"""In place of a result that counts no more."""


class Driver:
    """Performs operations: what the journal has of them is handed back, the rest is done.

    `append` writes an event and returns once it is as durable as it must be; `replayed` is called
    with the name of every step whose result is handed back; `wait` lets time pass up to the one
    that it is given. No kind of step is known here.
    """

    def __init__(
        self,
        append: Callable[[Event], object],
        past: Past,
        stop: Stop,
        replayed: Callable[[str], object],
    ) -> None:
        self.past = past
        self.has_executed = False
        """Whether a step was executed; until then the handler is where it has been before."""
        self._write, self._stop, self._replayed = append, stop, replayed
        self._append: Callable[[Event], object] = self._append_first

    def perform(self, operation: Operation) -> Any:
        """What came of it, before or now."""
        if operation.name in self.past.results:
            value = self.replay(operation.name, operation.converter)
            if value is not NOT_REPLAYED:
                return value
        return self.carry_out(operation)

    def replay(self, name: str, converter: Converter, *, stops: bool = False) -> Any:
        """The journalled result of a step; NOT_REPLAYED if a file that it names is another one now.

        StepMisused if it no longer fits the declared type. A step that `stops` in doubt ends the
        attempt for such a file.
        """
        results = self.past.results
        try:
            text = results[name]
        except KeyError:  # another thread has just discarded it
            return NOT_REPLAYED
        except JournalLost as lost:  # the file of a large result
            self._stop.stop(lost)
            raise
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
            FILE_MARK in text
            and vouches(converter)
            and self._has_changed_files(name, text, stops=stops)
        ):
            return NOT_REPLAYED
        results.pop(name, None)
        self._replayed(name)
        return value

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

    def _carried(self, failed: StepFailed) -> BaseException:
        """The exception of a failure that the handler before this one lived on after."""
        error = raised_again(failed)
        self._replayed(failed.name)
        return error

    def carry_out(self, operation: Operation) -> Any:
        """What comes now of one that has no result: its carried failure, or what its plan gives."""
        past = self.past
        if past.owed:
            with past.changing:
                owed = [*past.owed]
                past.owed.clear()
            for event in owed:
                self._recorded(event)
        if past.failures and (failed := past.failures.pop(operation.name, None)) is not None:
            raise self._carried(failed)
        plan = operation.plan(past)
        try:
            effect = next(plan)
            while True:
                if type(effect) is Call:
                    fn, args, timeout = effect
                    try:
                        answer = fn(*args) if timeout is None else call_within(timeout, fn, args)
                    except BaseException as error:
                        answer = Raised(self._stop_or(error))
                elif type(effect) is Wait:
                    self._stop.wait_until(*effect)
                    answer = None
                elif type(effect) is All:
                    try:
                        answer = self._all(effect.operations, effect.at_once)
                    except BaseException as error:
                        answer = Raised(error)
                else:
                    answer = self._recorded(effect)
                effect = plan.send(answer)
        except StopIteration as end:
            outcome = end.value
        if type(outcome) is Raised:
            if isinstance(outcome.error, Abort):
                self._stop.stop(outcome.error)
            raise outcome.error
        return outcome

    def _stop_or(self, error: BaseException) -> BaseException:
        """What a function raised; after a stop that is what it, or a library, has made of it."""
        cause = self._stop.cause
        return error if cause is None or isinstance(error, (Abort, KeyboardInterrupt)) else cause

    def _append_first(self, event: Event) -> object:
        self._append = self._write  # so that this costs the other events nothing
        written = self._append(event)
        self.has_executed = True  # and not yet to who sees the event: all before it was replayed
        return written

    def _all(self, operations: Iterable[Operation], at_once: int) -> list[Any]:
        """The results, in order. The first failure, when all that had begun have ended."""
        results, failures = dict[int, Any](), list[BaseException]()
        waiting, taking = enumerate(operations), threading.Lock()

        def take() -> tuple[int, Operation] | None:
            with taking:
                return None if failures else next(waiting, None)

        def work(taken: tuple[int, Operation] | None, ended: threading.Event) -> None:
            try:
                while taken is not None:
                    self._stop.check()
                    number, operation = taken
                    results[number] = self.perform(operation)
                    taken = take()
            except BaseException as error:
                failures.append(error)
            finally:
                ended.set()

        @signals.shielded
        def work_in_threads() -> None:
            begun = list[threading.Event]()  # a thread counts as ended if a Ctrl-C cuts its join
            while True:
                try:
                    while len(begun) < at_once and (taken := take()) is not None:
                        ended = threading.Event()
                        threading.Thread(target=work, args=(taken, ended), daemon=True).start()
                        begun.append(ended)
                    for ended in begun:
                        ended.wait()
                    return
                except BaseException as error:  # a Ctrl-C; what has begun comes to its end
                    failures.append(error)

        work_in_threads()
        if failures:
            raise failures[0]
        return [results[number] for number in sorted(results)]
