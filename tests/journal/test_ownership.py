"""The journal as its owner writes it: real files, real locks, real children, a real full disk."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.errors import Busy, Forbidden, JournalLost
from durably_cli.journal import ownership
from durably_cli.journal.events import FORMAT, LogWritten, RunCreated
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.step_events import StepCompleted, StepStarted
from durably_cli.journal.writer import Journal
from durably_cli.system import files, locks
from durably_cli.values.strict_json import Json
from tests.harness.strategies import RUN

AT = "2026-11-23T03:00:00.123Z"
CREATED = RunCreated(FORMAT, RUN, "job", Json("{}"), AT)
DONE = StepCompleted("one", 1, Json('"result"'), AT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "tmp").mkdir()
    return tmp_path / f"{RUN}.jsonl"


def create(path: Path) -> Journal:
    made = ownership.create_journal(path, path.parent / "tmp", CREATED)
    assert made is not None
    return made


def events(path: Path) -> list[object]:
    fd = os.open(path, os.O_RDONLY)
    try:
        return list(JournalReader(fd, path, RUN))
    finally:
        os.close(fd)


def take_over(path: Path) -> tuple[Journal, str | None]:
    lock = ownership.hold(path)
    reading = JournalReader(lock.fd, path, RUN)
    list(reading)
    return ownership.take_over(lock, reading, path, path.parent / "tmp")


def is_held(path: Path) -> bool:
    fd = os.open(path, os.O_RDONLY)
    try:
        return locks.is_held(fd)
    finally:
        os.close(fd)


def test_a_new_journal_is_held_private_and_holds_its_first_line(path: Path) -> None:
    old = os.umask(0)
    try:
        with create(path):
            assert is_held(path)
            assert events(path) == [CREATED]
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
    assert not is_held(path)
    assert list((path.parent / "tmp").iterdir()) == []


def test_a_name_that_is_taken_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    assert ownership.create_journal(path, path.parent / "tmp", CREATED) is None
    assert path.read_text() == "mine"
    assert list((path.parent / "tmp").iterdir()) == []


@pytest.mark.parametrize("make", [create, take_over], ids=lambda make: make.__name__)
def test_a_folder_that_cannot_be_synced_leaves_the_journal_whole_and_held_by_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object]
) -> None:
    if make is take_over:
        create(path).close()

    def failing(folder: Path) -> None:
        raise OSError(errno.EIO, "I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_folder", failing)
        with pytest.raises(OSError, match="I/O error"):
            make(path)
    assert events(path) == [CREATED]
    assert list((path.parent / "tmp").iterdir()) == []
    ownership.hold(path).close()


def test_what_is_appended_is_read_back(path: Path) -> None:
    with create(path) as made:
        made.append(StepStarted("one", AT))
        made.append(DONE)
        assert events(path) == [CREATED, StepStarted("one", AT), DONE]


def test_a_journal_that_is_taken_over_goes_on_with_the_chain_in_a_new_file(path: Path) -> None:
    with create(path) as made:
        made.append(StepStarted("one", AT))
    inode = path.stat().st_ino
    with take_over(path)[0] as taken:
        taken.append(DONE)
        assert path.stat().st_ino != inode
        assert is_held(path)
    assert events(path) == [CREATED, StepStarted("one", AT), DONE]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_tail_is_dropped_and_kept_beside_if_a_whole_line_is_in_it(path: Path) -> None:
    with create(path) as made:
        made.append(DONE)
    whole = path.read_bytes()

    path.write_bytes(whole + b'{"seq":2,"type":"st')
    taken, kept = take_over(path)
    taken.close()
    assert kept is None
    assert path.read_bytes() == whole

    torn = whole + bytes(600) + b"\n" + b"x"
    path.write_bytes(torn)
    taken, kept = take_over(path)
    taken.close()
    assert kept is not None
    assert (path.parent / kept).read_bytes() == torn
    assert path.read_bytes() == whole


def test_a_record_that_lacks_its_newline_is_given_one(path: Path) -> None:
    with create(path) as made:
        made.append(StepStarted("one", AT))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with take_over(path)[0] as taken:
        taken.append(DONE)
    assert events(path) == [CREATED, StepStarted("one", AT), DONE]


def test_an_append_that_fails_leaves_nothing_of_itself_and_ends_the_journal(path: Path) -> None:
    made = create(path)
    made.append(DONE)
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, old[1]))
    try:
        with pytest.raises(JournalLost, match="the result of step 'two' was not saved"):
            made.append(StepCompleted("two", 1, Json('"' + "x" * 100 + '"'), AT))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert path.read_bytes() == before
    assert not is_held(path)
    with pytest.raises(JournalLost, match="an append to it failed before"):
        made.append(DONE)
    assert path.read_bytes() == before


def test_a_descriptor_that_was_closed_or_reused_is_never_written_to(path: Path) -> None:
    made = create(path)
    other = path.parent / "other"
    for fd in range(3, 1024):
        try:
            if os.path.samestat(os.fstat(fd), path.stat()):
                os.close(fd)
                break
        except OSError:
            continue
    taken = os.open(other, os.O_RDWR | os.O_CREAT)
    assert taken == fd
    with pytest.raises(JournalLost, match="no longer open"):
        made.append(DONE)
    assert other.read_bytes() == b""
    os.fstat(taken)
    os.close(taken)


def test_a_journal_that_another_program_changed_is_never_appended_to(path: Path) -> None:
    made = create(path)
    with path.open("ab") as file:
        file.write(b"\n")
    before = path.read_bytes()
    with pytest.raises(JournalLost, match="was changed by another program"):
        made.append(DONE)
    assert path.read_bytes() == before


def test_a_journal_that_was_removed_ends_the_run(path: Path) -> None:
    made = create(path)
    path.unlink()
    with pytest.raises(JournalLost, match="was removed or replaced"):
        made.append(DONE)


def test_a_forked_child_neither_writes_nor_keeps_the_run_held(path: Path) -> None:
    made = create(path)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            made.append(DONE)
        except JournalLost:
            os.write(ready[1], b"x")
            os.read(go[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"x"
    assert is_held(path), "the child has not let go of its parent's lock"
    assert events(path) == [CREATED]
    made.append(DONE)
    made.close()
    assert not is_held(path), "the child does not hold it"
    os.write(go[1], b"x")
    os.waitpid(child, 0)


def test_a_held_journal_is_busy_and_free_when_its_process_is_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = os.pipe()
    child = os.fork()
    if child == 0:
        held = create(path)
        os.write(ready[1], b"x")
        signal.pause()
        held.close()
        os._exit(0)
    os.read(ready[0], 1)
    monkeypatch.setattr(ownership, "PATIENCE_SECONDS", 0.05)
    with pytest.raises(Busy, match="held by another process"):
        ownership.hold(path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    ownership.hold(path).close()


def test_waiting_for_what_this_process_holds_is_an_error_at_once(path: Path) -> None:
    with create(path), pytest.raises(Busy, match="this very process"):
        ownership.hold(path, forever=True)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_not_a_regular_file_is_not_opened(path: Path, kind: str) -> None:
    if kind == "link":
        target = path.parent / "target"
        target.write_text("x")
        path.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(Forbidden, match="not a regular file"):
        ownership.hold(path)


def test_who_waited_for_a_journal_that_was_replaced_gets_the_new_one(path: Path) -> None:
    create(path).close()
    ready = os.pipe()
    child = os.fork()
    if child == 0:
        lock = ownership.hold(path)
        reading = JournalReader(lock.fd, path, RUN)
        list(reading)
        os.write(ready[1], b"x")
        time.sleep(0.5)  # meanwhile the parent waits for the old file
        ownership.take_over(lock, reading, path, path.parent / "tmp")[0].close()
        os._exit(0)
    os.read(ready[0], 1)
    lock = ownership.hold(path, forever=True)
    assert lock.names(path)
    os.waitpid(child, 0)
    lock.close()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that make bytes and names durable, as they come; they are made as well."""
    made: list[str] = []

    def spy(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            made.append(name)
            return real(*args, **options)

        return call

    for name in ("fdatasync", "fsync", "link", "rename"):
        monkeypatch.setattr(os, name, spy(name, getattr(os, name)))
    return made


def test_results_are_synced_and_log_lines_are_not(path: Path, calls: list[str]) -> None:
    made = create(path)
    calls.clear()
    made.append(StepStarted("one", AT))
    made.append(LogWritten("info", "hello", AT))
    assert calls == []
    made.append(DONE)
    assert calls == ["fdatasync"]


def test_bytes_are_synced_before_they_get_their_name_and_names_after(
    path: Path, calls: list[str]
) -> None:
    create(path).close()
    assert calls == ["fdatasync", "link", "fsync"]
    calls.clear()
    take_over(path)[0].close()
    assert calls == ["fdatasync", "rename", "fsync"]
    calls.clear()
    lines = path.read_bytes()
    path.write_bytes(lines + b'{"seq":1,"type":"log.wr' + bytes(1200) + b"\n")
    assert take_over(path)[1] is not None
    assert calls == ["fdatasync", "link", "fsync", "fdatasync", "rename", "fsync"]


def test_each_repair_keeps_an_original_of_its_own(path: Path) -> None:
    for number in (1, 2):
        create(path).close()
        lock = ownership.hold(path)
        assert ownership.keep_original(lock, path, "damaged").endswith(f".damaged-{number}")
        lock.close()
        path.unlink()


def test_a_child_that_c_code_forks_appends_nothing(path: Path) -> None:
    made = create(path)
    before = path.read_bytes()
    child = ctypes.PyDLL(None).fork()  # Python hears nothing of it
    if child == 0:
        try:
            made.append(DONE)
        except JournalLost:
            os._exit(7)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_bytes() == before
    made.append(DONE)
    made.close()
