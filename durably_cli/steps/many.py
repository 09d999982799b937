"""`step.map` and `step.for_each`: a step, or several, for each of many items, several at once.

A map is a step itself, with a start and an end. Its items are steps, known by their keys; those of
`for_each` are scopes, in which a body asks for steps. Both go through their items in every attempt:
what has a result is replayed, the rest is executed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Generic, Literal, NamedTuple, TypeAlias, TypeVar, cast

from durably_cli import hints
from durably_cli.errors import Abort, StepMisused
from durably_cli.journal.failures import describe
from durably_cli.journal.masking import Secrets
from durably_cli.journal.raised import parts_of, raised_again
from durably_cli.journal.step_events import MapStarted, StepCompleted, StepFailed, StepOutdated
from durably_cli.journal.step_names import ItemName, item_of, map_of, scopes_of
from durably_cli.steps.causes import steps_of
from durably_cli.steps.item_inputs import digest_of, said_of_changed
from durably_cli.steps.operation import All, Call, Operation, Past, Plan, Raised
from durably_cli.steps.schedule import Outcomes
from durably_cli.steps.scope import being_handled, checked_name
from durably_cli.system import clock
from durably_cli.system.ids import short
from durably_cli.values import convert, plain
from durably_cli.values.quantities import plural
from durably_cli.values.strict_json import Json, to_json
from durably_cli.values.untrusted import add_note, repr_of
from durably_cli.values.visible import visible

T = TypeVar("T")

OnError: TypeAlias = Literal["stop", "continue", "collect"]
"""What a failed item does: no other one begins; all are gone through; or it is a result."""

Key: TypeAlias = str | int | float | os.PathLike[str]
"""By what an item is known."""


class Results(Generic[T]):
    """What came of the items of a map that collects failures, by their keys."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.ok: dict[Any, T] = {}
        """The results, in the order of the items."""
        self.failed: dict[Any, Exception] = {}
        """The exceptions of the others."""

    def raise_if_failed(self) -> None:
        """Raise an ExceptionGroup of all failures, if there is one."""
        if self.failed:
            raise failed_items(self._name, list(self.failed.values()), len(self.ok))

    def __len__(self) -> int:
        return len(self.ok) + len(self.failed)

    def __repr__(self) -> str:
        return f"Results({len(self.ok):,} ok, {len(self.failed):,} failed)"


def failed_items(name: str, errors: list[Exception], ok: int) -> ExceptionGroup[Exception]:
    """The error of a map of which these items have failed, and so many have not."""
    of = plural(len(errors) + ok, "item")
    return ExceptionGroup(f"{len(errors):,} of {of} of {name!r} failed", errors)


class Body(NamedTuple):
    """The body of a for_each, with its item: no step, it has no result of its own."""

    name: str
    act: Callable[[], Any]
    converter: None = None

    def plan(self, past: Past) -> Plan:
        return (yield Call(self.act))


