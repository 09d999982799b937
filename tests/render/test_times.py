"""Times say their zone: local on a screen and in a picture, UTC in a pipe, a mail and a program."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from tests.conftest import DURABLY, Project
from tests.harness.terminals import TerminalWith

ZONES = {"+05:30": "IST-5:30", "-03:30": "NST3:30"}
"""What the variable TZ is there, in the form that needs no list of zones."""

JOB = """
@define_job
def fails(step: Step, payload: dict) -> None:
    step.log.warn("here")
    raise OSError("not yet")
"""


def _moments(shown: str, offset: str) -> set[datetime]:
    """The moments in what is shown, all of which have this offset."""
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    found = re.findall(f"{moment}(?:Z|[+-][0-9:]+)?", shown)
    assert all(re.fullmatch(moment + re.escape(offset), each) for each in found), found
    return set(map(datetime.fromisoformat, found))


@pytest.mark.parametrize("offset", ZONES)
def test_every_time_says_its_zone(project: Project, offset: str) -> None:
    project.job(JOB)
    project.env["TZ"] = ZONES[offset]
    trigger = ("trigger", "fails", "--idempotency-key", "k")
    mails = [project.run(*trigger, "-q", expect=1).err for _ in range(2)]
    piped = project.run(*trigger, expect=1).err
    with TerminalWith(project, *DURABLY, *trigger) as terminal:
        screen = terminal.read()
    with TerminalWith(project, *DURABLY, "logs", "@last") as terminal:
        assert re.search(rf"\d\d:\d\d:\d\d{re.escape(offset)} ", terminal.read())
    run = project.inspect()
    zone = datetime.fromisoformat(f"2026-01-01T00:00:00{offset}").tzinfo
    created, ended, started, logged = (
        datetime.fromisoformat(at).astimezone(zone)
        for at in (
            *(run["created"], run["ended"], run["attempts"][0]["started"]),
            json.loads(project.run("logs", "@last", "--json").out)["at"],
        )
    )
    assert _moments(mails[0], "Z") == {started.replace(microsecond=0)}
    assert f" {logged.astimezone(UTC):%H:%M:%S}Z warn  here" in mails[0]
    assert _moments(mails[1], "Z") == {each.replace(microsecond=0) for each in (started, ended)}
    assert _moments(piped, "Z") == _moments(screen, offset) == {ended.replace(microsecond=0)}

    page = project.run("inspect", "@last", "--html", "-").out
    assert f"<dd>{created.isoformat(' ', 'seconds')}</dd>" in page
    assert f"<dd>UTC{offset}, as " in page
    assert f"<th>{started:%F %T}, failed</th>" in page
    assert f">{logged.isoformat(timespec='milliseconds')[11:23]}</td>" in page
    picture = project.run("inspect", "@last", "--svg", "-").out
    assert f">{started.isoformat(' ', 'seconds')}</tspan>" in picture

    project.run("delete", "@last", "--status", "failed", "--yes")
    with TerminalWith(project, *DURABLY, "verify") as terminal:
        assert len(_moments(terminal.read(), offset)) == 1, "when a run of a key was deleted"
