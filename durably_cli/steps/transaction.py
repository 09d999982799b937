"""`step.transaction`: what a function does in a database, and the step's result, exactly once.

Both are in one transaction of the user's own database, so there is no moment at which one is there
without the other. The journal comes last. A try that finds the row takes the result from there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from durably_cli.errors import StepMisused, ValueRefused
from durably_cli.journal.masking import Secrets
from durably_cli.journal.step_events import DATABASE
from durably_cli.steps.accepted import accepted
from durably_cli.steps.call import FunctionCall
from durably_cli.steps.tries import Retry
from durably_cli.system import clock
from durably_cli.system.databases.database import (
    TABLE,
    Connect,
    Database,
    NotItsOwn,
    StepRow,
    UnknownConnection,
    database_of,
)
from durably_cli.values import plain
from durably_cli.values.strict_json import Json


def transaction(
    row: tuple[str, str, int],
    connect: Connect,
    fn: Callable[..., object],
    args: tuple[Any, ...],
    converter: plain.Converter,
    secrets: Secrets | None,
    retry: Retry | None,
    code: str,
) -> FunctionCall:
    """The step that calls this function in a transaction."""
    act = _Transaction(StepRow(*row), connect, fn, converter, secrets)
    return FunctionCall(row[1], act, args, converter, secrets, retry, None, DATABASE, code)


class _Transaction:
    """A function to call in a transaction, and the row in which its result is written."""

    def __init__(
        self,
        row: StepRow,
        connect: Connect,
        fn: Callable[..., object],
        converter: plain.Converter,
        secrets: Secrets | None,
    ) -> None:
        self._row, self._connect, self._fn = row, connect, fn
        self._converter, self._secrets = converter, secrets

    def __call__(self, *args: Any) -> Any:
        """What the function returns, or has returned in a transaction that was committed."""
        database = self._opened()
        try:
            database.prepare()
            return self._once(database, args)
        except UnknownConnection as error:
            raise self._misused(str(error)) from None
        finally:
            database.close()

    def _opened(self) -> Database:
        try:
            return database_of(self._connect)
        except UnknownConnection as error:
            raise self._misused(str(error)) from None

    def _once(self, database: Database, args: tuple[Any, ...]) -> Any:
        is_written = False
        try:
            with database.transaction():
                if not database.insert(self._row):
                    raise _RollBack
                text, back = self._called(database, args)
                database.write(self._row, text, clock.now())
                is_written = True
            return back
        except _RollBack:
            return self._found(database)
        except NotItsOwn as error:
            raise self._misused(
                "its function has ended the transaction that it is called in, or has tried to: "
                "leave that to step.transaction, which commits once the function has returned"
            ) from error.__cause__
        except Exception as error:
            if is_written and (found := self._after(error)) is not None:
                return found[0]
            raise

    def _called(self, database: Database, args: tuple[Any, ...]) -> tuple[Json, Any]:
        value = self._fn(database.connection, *args)
        try:
            text, back = accepted(value, self._converter, self._secrets)
        except ValueRefused as error:
            what = f"the result of step {self._row.step!r}"
            raise ValueRefused(error.path, error.reason, what=what) from None
        return text, back

    def _found(self, database: Database) -> Any:
        """The result of a transaction that was committed."""
        text = database.result_of(self._row)
        if text is None:
            run, step = map(_in_sql, self._row[:2])
            raise self._misused(
                "it has committed something in an earlier try by itself, and left no result: look "
                f"at what it did, undo that, and remove its row, DELETE FROM {TABLE} WHERE run = "
                f"{run} AND step = {step} AND generation = {self._row.generation}, so that it "
                "is called"
            )
        return self._converter.load(Json(text))

    def _after(self, error: Exception) -> tuple[Any] | None:
        """The result, if the transaction was committed all the same.

        It is looked at as the next try would: that waits for a commit that is still under way.
        """
        try:
            database = database_of(self._connect)
            try:
                database.prepare()
                with suppress(_RollBack), database.transaction():
                    is_there = not database.insert(self._row)
                    raise _RollBack
                text = database.result_of(self._row) if is_there else None
            finally:
                database.close()
        except Exception:
            error.add_note("whether it was committed is not known; the next try looks")
            return None
        return None if text is None else (self._converter.load(Json(text)),)

    def _misused(self, what: str) -> StepMisused:
        return StepMisused(f"step {self._row.step!r}: {what}")


def _in_sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class _RollBack(Exception):
    """Ends a transaction in which there is nothing to do."""
