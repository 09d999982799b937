"""Places that are not what they should be: links, pipes, devices, others' files, odd stories."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest

from durably_cli.engines.local.store import Store
from durably_cli.journal.events import (
    FORMAT,
    ErrorInfo,
    LogWritten,
    ProgressReported,
    RunCompleted,
    RunCreated,
    RunHasFailed,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepCompleted
from durably_cli.system import ids
from durably_cli.values.strict_json import Json
from tests.harness.forking import TriggerResult
from tests.harness.places import (
    HOSTILITIES,
    OLD_RUN,
    READING,
    STRANGER,
    WRITING,
    Home,
    looks,
    remove,
    unchanged,
)
from tests.harness.quick import sizes, some_quick
from tests.harness.strategies import lines_of

Count = Callable[[int], None]

FILES = ("project.json", "journal", "claim", "lock", "blob", "cache file")
FOLDERS = ("data", "store", "runs", "day", "keys", "locks", "tmp", "blobs", "cache")
LINKS = ("moved out", "link to another", "dangling")
NOT_PLAIN = ("moved out", "link to itself", "fifo", "socket", "null", "zero", "of the other kind")


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    """A folder that every user can go into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def mine(top: Path) -> Home:
    """The home of the one who runs the tests."""
    return Home(top / "mine")


@pytest.fixture(scope="module")
def strangers(top: Path, mine: Home) -> Home:
    """The home of a user who is not the superuser."""
    return Home(top / "strangers", STRANGER) if os.geteuid() == 0 else mine


def meet(home: Home, place: str, hostility: str, command: str) -> TriggerResult:
    """Run a command with one place made hostile; whatever it is, nothing outside is touched."""
    home.spoil(place, hostility)
    try:
        with unchanged(home.outside):
            ended = home.run(*home.words(command))
        assert command != "list --json" or ended.code or json.loads(ended.out)["schema"] == 1
    except AssertionError as error:
        raise AssertionError(f"{command} with {hostility} at {place}: {error}") from error
    return ended


def can_be_met(place: str, hostility: str) -> bool:
    """Who makes their data folder a link has it where the link leads."""
    return not (
        (hostility in LINKS and place in ("data", "cache"))
        or (hostility == "hard link" and place not in ("lock", "journal"))
        or (hostility == "of another" and os.geteuid() != 0)
    )


@pytest.mark.parametrize("user", ["mine", "strangers"])
@pytest.mark.parametrize("most", sizes(20, 1600))
def test_whatever_stands_in_a_place_does_no_harm(
    request: pytest.FixtureRequest, user: str, most: int, count: Count
) -> None:
    home: Home = request.getfixturevalue(user)
    pairs = [each for each in product((*FILES, *FOLDERS), HOSTILITIES) if can_be_met(*each)]
    cases = random.sample([*product(pairs, (*READING, *WRITING))], most)
    for (place, hostility), command in cases:
        meet(home, place, hostility, command)
    count(most)


@pytest.mark.parametrize("hostility", NOT_PLAIN)
def test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other(
    mine: Home, hostility: str, count: Count
) -> None:
    listed = meet(mine, "journal", hostility, "list")
    rows = {row.split("\t")[0]: row.split("\t") for row in listed.out.decode().splitlines()}
    assert list(rows) == [mine.victim, mine.kept, OLD_RUN]
    assert rows[mine.victim][2] == "unreadable"
    assert "is not a regular file" in rows[mine.victim][7]
    assert meet(mine, "journal", hostility, "inspect VICTIM").code == 77
    count(2)


def test_a_cache_that_never_ends_holds_nothing_up(mine: Home, count: Count) -> None:
    for hostility, command in product(("fifo", "zero"), ("jobs", "trigger work")):
        assert meet(mine, "cache file", hostility, command).code == 0
    count(4)


