"""Pings: a URL is called as jobs begin and end, so that who listens knows when one stays away."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from durably_cli.project.settings import is_web_address, of_variable
from durably_cli.system.aside import run_aside

PING_SECONDS = 5.0
"""How long it may take."""

_PROGRAM = Path(__file__).parents[1] / "system" / "ping.py"

START, SUCCESS, FAILURE = "/start", "", "/fail"
"""What is appended to the URL's path, as healthchecks.io and others have it."""


def ping(urls: Mapping[str, str], job: str, what: str, run_id: str, folder: Path) -> str:
    """Call the URL of a job, if it has one; what went wrong with that, without the URL."""
    url, missing = of_variable(urls.get(job) or urls.get("", ""))
    if missing or not url:
        return missing
    if not is_web_address(url):
        return "what its variable holds is no URL of http or https"
    words = (sys.executable, "-I", "-S", str(_PROGRAM))
    given = _address(url, job, what, run_id).encode()
    came = run_aside(sys.executable, words, given, PING_SECONDS, folder=str(folder), variables={})
    return came.printed if came.code == 1 and came.printed else came.said(PING_SECONDS)


def _address(url: str, job: str, what: str, run_id: str) -> str:
    parts = urlsplit(url.replace("{job}", quote(job, safe="")))
    query = f"{parts.query}&rid={run_id}" if parts.query else f"rid={run_id}"
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + what, query=query, fragment=""))
