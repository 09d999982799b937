"""The seeded bugs: one safeguard after the other switched off, and the parts that must see it.

In the order of what they harm: the disk, screens, the journal, values, locks. Where the attribute
that is replaced is now, is said in one place for each: `module:attribute`, below `durably_cli`.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.harness.seeding import SeededBug, during, nothing

SEEDED_BUGS: list[SeededBug] = []
UNCHANGED = SeededBug("unchanged", "durably_cli.version:__version__", (), lambda found: found)
"""What is the same with it as without it."""

Faulty = Callable[[Any], Any]

POWER = "power_cuts.py::test_every_promise_outlives_a_power_cut"
FAILING = "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing"
ORDER = "system_calls.py::test_the_order_of_system_calls"
FAILED_SYNC = "system_calls.py::test_a_failed_sync_of_a_result_is_told_and_never_tried_again"
SHOWN = "hostile_text.py::test_what_a_run_holds_is_shown_as_text"
DRAWN = "hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text"
NO_PLAIN_FILE = "places.py::test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other"
BIT = "bytes.py::test_every_flipped_bit_is_damage_at_its_line"
CUT = "bytes.py::test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn"
REFUSED = "bytes_commands.py::test_damaged_runs_are_refused_by_every_command_with_their_place"
TORN = "bytes_commands.py::test_a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped"
KILLS = "kills.py::test_runs_killed_at_random_moments_execute_no_acknowledged_step_again"
TURNS = "keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not[5]"
CHILDREN = "processes_left_behind.py::"
OUTLIVING = CHILDREN + "test_children_that_outlive_a_killed_owner_do_not_hold_its_run"
TAKING = CHILDREN + "test_children_that_live_or_have_ended_take_no_run_from_its_owner"
SAFEGUARD = "safeguards.py::test_"
FOUND_END = SAFEGUARD + "an_end_that_another_process_wrote_is_synced_before_it_is_acted_on"


def bug_named(name: str) -> SeededBug:
    """The bug of this name. LookupError if there is none."""
    for bug in (*SEEDED_BUGS, UNCHANGED):
        if bug.name == name:
            return bug
    raise LookupError(f"there is no seeded bug {name!r}")


def seeded(name: str, place: str, *caught_by: str) -> Callable[[Faulty], Faulty]:
    """List a bug: the function takes what is at the place, and gives the faulty one."""

    def add(faulty: Faulty) -> Faulty:
        SEEDED_BUGS.append(SeededBug(name, f"durably_cli.{place}", caught_by, faulty))
        return faulty

    return add


def instead(other: Any) -> Faulty:
    """Something else stands there."""
    return lambda _: other


def within(path: str, other: Any = nothing) -> Faulty:
    """The function is there, and while it is called one of its globals is another one."""
    return lambda call: during(call, path, other)


seeded("no fdatasync", "system.files:sync", POWER, FAILING, ORDER)(instead(nothing))
seeded("no folder sync", "system.files:sync_folder", POWER, ORDER)(instead(nothing))


@seeded(
    *("sync retried after a failure", "system.files:sync"),
    *(f"{FAILING}[ext4-once]", f"{FAILING}[xfs-once]", FAILED_SYNC),
)
def _(sync: Any) -> Any:
    def again(fd: int) -> None:
        try:
            sync(fd)
        except OSError:
            sync(fd)

    return again


for name, place, path, *caught_by in (
    ("rename without sync", "journal.ownership:_replaced", "sync", POWER, f"{ORDER}[resume]"),
    (
        *("line 0 not synced before its name", "journal.ownership:create_journal", "sync"),
        *(POWER, f"{ORDER}[create]"),
    ),
    (
        *("a kept original not synced", "journal.ownership:keep_original", "sync_folder"),
        f"{ORDER}[repair]",
    ),
    (
        *("the file of a large result not synced", "journal.blobs:Blobs.put", "sync"),
        f"{ORDER}[large result]",
    ),
    (
        *("the folder of a large result not synced", "journal.blobs:Blobs.put", "sync_folder"),
        f"{ORDER}[large result]",
    ),
    (
        "a removal not synced before what belongs to the run goes",
        *("engines.local.remove:remove", "sync_folder", f"{ORDER}[delete]"),
    ),
    (
        "what an import brings not synced before its journal has its name",
        *("engines.local.import_:_publish", "sync_folder", f"{ORDER}[adopt]"),
    ),
):
    seeded(name, place, *caught_by)(within(f"files.{path}"))

seeded(
    *("a new folder not synced in its parent", "system.files:make_folder", f"{ORDER}[create]"),
)(within("sync_folder"))

seeded(
    *("a claim not synced by who finds or buries it", "engines.local.claims:Claims.sync"),
    *(f"{ORDER}[{name}]" for name in ("create for a claim", "delete", "adopt")),
)(instead(nothing))

seeded(
    *("no truncate on error", "journal.writer:Journal._cut_back", FAILED_SYNC),
    "full_disk.py::test_files_that_end_at_some_bytes",
)(within("os.ftruncate"))


@seeded(
    *("a key claimed after its run", "engines.local.trigger:_Trigger._claim"),
    f"{ORDER}[claim and create]",
)
def _(claim: Any) -> Any:
    def claim_later(trigger: Any, run_id: str) -> str:
        create = trigger._store.create

        def create_first(event: Any) -> Any:
            run = create(event)
            claim(trigger, run_id)
            return run

        trigger._store.create = create_first
        return run_id

    return claim_later


@seeded("step.started not written", "engines.local.recorder:Recorder.__call__", f"{ORDER}[create]")
def _(record: Any) -> Any:
    from durably_cli.journal.events import StepStarted

    return lambda recorder, event: (
        None if isinstance(event, StepStarted) else record(recorder, event)
    )


@seeded(
    "step.completed written before the function is called",
    *("engines.local.recorder:Recorder.__call__", f"{ORDER}[create]"),
)
def _(record: Any) -> Any:
    from durably_cli.journal.events import StepCompleted, StepStarted

    def record_both(recorder: Any, event: Any) -> None:
        record(recorder, event)
        if isinstance(event, StepStarted):
            record(recorder, StepCompleted(event.name, 0, "null", event.at))

    return record_both


@seeded("markup printed", "render.lines:visible", SHOWN)
def _(visible: Any) -> Any:
    def rendered(text: str) -> str:
        from rich.markup import render

        return render(visible(text)).plain

    return rendered


@seeded("bidi shown raw", "render.words:_spelled", SHOWN)
def _(spelled: Any) -> Any:
    bidi = "\u202d\u202e\u2066\u2067"
    return lambda character: character if character in bidi else spelled(character)


seeded("control characters printed", "render.words:_spelled", SHOWN)(instead(str))
seeded("HTML not escaped", "render.page:escape", DRAWN)(instead(str))
seeded("SVG not escaped", "render.svg:escape", DRAWN)(instead(lambda text, entities: text))


def opened_without(flag: int) -> Faulty:
    """The function, whose `os.open` is not given this flag."""
    real = os.open
    return within("os.open", lambda path, flags, *more: real(path, flags & ~flag, *more))


seeded(
    *("links followed", "system.files:open_existing"),
    "places.py::test_a_claim_that_is_a_link_stands_for_no_run",
)(opened_without(os.O_NOFOLLOW))
seeded("a FIFO waited on", "system.files:open_existing", f"{NO_PLAIN_FILE}[fifo]")(
    opened_without(os.O_NONBLOCK)
)
seeded("any kind of file opened", "system.files:open_existing", NO_PLAIN_FILE)(
    within("stat.S_ISREG", lambda mode: True)
)
seeded(
    *("ids not checked", "engines.local.bundle:_head"),
    "names.py::test_a_bundle_leads_nowhere",
)(within("ids.is_id", lambda text: True))
seeded(
    *("names of jobs not checked", "project.discovery:NAME"),
    "names.py::test_a_name_leads_nowhere_but_into_the_store",
)(instead(re.compile(".+", re.DOTALL)))
seeded(
    *("umask decides", "system.files:create"),
    "places.py::test_folders_and_files_are_private_whatever_the_umask",
)(within("os.fchmod"))


@seeded(
    *("list imports the jobs", "cli.commands.list_:run_list"),
    "job_modules.py::test_only_commands_that_run_jobs_import_them",
)
def _(run_list: Any) -> Any:
    def load_and_list(project: Path, *args: Any, **options: Any) -> Any:
        from durably_cli.project.discovery import load_all

        load_all(project)
        return run_list(project, *args, **options)

    return load_and_list


@seeded("crc not checked", "journal.codec:decode", BIT, REFUSED)
def _(decode: Any) -> Any:
    size, crc32 = decode.__globals__["CRC_BYTES"], decode.__globals__["crc32"]

    def decode_resealed(data: bytes, seq: int, previous: int) -> Any:
        body = data[:-size]
        return decode(body + b',"crc":"%08x"}' % crc32(body, previous), seq, previous)

    return decode_resealed


@seeded(
    *("seq not checked", "journal.codec:decode"),
    "bytes_resealed.py::test_a_wrong_seq_with_the_right_checksum_is_damage_at_every_line",
    REFUSED,
)
def _(decode: Any) -> Any:
    def decode_any(data: bytes, seq: int, previous: int) -> Any:
        found = re.match(rb'\{"seq":(\d+),', data)
        return decode(data, int(found[1]) if found else seq, previous)

    return decode_any


@seeded("duplicate keys accepted", "journal.codec:DECODER", "bytes_resealed.py")
def _(decoder: Any) -> Any:
    return json.JSONDecoder(parse_constant=decoder.parse_constant, parse_float=decoder.parse_float)


@seeded(
    *("bad lines skipped", "journal.reader:JournalReader._last_of"),
    *(CUT, BIT, "fuzz.py", "state_machine.py"),
)
def _(judge: Any) -> Any:
    def skip(reading: Any, file: Any, data: bytes, reason: str) -> Iterator[Any]:
        reading.end += len(data)
        yield from reading._read()

    return skip


@seeded("a torn tail appended to", "journal.ownership:_copy", TORN, "state_machine.py")
def _(copy: Any) -> Any:
    def copy_all(source: int, target: int, reading: Any) -> Any:
        end, lacks_newline = os.fstat(source).st_size, reading.lacks_newline
        return copy(source, target, SimpleNamespace(end=end, lacks_newline=lacks_newline))

    return copy_all


@seeded("checksums of plain steps not looked at", "journal.fast_codec:_alike", BIT)
def _(alike: Any) -> Any:
    def alike_if_no_checksums(some: Any, others: Any) -> int:
        return len(others) if isinstance(others[0], int) else alike(some, others)

    return alike_if_no_checksums


@seeded("newline required", "journal.reader:JournalReader._event", CUT)
def _(event: Any) -> Any:
    def event_of_all_but_a_byte(reading: Any, data: bytes) -> Any:
        return event(reading, data if data.endswith(b"\n") else data[:-1])

    return event_of_all_but_a_byte


seeded(
    *("damage taken for a torn tail", "journal.reader:is_cut_short", BIT),
    "bytes.py::test_bytes_that_no_crash_leaves_are_damage",
)(instead(lambda rest, seq: True))
seeded(
    *("a torn tail taken for damage", "journal.reader:has_zeroed_sector"),
    "bytes.py::test_zeroed_sectors_of_the_unsynced_tail_in_every_pattern_are_a_torn_tail",
    "state_machine.py",
)(instead(lambda rest, offset: False))
seeded(
    *("a durable event dropped with a torn tail", "journal.reader:DURABLE"),
    "bytes.py::test_a_zeroed_sector_with_a_durable_event_behind_it_is_damage",
)(instead(frozenset()))


@seeded(
    *("raw value on the first run", "values.convert:round_trip"),
    "values.py::test_every_value_is_made_once_and_the_same_on_the_first_run_and_on_the_replay",
)
def _(round_trip: Any) -> Any:
    return lambda converter, value: (round_trip(converter, value)[0], value)


seeded(
    *("what comes back different is not refused", "values.convert:difference"),
    "values.py::test_what_json_would_change_is_refused_with_its_place",
)(instead(nothing))


@seeded(
    *("a result taken for a reference", "journal.writer:belongs_in_a_file"),
    *("values.py", "state_machine.py"),
)
def _(belongs_in_a_file: Any) -> Any:
    limit = belongs_in_a_file.__globals__["LIMIT"]
    return lambda result: len(result) > limit


seeded("a removed run's key not buried", "engines.local.claims:Claims.bury", "state_machine.py")(
    instead(nothing)
)
seeded(
    *("no lock", "system.locks:acquire"),
    "many_at_once.py::test_resumes_of_one_run_are_one_execution_and_who_lists_it_sees_it_whole",
    *(TAKING, TURNS),
)(within("_set", lambda fd, wait: True))


@seeded("unlock in the child", "system.locks:Lock.close", TAKING)
def _(close: Any) -> Any:
    unlocked = close.__globals__["_flock"](fcntl.F_UNLCK)

    def unlock_and_close(lock: Any) -> None:
        if lock.status() is not None:
            fcntl.fcntl(lock.fd, fcntl.F_OFD_SETLK, unlocked)
        close(lock)

    return unlock_and_close


@seeded("children keep locks", "system.locks:_mine", OUTLIVING)
def _(mine: Any) -> Any:
    class OfThisProcess(weakref.WeakSet[Any]):
        """Those that this very process has added: it does not know of what it was forked with."""

        def add(self, lock: Any) -> None:
            super().add(lock)
            pids[lock] = os.getpid()

        def __iter__(self) -> Iterator[Any]:
            return (lock for lock in super().__iter__() if pids[lock] == os.getpid())

    pids: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
    return OfThisProcess()


@seeded(
    *("exists-then-create", "system.files:publish"),
    "many_at_once.py::test_a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_makes_no_second_run",
)
def _(publish: Any) -> Any:
    def rename_if_free(temporary: Path, target: Path, **_: object) -> None:
        if target.exists():
            raise FileExistsError
        os.rename(temporary, target)
        os.close(os.open(temporary, os.O_CREAT, 0o600))

    return during(publish, "os.link", rename_if_free)


seeded("a concurrency key not locked", "engines.local.turns:Turn._lock_or_holder", TURNS)(
    within("_open", lambda path: os.open(path.parent, os.O_TMPFILE | os.O_RDWR))
)
seeded("inode not checked by who waited", "system.locks:Lock.names", KILLS)(
    instead(lambda lock, path: True)
)
seeded(
    *("replay switched off", "engines.local.resume:gather"),
    *("processes.py::test_a_step_that_ends_in_an_odd_way[leaves at once]", KILLS),
)(instead(lambda events, results: events))
seeded(
    *("signals raised inside an append", "journal.writer:Journal.append"),
    "system_calls.py::test_a_signal_at_each_call_stops_the_run_which_goes_on",
)(lambda append: append.__wrapped__)


@seeded(
    *("a second signal ignored", "system.signals:_handle"),
    "terminals.py::test_ctrl_c_typed_twice_ends_the_process_at_once_and_the_run_can_be_resumed",
)
def _(handle: Any) -> Any:
    noted = handle.__globals__["_noted"]
    return lambda signum, frame: handle(signum, frame) if noted.signum is None else None


seeded(
    *("durations by the wall clock", "steps.call:perf_counter"),
    "clocks.py::test_a_run_is_completed_and_told_of_whatever_the_clock_shows[going back]",
)(instead(time.time))
seeded(
    *("an older original taken for this one", "journal.ownership:keep_original"),
    f"{SAFEGUARD}each_repair_keeps_an_original_of_its_own",
)(within("os.path.samefile", lambda *_: True))


@seeded(
    *("the process not asked for before an append", "journal.writer:Journal._write"),
    f"{SAFEGUARD}a_child_that_c_code_forks_appends_nothing",
)
def _(write: Any) -> Any:
    def write_as_owner(journal: Any, *args: Any, **options: Any) -> Any:
        return during(write, "os.getpid", lambda: journal._pid)(journal, *args, **options)

    return write_as_owner


seeded(
    *("a run whose removal was cut short resumed", "engines.local.claims:Claims.is_buried"),
    f"{SAFEGUARD}a_run_whose_removal_was_cut_short_is_not_resumed",
)(instead(nothing))


@seeded(
    *("a run that failed meanwhile executed again", "engines.local.trigger:resume_held"),
    f"{SAFEGUARD}who_waits_for_a_run_that_fails_meanwhile_does_not_execute_it_again",
)
def _(resume_held: Any) -> Any:
    return lambda *args, again: resume_held(*args, again=True)


@seeded(
    *("slot and turn held while a run is joined", "engines.local.trigger:_Trigger._begin"),
    f"{SAFEGUARD}a_trigger_that_finds_its_run_made_meanwhile_waits_for_it_and_holds_no_turn",
)
def _(begin: Any) -> Any:
    class Unreleased:
        def __init__(self, turn: Any) -> None:
            self._turn = turn

        def __getattr__(self, name: str) -> Any:
            return nothing if name == "release" else getattr(self._turn, name)

    return lambda trigger, run_id, job, settled, turn: begin(
        trigger, run_id, job, settled, Unreleased(turn)
    )


@seeded(
    "the journal left open when a large result cannot be saved",
    "journal.writer:Journal._in_a_file",
    f"{SAFEGUARD}a_large_result_that_cannot_be_saved_is_the_last_that_is_tried",
)
def _(in_a_file: Any) -> Any:
    def and_go_on(journal: Any, event: Any) -> Any:
        names = SimpleNamespace(
            _blobs=journal._blobs, _temporary=journal._temporary, _let_go=nothing
        )
        return in_a_file(names, event)

    return and_go_on


@seeded(
    *("an unsynced end indexed", "engines.local.index:_look"),
    f"{SAFEGUARD}an_end_that_its_owner_has_not_synced_yet_is_not_indexed",
)
def _(look: Any) -> Any:
    def look_at_free(run_id: str, store: Any, stamp: Any) -> Any:
        def look_unheld(run_id: str) -> Any:
            found = store.look(run_id)
            found.held = False
            return found

        return look(run_id, SimpleNamespace(look=look_unheld), stamp)

    return look_at_free


@seeded(
    *("a folder indexed as it is behind the looks", "engines.local.index:_runs_of"),
    f"{SAFEGUARD}a_run_that_is_made_while_its_folder_is_looked_at_is_not_forgotten",
)
def _(runs_of: Any) -> Any:
    looks = runs_of.__globals__["_looks"]

    def looked_at_first(day: str, store: Any, folder: Path) -> Any:
        found = looks(day, store, folder / f"{day}.runs.json")
        return during(runs_of, "_looks", lambda *_: found)(day, store, folder)

    return looked_at_first


seeded(
    "an end that was found not synced by who does not own it",
    *("engines.local.view:RunView.sync", FOUND_END),
)(instead(nothing))
seeded(
    "an end that was found not synced by who holds it",
    *("journal.ownership:sync_held", FOUND_END),
)(instead(nothing))
