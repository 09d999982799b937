"""A replay: replaying.py JOURNAL prints how long reading it takes, and until all is handed back.

As `durably resume` does it, less what is done once: the start, the copy and the sync of the file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from durably_cli.engines.local.journal_files import JournalFiles
from durably_cli.engines.local.view import fold_reading
from durably_cli.engines.past import gather, past_of
from durably_cli.journal.reader import JournalReader
from durably_cli.journal.step_events import StepStarted
from durably_cli.steps.step import Step


def user(number: int) -> object:
    """A step that must not be executed."""
    raise AssertionError(f"step {number} is executed again")


def main(path: Path) -> None:
    """Print how long it took."""
    fd = os.open(path, os.O_RDONLY)
    number = sum(isinstance(event, StepStarted) for event in JournalReader(fd, path, path.stem))
    begun = time.perf_counter()
    written = JournalFiles(path)
    past = past_of(written)
    fold_reading(gather(JournalReader(fd, path, path.stem), past, written), path)
    read = time.perf_counter() - begun
    step = Step(past.results)
    for each in range(number):
        step.run(f"step-{each}", user, each)
    print(json.dumps({"read": read, "handed_back": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
