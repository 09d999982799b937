"""Output holds no control bytes but newline, tab and our own colours, and those on a terminal."""

from __future__ import annotations

import json
import re

import pytest

from durably_cli.journal import codec
from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project

JOB = """
ODD = "a\\x1b[31mb\\x07c\\x9bd\\u202ee\\rf\\x7fg"

@define_job
def job(step: Step, payload: dict) -> str:
    step.log.warn(ODD, data=ODD)
    step.run(ODD, lambda: ODD)
    if step.attempt > 2:
        return ODD
    raise ValueError(ODD)
"""
LOOKING = ("list", "inspect @last", "logs @last", "resume @last", "verify")
ODD = "a\x1b[31mb\x07c\x9bd\u202ee\rf\x7fg"
IN_JSON = ("list --json", "inspect @last --json", "inspect @last --events", "logs @last --json")
AS_PICTURES = ("inspect @last --html -", "inspect @last --svg -")


@pytest.mark.parametrize("words", LOOKING)
def test_whatever_a_run_holds(project: Project, words: str) -> None:
    project.job(JOB)
    project.run("trigger", "job", "--label", "odd=a\x1b[31mb", expect=1)
    piped = project.run(*words.split(), expect=None)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", piped.out + piped.err)
    shown = on_a_terminal(project, *words.split())
    ours = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\", "", shown)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", ours)
    assert "e\rf" not in ours


def test_json_and_pictures_of_whatever_a_run_holds(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "job", "-p", "odd=\x7f", expect=1)
    step = ("inspect", "@last", "--step", ODD)
    for words in (*map(str.split, (*IN_JSON, *AS_PICTURES)), step):
        out = project.run(*words).out
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out), words
    assert json.loads(project.run(*step).out) == ODD, "it says the same"
    project.run("resume", "@last", expect=1)
    done = project.run("resume", "@last")
    assert json.loads(done.out) == ODD
    assert "\x7f" not in done.out + done.err


def test_a_journal_whose_lines_hold_what_durably_writes_in_none(project: Project) -> None:
    project.job("@define_job\ndef job(step: Step, payload: dict) -> None: step.run('a', int)\n")
    project.run("trigger", "job")
    path = project.journal()
    crc, forged = codec.seed(path.stem), b""
    for line in path.read_bytes().splitlines():
        text = (
            line[: -codec.CRC_BYTES]
            .decode()
            .replace(',"at":', ',\r\t"at":')
            .replace('"a"', '"a\x7f"')
        )
        data, crc = codec.sealed(text, crc)
        forged += data
    path.write_bytes(forged)
    out = project.run("inspect", "@last", "--events").out
    assert "\r" not in out and "\x7f" not in out
    assert len(list(map(json.loads, out.splitlines()))) == 5
