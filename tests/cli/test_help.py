"""The pages of `durably help` on a terminal."""

from __future__ import annotations

import re
import sys
from textwrap import dedent

from durably_cli.cli.help import TOPICS, page
from tests.conftest import Project
from tests.harness.terminals import TerminalWith

SHOW_ALL = "from durably_cli.cli.help import *; [run_help(topic) for topic in TOPICS]"


def test_code_is_shown_line_by_line_as_it_is_pasted(project: Project) -> None:
    with TerminalWith(project, sys.executable, "-c", SHOW_ALL, COLUMNS="80") as terminal:
        shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.read())
    lines = {line.strip() for line in shown.splitlines()}
    for topic in TOPICS:
        for code in re.findall(r"^ *```\w*\n(.*?)^ *```$", page(topic), re.MULTILINE | re.DOTALL):
            missing = [line for line in dedent(code).splitlines() if line.strip() not in lines]
            assert not missing, f"{topic}: {missing}"
