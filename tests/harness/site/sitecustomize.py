"""What Python imports at its start if this folder is on PYTHONPATH: it makes what tests need."""

from __future__ import annotations

import os
import select
import sys
import time


def sleep(seconds: float) -> None:
    """Sleep by another system call: under libfaketime that of `time.sleep` is an error."""
    select.select([], [], [], seconds)


if "FAKETIME_TIMESTAMP_FILE" in os.environ:
    time.sleep = sleep  # type: ignore[assignment]

if "SEEDED_BUG" in os.environ:
    try:
        from tests.harness.seeded_bugs import bug_named

        bug_named(os.environ["SEEDED_BUG"]).install()
    except Exception as error:  # of which Python would say a word, and go on
        sys.exit(f"the seeded bug cannot be seeded: {error!r}")
