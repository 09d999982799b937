"""Requests to a run: left by anybody, at any moment."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from durably_cli.engines.local.inbox import CancelRequest, Inbox

ASKED = CancelRequest("ann", "2026-11-28T07:30:00.000Z")


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "run.jsonl")
    for reason in ("first", "second"):
        inbox.ask_to_cancel(ASKED._replace(reason=reason), tmp_path / "tmp")
    assert inbox.cancel() == ASKED._replace(reason="first")


def test_one_that_comes_while_the_run_ends_is_lost_and_no_error(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "run.jsonl")
    is_over = False

    def end_again_and_again() -> None:
        while not is_over:
            inbox.clear()

    thread = Thread(target=end_again_and_again)
    thread.start()
    try:
        for _ in range(300):
            inbox.ask_to_cancel(ASKED, tmp_path / "tmp")
    finally:
        is_over = True
        thread.join()
    assert not list((tmp_path / "tmp").iterdir())
    inbox.ask_to_cancel(ASKED, tmp_path / "tmp")
    assert inbox.cancel() == ASKED
