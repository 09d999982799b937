"""Places that are not what they should be: links, pipes, devices, others' files, hostile names."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.forking import TriggerResult
from tests.harness.hostilities import HOSTILITIES
from tests.harness.ledger import EXIT_CODES
from tests.harness.places import (
    OLD_RUN,
    STRANGER,
    Home,
    looks,
    remove,
    unchanged,
)

FOLDERS = ("data", "store", "runs", "day", "keys", "locks", "tmp", "blobs", "cache")
FILES = ("project.json", "journal", "claim", "lock", "blob", "cache file")
LINKS = ("moved out", "link to another", "dangling")
NOT_PLAIN = ("moved out", "link to itself", "fifo", "socket", "null", "zero", "of the other kind")
RIGHTS = ("read-only", "without a mode", "for all to write", "of another")
"""What the superuser does not heed: met as another user, if the tests can become one."""


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
    """Run a command with one place made hostile; whatever it is, it does no harm."""
    home.restore()
    remove(home.root / "home" / "new")
    HOSTILITIES[hostility](home.places()[place], home.outside)
    try:
        with unchanged(home.outside):
            ended = home.run(*home.commands()[command])
        check_in_order(ended)
    except AssertionError as error:
        raise AssertionError(f"{command} with {hostility} at {place}: {error}") from error
    return ended


def check_in_order(ended: TriggerResult) -> None:
    """It ended with a code of the table, and with a message if it is not 0."""
    assert ended.code in EXIT_CODES, ended
    assert ended.code == 0 or ended.err, ended
    assert b"Traceback" not in ended.err or b"durably_cli" not in ended.err, ended
    assert b"a bug in durably" not in ended.err, ended


def meet_some(home: Home, places: tuple[str, ...], hostilities: tuple[str, ...], few: int) -> int:
    """Every one at every place, each met by a few commands taken at random; how many there were."""
    cases = [
        (place, hostility, command)
        for place in places
        for hostility in hostilities
        for command in random.sample(sorted(home.commands()), few)
    ]
    for case in cases:
        meet(home, *case)
    return len(cases)


def others(hostilities: tuple[str, ...]) -> tuple[str, ...]:
    """All that are not these, nor rights, nor for journals alone."""
    return tuple(name for name in HOSTILITIES if name not in (*hostilities, *RIGHTS, "hard link"))


def test_whatever_stands_in_a_files_place_does_no_harm(
    mine: Home, count: Callable[[int], None]
) -> None:
    count(meet_some(mine, FILES, others(()), 1))


def test_whatever_stands_in_a_folders_place_does_no_harm(
    mine: Home, count: Callable[[int], None]
) -> None:
    count(meet_some(mine, FOLDERS, others(LINKS), 1))


def test_rights_that_are_missing_or_too_many_do_no_harm(
    strangers: Home, count: Callable[[int], None]
) -> None:
    rights = RIGHTS if os.geteuid() == 0 else RIGHTS[:3]
    count(meet_some(strangers, (*FOLDERS, *FILES), rights, 1))


@pytest.mark.parametrize("place", ["store", "runs", "day", "keys", "locks", "tmp", "blobs"])
def test_nothing_is_written_through_a_link_in_a_folders_place(
    mine: Home, place: str, count: Callable[[int], None]
) -> None:
    commands = ("trigger a new key", "trigger in turn", "delete", "import")
    for command in commands:
        meet(mine, place, "moved out", command)
    count(len(commands))


@pytest.mark.parametrize("command", ["trigger in turn", "resume"])
def test_a_hard_link_of_a_lock_is_not_written_through(
    mine: Home, command: str, count: Callable[[int], None]
) -> None:
    meet(mine, "lock", "hard link", command)
    count(1)


def test_a_hard_link_of_a_journal_elsewhere_stays_as_it_is(
    mine: Home, count: Callable[[int], None]
) -> None:
    for command in ("resume", "delete", "prune", "repair", "trigger a key"):
        mine.restore()
        place = mine.places()["journal"]
        HOSTILITIES["hard link"](place, mine.outside)
        before = (mine.outside / place.name).read_bytes()
        check_in_order(mine.run(*mine.commands()[command]))
        assert (mine.outside / place.name).read_bytes() == before
    count(5)


@pytest.mark.parametrize("hostility", NOT_PLAIN)
def test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other(
    mine: Home, hostility: str, count: Callable[[int], None]
) -> None:
    listed = meet(mine, "journal", hostility, "list")
    rows = {row.split("\t")[0]: row.split("\t") for row in listed.out.decode().splitlines()}
    assert list(rows) == [mine.victim, mine.kept, OLD_RUN]
    assert rows[mine.victim][2] == "unreadable"
    assert "is not a regular file" in rows[mine.victim][7]
    assert meet(mine, "journal", hostility, "inspect").code == 77
    count(2)


@pytest.mark.parametrize("hostility", ["fifo", "zero"])
def test_a_cache_that_never_ends_holds_nothing_up(
    mine: Home, hostility: str, count: Callable[[int], None]
) -> None:
    for command in ("jobs", "trigger"):
        assert meet(mine, "cache file", hostility, command).code == 0
    count(2)


def test_a_claim_that_is_a_link_stands_for_no_run(mine: Home, count: Callable[[int], None]) -> None:
    for command in ("trigger a key", "inspect a key"):
        ended = meet(mine, "claim", "moved out", command)
        assert (ended.code, b"is not a regular file" in ended.err) == (77, True), ended
    count(2)


@pytest.mark.parametrize("hostility", others(LINKS))
def test_a_day_that_is_no_folder_hides_no_other_day(
    mine: Home, hostility: str, count: Callable[[int], None]
) -> None:
    assert OLD_RUN in meet(mine, "day", hostility, "list").out.decode()
    count(1)


def test_a_day_or_a_run_that_may_not_be_read_hides_no_other(
    strangers: Home, count: Callable[[int], None]
) -> None:
    for place in ("day", "journal", "keys", "locks", "tmp", "claim", "blobs", "cache"):
        assert OLD_RUN in meet(strangers, place, "without a mode", "list").out.decode(), place
    count(8)


def test_another_projects_store_is_no_hindrance(mine: Home, count: Callable[[int], None]) -> None:
    """A new project looks for one that was moved, and so at all others' project.json."""
    new = mine.project.root.parent / "new project"
    (new / "jobs").mkdir(parents=True)
    for hostility in NOT_PLAIN:
        mine.restore()
        HOSTILITIES[hostility](mine.places()["project.json"], mine.outside)
        ended = mine.run("list", cwd=new)
        assert ended.code == 0, f"{hostility}: {ended}"
    count(len(NOT_PLAIN))


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_folders_and_files_are_private_whatever_the_umask(
    strangers: Home, umask: int, count: Callable[[int], None]
) -> None:
    strangers.restore()
    for part in (strangers.project.data, strangers.project.cache):
        remove(part)
    lives = (
        ("trigger", "work", "--idempotency-key", "v", "-p", "fails:=true"),
        ("trigger", "work", "--concurrency-key", "c", "-q"),
        ("import", str(strangers.bundle), "--adopt"),
        ("resume", "@failed"),
        ("delete", "key:work/v", "--status", "failed"),
        ("import", str(strangers.bundle)),
    )
    modes: dict[str, str] = {}
    for args in lives:
        check_in_order(strangers.run(*args, umask=umask))
        found = looks(strangers.project.data, strangers.project.cache)
        modes |= {name: str(look[0]) for name, look in found.items()}
    assert set(modes.values()) == {"0o40700", "0o100600"}, modes
    count(len(lives))


@pytest.mark.campaign
@pytest.mark.parametrize("user", ["mine", "strangers"])
@pytest.mark.parametrize("place", [*FOLDERS, *FILES])
def test_every_hostile_place_is_met_by_a_third_of_the_commands(
    request: pytest.FixtureRequest, user: str, place: str, count: Callable[[int], None]
) -> None:
    home: Home = request.getfixturevalue(user)
    met = 0
    for hostility in HOSTILITIES:
        if hostility == "hard link" or (place in ("data", "cache") and hostility in LINKS):
            continue  # who makes their data folder a link has it where the link leads
        if hostility == "of another" and os.geteuid() != 0:
            continue
        commands = sorted(home.commands())
        for command in random.sample(commands, len(commands) // 3):
            ended = meet(home, place, hostility, command)
            met += 1
            if command == "list as json" and ended.code == 0:
                assert json.loads(ended.out)["schema"] == 1
    count(met)
