"""Output holds no control bytes but newline, tab and our own colours, and those on a terminal."""

from __future__ import annotations

import re

import pytest

from tests.cli.commands.test_list import on_a_terminal
from tests.conftest import Project

JOB = """
ODD = "a\\x1b[31mb\\x07c\\x9bd\\u202ee\\rf"

@define_job
def job(step: Step, payload: dict) -> str:
    step.log.warn(ODD, data=ODD)
    step.run(ODD, lambda: ODD)
    raise ValueError(ODD)
"""
LOOKING = ("list", "inspect @last", "logs @last", "resume @last", "verify")


@pytest.mark.parametrize("words", LOOKING)
def test_whatever_a_run_holds(project: Project, words: str) -> None:
    project.job(JOB)
    project.run("trigger", "job", "--label", "odd=a\x1b[31mb", expect=1)
    piped = project.run(*words.split(), expect=None)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", piped.out + piped.err)
    shown = on_a_terminal(project, *words.split())
    ours = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\]8;[^\x1b]*\x1b\\", "", shown)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", ours)
