"""The driver of threads: it performs the effects of plans, in the thread that asks for them."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from durably_cli.errors import Abort
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.steps.accepted import accepted
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.causes import steps_of
from durably_cli.steps.driver import NOT_REPLAYED, Driver, Waits, mark_failed
from durably_cli.steps.operation import All, Call, Operation, Plan, Raised, Wait
from durably_cli.steps.scope import being_handled
from durably_cli.system import clock, signals
from durably_cli.system.process import this
from durably_cli.system.time_limits import call_within


class ThreadDriver(Driver):
    """Performs operations in the thread of the handler, and in those that it starts."""

    def perform(self, operation: Operation) -> Any:
        """What came of it, before or now."""
        value = self.found(operation)
        return self.carry_out(operation) if value is NOT_REPLAYED else value

    def carry_out(self, operation: Operation) -> Any:
        """What comes now of one that has no result, while this thread is in it."""
        name = operation.name
        self.scope.begin(name)
        try:
            plan = self._plan_of(operation)
            outcome = self._run(plan, name)
            while type(outcome) is Wait:
                outcome = self._run(plan, name, self._waited(outcome, name))
            if type(outcome) is Raised:
                self._end_by(outcome.error)
                raise outcome.error
            return outcome
        except BaseException as error:
            mark_failed(error, name)
            raise
        finally:
            self.scope.end(name)

    def call(self, call: FunctionCall) -> Any:
        """The same of a plain call of which nothing is known yet, past its plan: saves 2 us."""
        name, fn, args, converter, secrets, _, _, _, code, _ = call
        past = self.past
        if past.unfinished or past.in_doubt or past.failures or past.redone or past.owed:
            return self.carry_out(call)
        self.scope.begin(name)
        try:
            handled = being_handled()
            during = [] if handled is None else steps_of(handled)
            # As StepStarted(...) makes it, without a call of Python code in between, as below.
            self._recorded(tuple.__new__(StepStarted, (name, clock.now(), during, code, "", "")))
            owner, begun = this.pid, perf_counter()
            try:
                value = fn(*args)
            except BaseException as error:
                value = Raised(self._stop_or(error))
            else:
                try:
                    text, back = accepted(value, converter, secrets)
                except (Abort, KeyboardInterrupt):
                    raise
                except BaseException:  # for `ended` to judge
                    signals.raise_if_stopped()  # of which code of the user's has made it
                else:
                    ms = round((perf_counter() - begun) * 1000)
                    self._recorded(tuple.__new__(StepCompleted, (name, ms, text, clock.now())))
                    return back
            outcome = self._run(call.ended(value, begun, owner, past), name)
            if type(outcome) is Raised:
                raise outcome.error
            return outcome
        except BaseException as error:
            mark_failed(error, name)
            raise
        finally:
            self.scope.end(name)

    def outcome_of(self, operation: Operation, plan: Plan | None = None) -> Any:
        """What came of it, before or now, or Raised, or Waits, to go on with its plan then."""
        name, converter = operation.name, operation.converter
        try:
            if plan is None:
                value = self.found(operation)
                if value is not NOT_REPLAYED:
                    return value
                plan = self._plan_of(operation)
            if converter is None:
                outcome = self._run(plan, name)
            else:
                self.scope.begin(name)
                try:
                    outcome = self._run(plan, name)
                finally:
                    self.scope.end(name)
            if type(outcome) is Wait:
                return Waits(plan, outcome)
            if type(outcome) is Raised:
                self._end_by(outcome.error)
        except BaseException as error:
            outcome = Raised(error)
        if type(outcome) is Raised and converter is not None:
            mark_failed(outcome.error, name)
        return outcome

    def _waited(self, wait: Wait, name: str) -> bool:
        """Is the time over, and what is waited for not there?"""
        if not wait.suspends:
            return self._stop.wait_until(wait.until, wait.longest)
        stop = self._stop
        with self.scope.idle.step(name, lambda: wait.until):
            return stop.wait_until(wait.until, wait.longest, wait.ready, stop.suspend_if_all_wait)

    def waits_until(self) -> str | None:
        """When the first wait is over, if the handler's thread waits, and each step in flight."""
        idle = self.scope.idle
        until = idle.until()
        return until if self.scope.thread in idle.threads else None

    def _run(self, plan: Plan, name: str, answer: object = None) -> Any:
        """Perform the effects of a plan; what it returns, or the Wait with which it goes on.

        The `answer` is what came of the one before.
        """
        try:
            effect = plan.send(answer)
            while True:
                if type(effect) is Call:
                    fn, args, timeout = effect
                    try:
                        answer = fn(*args) if timeout is None else call_within(timeout, fn, args)
                    except BaseException as error:
                        answer = Raised(self._stop_or(error))
                elif type(effect) is Wait:
                    return effect
                elif type(effect) is All:
                    from durably_cli.steps.threads_at_once import in_threads  # few jobs have any

                    try:
                        answer = in_threads(name, effect, self, self._stop)
                    except BaseException as error:
                        answer = Raised(error)
                else:
                    answer = self._recorded(effect)
                effect = plan.send(answer)
        except StopIteration as end:
            return end.value
