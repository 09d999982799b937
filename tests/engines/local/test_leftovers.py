"""What a run's programs have left, as a resume and a cancel find it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from durably_cli.engines.local import leftovers
from durably_cli.errors import Busy
from durably_cli.journal.outputs import folder_of
from durably_cli.system.programs import Launch, Programs
from tests.harness.trees import left_of, supervisors_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux shows who they are")


def test_what_a_supervisor_cannot_end_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PATIENCE_SECONDS", 0.1)
    journal = tmp_path / f"{os.getpid()}-run.jsonl"
    programs = Programs(folder_of(journal), journal.stem)
    null = os.open(os.devnull, os.O_RDWR)
    launch = Launch("/usr/bin/env", ["env", "-i", "sleep", "600"], {}, "/")  # it shows no mark
    channel, _ = programs.launch(launch, [null, null, null])
    os.close(null)
    (supervisor,) = supervisors_of(journal.stem)
    while not (left := leftovers.supervised(journal.stem)) or left[0].command != "sleep 600":
        pass
    os.kill(int(supervisor), signal.SIGSTOP)  # as good as one that may not end it
    try:
        with pytest.raises(Busy, match="cannot be ended by this user") as caught:
            leftovers.refuse_leftovers(journal, end=True)
        assert caught.value.hint == f"sudo kill -9 {left[0].pid}"
    finally:
        os.kill(int(supervisor), signal.SIGCONT)
        channel.close()
        programs.close()
    assert left_of([supervisor]) == []
    leftovers.refuse_leftovers(journal, end=False)
