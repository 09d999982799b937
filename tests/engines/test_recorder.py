"""Events that are reported by many at once, in the middle of each other, and behind the end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from durably_cli.engines.recorder import Recorder
from durably_cli.errors import RunEnded, StepMisused
from durably_cli.journal.events import LogWritten, RunCompleted
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepStarted
from durably_cli.values.strict_json import Json
from tests.harness.memory_log import MemoryLog
from tests.harness.sample_journals import AT

THREADS, EACH = 8, 200


class Hooked(MemoryLog):
    """A log in memory that does something while it adds an event."""

    def __init__(self, hook: Callable[[Event], object]) -> None:
        super().__init__()
        self._hook = hook

    def add(self, event: Event) -> None:
        self._hook(event)
        super().add(event)


def unseen(_: Event) -> None:
    pass


def line(text: str) -> LogWritten:
    return LogWritten("info", text, AT)


def test_however_many_threads_report_one_event_is_shown_at_a_time_and_after_it_was_added() -> None:
    showing, shown = threading.Lock(), list[Event]()
    log = MemoryLog()

    def recorded(event: Event) -> None:
        assert showing.acquire(blocking=False), "two are shown at once"
        assert any(event is added for added in log.events[-2 * THREADS :])
        shown.append(event)
        showing.release()

    record = Recorder(log, recorded)
    threads = [
        threading.Thread(target=lambda: [record(line(str(n))) for n in range(EACH)])
        for _ in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shown) == len(log.events) == THREADS * EACH
    assert set(map(id, shown)) == set(map(id, log.events))


@contextmanager
def on_signal(call: object) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, lambda *_: call())  # type: ignore[operator]
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_a_signal_handler_reports_in_the_middle_of_an_event_follows_it() -> None:
    done: list[str] = []

    def append(event: Event) -> None:
        assert isinstance(event, LogWritten)
        done.append(f"begin {event.message}")
        if event.message == "outer":
            os.kill(os.getpid(), signal.SIGUSR1)
            signal.sigpending()  # the handler has run by now
        done.append(f"end {event.message}")

    record = Recorder(Hooked(append), unseen)
    with on_signal(lambda: record(line("inner"))):
        record(line("outer"))
    assert done == ["begin outer", "end outer", "begin inner", "end inner"]


def test_what_a_finalizer_reports_in_the_middle_of_an_event_follows_it() -> None:
    done: list[str] = []

    class Dying:
        def __del__(self) -> None:
            record(line("inner"))

    held = [Dying()]

    def append(event: Event) -> None:
        held.clear()
        assert isinstance(event, LogWritten)
        done.append(event.message)

    record = Recorder(Hooked(append), unseen)
    record(line("outer"))
    assert done == ["outer", "inner"]


def test_a_step_that_a_signal_handler_starts_in_the_middle_of_an_event_is_refused() -> None:
    raised: list[BaseException] = []

    def start() -> None:
        try:
            record(StepStarted("one", AT))
        except StepMisused as error:
            raised.append(error)

    found: list[Event] = []

    def append(event: Event) -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.sigpending()
        found.append(event)

    record = Recorder(Hooked(append), unseen)
    with on_signal(start):
        record(line("outer"))
    assert found == [line("outer")]
    assert len(raised) == 1


def test_nothing_is_recorded_behind_the_end() -> None:
    log = MemoryLog()
    found = log.events
    record = Recorder(log, unseen)
    record.end_with(RunCompleted(Json("1"), AT))
    raised: list[str] = []

    def report() -> None:
        for late in line("late"), StepStarted("late", AT):
            with pytest.raises(RunEnded, match="had ended") as caught:
                record(late)
            raised.append(str(caught.value))

    thread = threading.Thread(target=report)
    thread.start()
    thread.join()
    assert len(raised) == 2
    record(line("of an exit function"))  # the handler is no more: whoever reports is not in it
    with pytest.raises(RunEnded):
        record(StepStarted("late", AT))
    assert found == [RunCompleted(Json("1"), AT)]


def test_an_event_that_cannot_be_recorded_leaves_the_next_one_its_turn() -> None:
    found: list[Event] = []

    def append(event: Event) -> None:
        if event == line("bad"):
            raise OSError("no")
        found.append(event)

    record = Recorder(Hooked(append), unseen)
    with pytest.raises(OSError):
        record(line("bad"))
    record(line("good"))
    assert found == [line("good")]


def test_what_is_reported_while_the_end_is_recorded_comes_not_behind_it() -> None:
    found: list[Event] = []

    def append(event: Event) -> None:
        found.append(event)
        if isinstance(event, RunCompleted):
            record(line("of a signal handler"))

    record = Recorder(Hooked(append), unseen)
    record.end_with(RunCompleted(Json("1"), AT))
    assert found == [RunCompleted(Json("1"), AT)]


def test_the_end_waits_for_a_thread_that_is_recording() -> None:
    begun, go_on, found = threading.Event(), threading.Event(), list[Event]()

    def append(event: Event) -> None:
        begun.set()
        go_on.wait()
        found.append(event)

    record = Recorder(Hooked(append), unseen)
    thread = threading.Thread(target=lambda: record(line("slow")))
    thread.start()
    begun.wait()
    threading.Timer(0.05, go_on.set).start()
    record.end()
    assert found == [line("slow")]
    thread.join()