def test_a_claim_that_is_a_link_stands_for_no_run(mine: Home, count: Count) -> None:
    for command in ("trigger work --idempotency-key v -p fails:=true", "inspect key:work/v"):
        ended = meet(mine, "claim", "moved out", command)
        assert (ended.code, b"is not a regular file" in ended.err) == (77, True), ended
    count(2)


def test_a_place_that_cannot_be_read_hides_no_other(
    mine: Home, strangers: Home, count: Count
) -> None:
    cases = [(mine, "day", hostility) for hostility in NOT_PLAIN[1:]]
    for place in ("day", "journal", "keys", "locks", "tmp", "claim", "blobs", "cache"):
        cases.append((strangers, place, "without a mode"))
    for case in cases:
        assert OLD_RUN in meet(*case, "list").out.decode(), case[1:]
    count(len(cases))


def test_another_projects_store_is_no_hindrance(mine: Home, count: Count) -> None:
    """A new project looks for one that was moved, and so at all others' project.json."""
    new = mine.project.root.parent / "new project"
    (new / "jobs").mkdir(parents=True)
    for hostility in NOT_PLAIN:
        mine.spoil("project.json", hostility)
        assert mine.run("list", cwd=new).code == 0, hostility
    count(len(NOT_PLAIN))


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_folders_and_files_are_private_whatever_the_umask(
    strangers: Home, umask: int, count: Count
) -> None:
    strangers.restore()
    for part in (strangers.project.data, strangers.project.cache):
        remove(part)
    commands = (
        *("trigger work --idempotency-key v -p fails:=true", "trigger work --concurrency-key c"),
        *("import BUNDLE --adopt", "resume @failed", "delete key:work/v --status failed"),
        "import BUNDLE",
    )
    modes: dict[str, object] = {}
    for command in commands:
        strangers.run(*strangers.words(command), umask=umask)
        found = looks(strangers.project.data, strangers.project.cache)
        modes |= {name: look[0] for name, look in found.items()}
    assert set(modes.values()) == {"0o40700", "0o100600"}, modes
    count(len(commands))


_AT, _NEVER = "2026-01-06T00:00:00.000Z", "2026-99-99T99:99:99.999Z"
STORIES: dict[str, tuple[Event, ...]] = {
    "at no time": (RunCompleted(Json("1"), _NEVER),),
    "of an age of its own": (
        StepCompleted("a", 10**400, Json("1"), _AT),
        RunCompleted(Json("1"), _AT),
    ),
    "deep": (RunCompleted(Json("[" * 900 + "]" * 900), _AT),),
    "beyond all numbers": (ProgressReported(10**400, _AT, 1, "x"),),
    "of a level of its own": (LogWritten("\x1b[8m", "x", _AT, data={"a": {"b": [None]}}),),
    "of an empty error": (RunHasFailed(ErrorInfo("", "", ""), _AT),),
    "of a large number": (RunCompleted(Json("1e999999"), _AT),),
}
"""What no durably writes, under the right checksums."""


@pytest.mark.parametrize("story", some_quick(STORIES, 3))
def test_a_run_with_an_odd_story_hides_no_other(mine: Home, story: str, count: Count) -> None:
    mine.restore()
    created = RunCreated(FORMAT, ids.new(), "work", Json("{}"), _AT)
    journal = Store(mine.store).create(created)
    assert journal is not None
    journal.close()
    at = _NEVER if story == "at no time" else _AT
    events = [created._replace(at=at), RunStarted(1, 1, "host", at), *STORIES[story]]
    journal.path.write_bytes(b"".join(lines_of(events, created.run)))  # no append takes them all
    commands = (
        *("list", "list --json", "inspect @last", "inspect @last --json", "logs @last", "verify"),
        *("inspect @last --html -", "inspect @last --svg -", "info"),
    )
    for command, terminal in product(commands, (False, True)):
        ended = mine.run(*command.split(), terminal_out=terminal)
        if command.startswith("list"):
            assert OLD_RUN[-8:].encode() in ended.out, ended
    count(2 * len(commands))
