"""The driver of threads: it performs the effects of plans, in the thread that asks for them."""

from __future__ import annotations

from typing import Any

from durably_cli.errors import JournalLost
from durably_cli.steps.driver import NOT_REPLAYED, Driver, Waits, mark_failed
from durably_cli.steps.operation import All, Call, Operation, Plan, Raised, Wait
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
            outcome = self._run(plan)
            while type(outcome) is Wait:
                self._stop.wait_until(outcome.until, outcome.longest)
                outcome = self._run(plan)
            if type(outcome) is Raised:
                self._end_by(outcome.error)
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
                outcome = self._run(plan)
            else:
                self.scope.begin(name)
                try:
                    outcome = self._run(plan)
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

    def _run(self, plan: Plan) -> Any:
        """Perform the effects of a plan; what it returns, or the Wait with which it goes on."""
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
                    return effect
                elif type(effect) is All:
                    from durably_cli.steps.threads_at_once import in_threads  # few jobs have any

                    try:
                        answer = in_threads(effect, self, self._stop)
                    except BaseException as error:
                        answer = Raised(error)
                else:
                    answer = self._append(effect)
                effect = plan.send(answer)
        except StopIteration as end:
            return end.value
        except JournalLost as lost:
            self._stop.stop(lost)
            raise
