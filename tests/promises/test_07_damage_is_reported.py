"""Damage is reported with file, line, byte and reason; nothing is skipped silently."""

from __future__ import annotations

import random

from tests.conftest import Project

JOB = """
@define_job
def job(step: Step, payload: dict) -> None:
    for n in range(4):
        step.run(f"step {n}", effect, n)
    raise ValueError("to be resumed")
"""


def test_any_byte_that_changes_is_found_by_every_command_that_relies_on_it(
    project: Project,
) -> None:
    project.job(JOB)
    project.run("trigger", "job", expect=1)
    journal = project.journal()
    whole = journal.read_bytes()
    for place in random.Random(7).sample(range(len(whole) - 1), 4):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        journal.write_bytes(damaged)
        line = whole.count(b"\n", 0, place) + 1
        for words in ("verify", "inspect @last", "resume @last"):
            reported = project.run(*words.split(), expect=74)
            said = reported.out + reported.err
            assert f"line {line}" in said or f"line {line - 1}" in said
            assert "byte" in said
        assert journal.read_bytes() == damaged
    journal.write_bytes(whole)
    project.run("verify")
