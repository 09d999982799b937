"""Lines of others as they are shown: without what may be a secret in them."""

from __future__ import annotations

import re

from durably_cli.project.naming import NAME_VARIABLE
from durably_cli.project.places import PROJECT_VARIABLE
from durably_cli.project.settings import ENGINE_VARIABLE
from durably_cli.system.folders import CACHE_VARIABLE, DATA_VARIABLE

OPEN_VARIABLES = (
    *(DATA_VARIABLE, CACHE_VARIABLE, PROJECT_VARIABLE, NAME_VARIABLE, ENGINE_VARIABLE),
    *("DURABLY_QUIET", "HOME", "LANG", "MAILTO", "PATH", "SHELL", "TZ"),
)
"""The variables in which there is no secret."""

_WORD = r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\]|['"].*)"""
_ASSIGNED = re.compile(
    r"(?<![\w-])(?P<name>[A-Z_][A-Z0-9_]*|(?i:\w*(?:password|passwd|secret|token|key)))"
    rf"(?P<is>\s?=\s?)(?P<value>{_WORD}+)"
)
_QUOTED = re.compile(r"""(?P<quote>['"])(?P<name>[A-Z_][A-Z0-9_]*)=.*?(?P=quote)""")
_BEFORE_A_HOST = re.compile(r"(?<=://)[^\s'\"]*@")


def without_secrets(line: str) -> str:
    """A line of a crontab or a unit: values of variables are cut, and of URLs all but the host."""
    line = _QUOTED.sub(_cut_quoted, line)
    line = _ASSIGNED.sub(_cut, line)
    return without_paths(_BEFORE_A_HOST.sub("...@", line))


def without_paths(text: str) -> str:
    """The text, of whose URLs only the hosts are left."""
    return re.sub(r"(https?://)(?:[^\s/'\"]*@)?([^\s/?#'\"]+)[^\s'\"]*", r"\1\2/...", text)


def _cut(found: re.Match[str]) -> str:
    return found[0] if found["name"] in OPEN_VARIABLES else f"{found['name']}{found['is']}..."


def _cut_quoted(found: re.Match[str]) -> str:
    if found["name"] in OPEN_VARIABLES:
        return found[0]
    return f"{found['quote']}{found['name']}=...{found['quote']}"
