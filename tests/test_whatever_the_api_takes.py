"""Whatever the public API lets into a journal, a reader gives back, and nothing of it is lost.

Programs of calls, made of values that Python code really comes up with, are run as a real job. What
the API refuses, it refuses in the caller's face. What it takes is in the journal, readable by every
reader, also by one that knows nothing of what the job did to its Python.
"""

from __future__ import annotations

import enum
import io
import json
import math
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durably_cli import Run, Step, StepError, define_job
from durably_cli.engines.local.resume import resume
from durably_cli.engines.local.store import Store
from durably_cli.errors import DurablyError, UsageError
from durably_cli.journal.reader import JournalReader
from durably_cli.project import places, stores
from durably_cli.render import rows


class Colour(enum.IntEnum):
    RED = 2**70


class Word(str):
    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class Many(dict[Any, Any]):
    def items(self) -> Any:
        raise KeyError("no items")


class Silent:
    def __repr__(self) -> str:
        raise MemoryError

    __str__ = __repr__


class Quiet(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Odd(Exception):
    pass


Odd.__qualname__ = "Odd\ud800"


class Circular(Exception):
    @property
    def __cause__(self) -> Any:
        raise RuntimeError("no cause")


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def deep(levels: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def any_of(*found: Any) -> st.SearchStrategy[Any]:
    """One of these, which hypothesis cannot print: their reprs raise."""
    return st.integers(0, len(found) - 1).map(lambda index: found[index])


texts = st.text(max_size=6) | st.sampled_from(
    ["\ud800", "\udc80\x00", "a\tb\n", "\x1b[31m", "1", "null", "true", '"', "{", "9" * 5000]
)
integers = st.integers() | any_of(
    2**53 + 1, 2**63, -(2**63), 2**64, 10**400, 10**4299, 10**4300, -(10**5000), Colour.RED
)
floats = st.floats() | st.sampled_from([1e19, 1e300, -0.0, 5e-324])
odd = any_of(
    *(Word("x"), Silent(), Many(a=1), Decimal("1.10"), b"\xff", {1, 2}, (1, 2), object()),
    *(circle(), deep(190), deep(210), Path("a"), Colour.RED, {Word("a"): 1, Word("a"): 2}),
)
keys = texts | integers | floats | st.booleans() | st.none() | st.sampled_from([Word("1")])
values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)
errors = st.sampled_from(
    [
        *(ValueError, Quiet, Circular, KeyError, SystemExit, GeneratorExit),
        *(Odd, OSError, StopIteration, BaseException),
    ]
)

Call = Callable[[Step], object]


def _raise(kind: type[BaseException], value: object) -> object:
    raise kind(value)


def in_a_thread(call: Call) -> Call:
    def act(step: Step) -> None:
        thread = threading.Thread(target=lambda: _quietly(call, step))
        thread.start()
        thread.join()

    return act


def _quietly(call: Call, step: Step) -> None:
    try:
        call(step)
    except BaseException:  # what the API refuses
        pass


logged = st.builds(
    lambda level, message, data: lambda step: getattr(step.log, level)(message, **data),
    st.sampled_from(["info", "warn", "error"]),
    texts | values,
    st.dictionaries(texts, values, max_size=3),
)
reported = st.builds(
    lambda done, total, message: lambda step: step.progress(done, total, message),
    integers | floats | values,
    st.none() | integers | floats | values,
    st.none() | texts | values,
)
failed = st.builds(
    lambda name, kind, value: lambda step: step.run(f"fail {name}", _raise, kind, value),
    texts,
    errors,
    values,
)
calls = logged | reported | failed | (logged | reported).map(in_a_thread)
results = st.tuples(st.just("result"), texts, values)
programs = st.lists(calls | results, max_size=8)


@contextmanager
def integers_of_any_length(wanted: bool) -> Iterator[None]:
    before = sys.get_int_max_str_digits()
    if wanted:
        sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


class Played:
    """A program of calls as a job: what each step gave back, in the attempt that is being made."""

    def __init__(self, program: list[Any], *, any_integers: bool) -> None:
        self._program, self._any_integers = program, any_integers
        self.given: dict[str, Any] = {}
        self.called: list[str] = []
        self.mended = False

    def __call__(self, step: Step, payload: Any) -> str:
        with integers_of_any_length(self._any_integers):
            for each in self._program:
                if isinstance(each, tuple):
                    self._take(step, *each[1:])
                else:
                    _quietly(each, step)
        if not self.mended:
            raise RuntimeError("not yet")
        return "done"

    def _take(self, step: Step, name: str, value: object) -> None:
        def call() -> object:
            self.called.append(name)
            return value

        try:
            self.given[name] = step.run(name, call)
        except (StepError, ValueError, KeyError, RecursionError):
            pass


labels = st.dictionaries(texts, texts, max_size=2)


@given(
    programs,
    st.booleans(),
    values,
    st.none() | texts,
    st.none() | texts,
    labels,
)
@settings(max_examples=150)
@example([lambda step: step.progress(1e19)], False, {}, None, None, {})
@example([lambda step: step.progress(2**64, 2**65)], False, {}, None, None, {})
@example([lambda step: step.log.info("x", by={1: "a", "1": "b"})], False, {}, None, None, {})
@example([], False, {}, None, None, {Word("x"): "1", Word("x"): "2"})
@example([], False, {}, Word("k"), Word("k"), {Word("x"): Word("1")})
@example([("result", "a", 10**5000), ("result", "b", 1)], True, {}, None, None, {})
@pytest.mark.long
def test_what_the_api_takes_a_reader_gives_back(
    program: list[Any],
    any_integers: bool,
    input: Any,
    idempotency_key: str | None,
    concurrency_key: str | None,
    labels: dict[str, str],
) -> None:
    played = Played(program, any_integers=any_integers)
    job = define_job(name="played")(_plain(played))
    with tempfile.TemporaryDirectory() as folder, _data_folder(folder):
        try:
            with integers_of_any_length(any_integers):
                run: Run[Any] = job.trigger(
                    input,
                    idempotency_key=idempotency_key,
                    concurrency_key=concurrency_key,
                    labels=labels,
                )
        except DurablyError:
            assert not list(Path(folder).rglob("*.jsonl")), "it was refused before there was a run"
            return
        store = stores.open_store(places.find_project(start=Path(__file__).parent))
        _check_readable(store, run.id)
        assert run.status == "failed"
        _check_replayed(store, run.id, job, played)


@pytest.mark.parametrize("labels", [{Word("x"): "1", Word("x"): "2"}, {Silent(): "1"}, ["x"], 5])
def test_labels_that_are_none_are_refused_with_what_is_wrong(labels: Any, tmp_path: Path) -> None:
    job = define_job(name="played")(_plain(Played([], any_integers=False)))
    with _data_folder(str(tmp_path)), pytest.raises(UsageError, match="label"):
        job.trigger({}, labels=labels)


def test_a_line_near_the_end_of_the_stack_is_written_or_python_says_why(tmp_path: Path) -> None:
    data = json.loads("[" * 50 + "]" * 50)

    def deep(step: Step, more: int) -> None:
        if more:
            deep(step, more - 1)
        else:
            step.log.info("deep", data=data)

    def handler(step: Step, payload: dict[str, int]) -> int:
        refused = 0
        for room in range(5, 100):
            try:
                deep(step, sys.getrecursionlimit() - _depth() - room)
            except RecursionError:
                refused += 1
        return refused

    job = define_job(name="deep")(handler)
    with _data_folder(str(tmp_path)):
        run = job.trigger({})
        assert run.output > 0
        store = stores.open_store(places.find_project(start=Path(__file__).parent))
        _check_readable(store, run.id)


def _depth() -> int:
    """How many calls the caller's stack holds."""
    depth, frame = 0, sys._getframe(1)
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def _plain(played: Played) -> Callable[[Step, Any], str]:
    def handler(step: Step, payload: Any) -> str:
        return played(step, payload)

    return handler


def _check_readable(store: Store, run_id: str) -> None:
    """Every line is as strict as JSON gets, and whatever shows the run can show it."""
    with store.view(run_id) as view:
        shown = io.StringIO()
        rows.write_run(view, shown)
        rows.write_run_json(view, shown)
        with view.open() as file:
            for line in file:
                fields = json.loads(line, parse_constant=pytest.fail, object_pairs_hook=list)
                assert all(abs(value) < 2**63 for name, value in fields if name == "ms")
                assert math.isfinite(dict(fields).get("current", 0))
        fd = os.open(view.path, os.O_RDONLY)
        try:
            assert len(list(JournalReader(fd, view.path, run_id))) == len(list(view.events()))
        finally:
            os.close(fd)


def _check_replayed(store: Store, run_id: str, job: Any, played: Played) -> None:
    """The next attempt is given what the first one was, and calls nothing of it again."""
    first, played.given = played.given, {}
    called, played.called = played.called, []
    played.mended = True
    ended = resume(store, run_id, lambda _: job, _Nobody())
    with store.view(ended.run_id) as view:
        assert view.status == "completed"
    assert repr(played.given) == repr(first)
    assert not set(played.called) & set(first), "a step that was acknowledged is not called again"
    assert set(first) <= set(called)
    _check_readable(store, run_id)


class _Nobody:
    def recorded(self, event: object) -> None: ...
    def replayed(self, name: str) -> None: ...
    def owns(self, run: object) -> None: ...
    def waits_for_run(self, view: object) -> None: ...
    def waits_for_key(self, run_id: str, key: str) -> None: ...
    def waits_for_programs(self, run_id: str) -> None: ...


@contextmanager
def _data_folder(folder: str) -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("DURABLY_DATA_DIR", folder)
    patch.setenv("DURABLY_CACHE_DIR", f"{folder}/cache")
    try:
        yield
    finally:
        patch.undo()
