"""Claims and turns, between real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from durably_cli.engines.local.claims import Claim, Claims
from durably_cli.engines.local.turns import Turn
from durably_cli.errors import Busy, JournalError
from durably_cli.system import ids

ONE, TWO = ids.new(), ids.new()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def in_child(do: Callable[[], object]) -> None:
    """Call it in a process of its own, which must not fail."""
    child = os.fork()
    if child == 0:
        try:
            do()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_first_claim_stands(root: Path) -> None:
    claims = Claims(root)
    assert claims.find("job", "key") is None
    assert claims.make("job", "key", Claim(ONE, "a" * 64))
    assert not claims.make("job", "key", Claim(TWO, "b" * 64))
    assert claims.find("job", "key") == Claim(ONE, "a" * 64)
    assert claims.find("other", "key") is None
    assert list((root / "tmp").iterdir()) == []


@pytest.mark.parametrize("key", ["../../x", "a/b", "\x00", "..", "k" * 10_000, "\udcff", "job\x1f"])
def test_a_key_touches_no_path(root: Path, key: str) -> None:
    claims = Claims(root)
    assert claims.make("job", key, Claim(ONE, "a" * 64))
    assert claims.find("job", key) == Claim(ONE, "a" * 64)
    (name,) = os.listdir(root / "keys")
    assert len(name) == 64
    assert set(name) <= set("0123456789abcdef")


def test_job_and_key_do_not_run_into_each_other(root: Path) -> None:
    claims = Claims(root)
    assert claims.make("a", "b-c", Claim(ONE, ""))
    assert claims.find("a-b", "c") is None


@pytest.mark.parametrize("text", ["", "{}", "nonsense", '{"run":"../x","input_sha256":""}', "[]"])
def test_a_claim_that_cannot_be_read_is_an_error_that_names_it(root: Path, text: str) -> None:
    claims = Claims(root)
    claims.make("job", "key", Claim(ONE, ""))
    (path,) = (root / "keys").iterdir()
    path.write_text(text)
    with pytest.raises(JournalError, match=str(path)):
        claims.find("job", "key")


def test_a_key_is_taken_by_one_and_waited_for_by_one(root: Path) -> None:
    mine = Turn(root, "db")
    assert mine.take_slot() is None
    assert mine.take_key(ONE) is None
    ready, go = os.pipe(), os.pipe()
    waiter = os.fork()
    if waiter == 0:
        theirs = Turn(root, "db")
        assert theirs.take_slot() is None
        assert theirs.take_key(TWO) == ONE
        os.write(ready[1], b"x")
        theirs.wait_for_key(TWO)
        os.write(ready[1], b"y")
        os.read(go[0], 1)
        os._exit(0)
    assert os.read(ready[0], 1) == b"x"

    def third() -> None:
        waiting = None
        while waiting is None:  # until the waiter has said so
            waiting = Turn(root, "db").take_slot()
        assert waiting == TWO

    in_child(third)
    mine.release()
    assert os.read(ready[0], 1) == b"y", "the waiter has its turn"

    def fourth() -> None:
        key = Turn(root, "db")
        assert key.take_slot() is None, "the slot is free again"
        assert key.take_key(ONE) == TWO

    in_child(fourth)
    os.kill(waiter, signal.SIGKILL)
    os.waitpid(waiter, 0)
    again = Turn(root, "db")
    assert again.take_slot() is None
    assert again.take_key(ONE) is None, "a dead holder holds nothing"
    again.release()


def test_waiting_for_a_key_of_this_process_is_an_error_at_once(root: Path) -> None:
    mine = Turn(root, "db")
    mine.take_slot()
    mine.take_key(ONE)
    with pytest.raises(Busy, match="this very process"):
        Turn(root, "db").take_slot()
    mine.release()


def test_other_keys_are_not_touched(root: Path) -> None:
    one, two = Turn(root, "one"), Turn(root, "two")
    for key in (one, two):
        assert key.take_slot() is None
        assert key.take_key(ONE) is None
    one.release()
    two.release()