class Map(NamedTuple):
    """All items, each made an operation by `operation`; with what came of them, in order.

    If there is one that is `carried`, the handler before has lived on after that failure: only what
    it had begun is gone through, and it is raised again. `take` takes the name of an item, which is
    used once, with its key, and how that reads. `warn` says a line of the log, of a map that had
    completed and goes on; `replayed` is called with the name of one that had.
    """

    name: str
    items: Iterable[Any]
    key: Callable[[Any], Key] | None
    operation: Callable[[ItemName, Any, str], Operation]
    concurrency: int
    on_error: OnError
    per_second: float | None
    progress: Callable[[int, int, int | None], object]
    run_id: str
    take: Callable[[ItemName, object, str], bool]
    secrets: Secrets | None
    warn: Callable[[str], object] | None
    replayed: Callable[[str], object]
    carried: StepFailed | None = None
    converter: plain.Converter = convert.converter(object)

    def plan(self, past: Past) -> Plan:
        before = past.results.pop(self.name, None)
        handled, begun = being_handled(), time.perf_counter()
        if before is None and self.carried is None:
            yield self._started(handled)
        keys, changed = list[Any](), list[str]()
        total = self._total()
        outcomes = yield All(
            self._operations(past, keys, changed, is_again=before is not None),
            self.concurrency,
            goes_on=self.on_error != "stop" or self.carried is not None,  # all that had begun
            per_second=self.per_second,
            ended=lambda done, failed: self.progress(done, failed, total),
        )
        ms = round((time.perf_counter() - begun) * 1000)
        if changed and self.warn is not None:
            self.warn(said_of_changed(self.name, changed))
        if type(outcomes) is Raised:  # by what gives the items, or by a stop
            if not isinstance(outcomes.error, Exception) or isinstance(outcomes.error, Abort):
                return outcomes
            error: Exception = outcomes.error
        else:
            found, failed = self._found(keys, outcomes)
            if self.carried is not None and not (failed and self.on_error != "collect"):
                return Raised(raised_again(self.carried))
            if not failed or self.on_error == "collect":
                yield from self._end(before, ms, len(outcomes), list(failed), past, handled)
                return found
            error = failed_items(self.name, list(failed.values()), len(outcomes) - len(failed))
        if self.carried is not None and self.carried.error.type != type(error).__name__:
            return Raised(raised_again(self.carried))
        if self.carried is None:
            yield StepFailed(self.name, ms, describe(error), clock.now(), parts_of(error))
        return Raised(error)

    def _started(self, handled: BaseException | None) -> MapStarted:
        during = [] if handled is None else steps_of(handled)
        return MapStarted(self.name, clock.now(), during, self._total() or 0)

    def _total(self) -> int | None:
        return len(self.items) if isinstance(self.items, Sized) else None

    def _end(
        self,
        before: Json | None,
        ms: int,
        many: int,
        failed: list[Any],
        past: Past,
        handled: BaseException | None,
    ) -> Iterator[MapStarted | StepOutdated | StepCompleted]:
        """Journal how many items there were, if that is not what the journal has already."""
        result = Json(to_json({"items": many, "failed": [key_text(key) for key in failed]}))
        past.redone.pop(self.name, None)
        if before is not None:
            self.replayed(self.name)
        if before == result:
            return
        if before is not None:
            yield StepOutdated(self.name, self.name, clock.now())
            yield self._started(handled)
        yield StepCompleted(self.name, ms, result, clock.now())

    def _operations(
        self, past: Past, keys: list[Any], changed: list[str], *, is_again: bool
    ) -> Iterator[Operation]:
        """Each item as an operation; its key is appended to `keys`.

        The names of those that are replayed, and whose input is another one now, are `changed`.
        """
        begun_before = _begun(past) if self.carried is not None else None
        kind = None
        for item in self.items:
            key = self._key_of(item)
            kind = kind or type(key)
            if type(key) is not kind and not isinstance(key, kind):
                what = f"{repr_of(key):.80} is a {type(key).__name__}, others are {kind.__name__}"
                raise StepMisused(f"the keys of {self.name!r} are of several types: {what}")
            text = checked_name(key_text(key))
            name = item_of(self.name, text)
            if not self.take(name, key, text):
                raise StepMisused(
                    f"two items of {self.name!r} have the key {text!r}, or another step is "
                    f"named {str(name)!r}: give each item a key of its own, by key=, or only once"
                )
            if begun_before is not None and name not in begun_before:
                continue
            if is_again and self.warn is not None and not _is_there(name, past):
                if said := said_of_going_on(name, past, self.run_id):
                    self.warn(said)
                is_again = False
            keys.append(key)
            digest = "" if self.key is None or self.warn is None else digest_of(item, self.secrets)
            if past.inputs and name in past.results and past.inputs.pop(name, digest) != digest:
                changed.append(str(name))
            yield self.operation(name, item, digest)

    def _key_of(self, item: Any) -> Key:
        key = item if self.key is None else self.key(item)
        if isinstance(key, (str, int, float, os.PathLike)) and not isinstance(key, bool):
            return key
        what = "the key of an item" if self.key else "an item"
        how = "key=" if self.key else "key=, a function that gives one for each"
        raise StepMisused(
            f"{what} of {self.name!r} is no text, number or path, but {repr_of(key):.80}: "
            f"say by {how}, by what it is known"
        )

    def _found(self, keys: list[Any], outcomes: Outcomes) -> tuple[Any, dict[Any, Exception]]:
        """The results, in order, and the failures by key."""
        collected, found = Results[Any](self.name), list[Any]()
        for place, outcome in outcomes.in_order():
            key = keys[place]
            if type(outcome) is Raised:  # by an Exception: any other one has ended the map
                add_note(outcome.error, f"in {visible(item_of(self.name, key_text(key)))}")
                collected.failed[key] = cast("Exception", outcome.error)
            elif self.on_error == "collect":
                collected.ok[key] = outcome
            else:
                found.append(outcome)
        return collected if self.on_error == "collect" else found, collected.failed


def said_of_going_on(item: str, past: Past, run_id: str) -> str | None:
    """What to say where this item of a map that had completed is executed, if steps have used that.

    They may have taken what the map gave before.
    """
    later = [each.name for each in past.order.later(item) if each.name in past.results]
    if not later:
        return None
    return (
        f"{map_of(item)!r} had completed, and goes on with {item}: steps behind it are replayed "
        f"as they were; once the run has ended, "
        f"{hints.command('fork', short(run_id), '--redo', later[-1])} executes such a step again"
    )


def key_text(key: Key) -> str:
    """A key as its item is named by it."""
    if type(key) is int or not isinstance(key, os.PathLike):
        return str(key)
    return os.fspath(key)


def _is_there(name: str, past: Past) -> bool:
    """Has it come to an end before, whatever that is worth now?"""
    return name in past.results or name in past.failures or name in past.redone


def _begun(past: Past) -> set[str]:
    """Every item of which there is anything."""
    names = (*filter(past.results.__contains__, past.order.names()), *past.failures)
    return {scope for name in names for scope in (name, *scopes_of(name))}
