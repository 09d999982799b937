"""The seeded bugs: one safeguard after the other switched off, and the parts that must see it.

In the order of what they harm: the disk, screens, the journal, values, locks. Where the attribute
that is replaced is now, is said in one place for each: `module:attribute`.
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


def bug_named(name: str) -> SeededBug:
    """The bug of this name. LookupError if there is none."""
    for bug in (*SEEDED_BUGS, UNCHANGED):
        if bug.name == name:
            return bug
    raise LookupError(f"there is no seeded bug {name!r}")


def seeded(
    name: str, place: str, *caught_by: str
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """List a bug: the function takes what is at the place, and gives the faulty one."""

    def add(faulty: Callable[[Any], Any]) -> Callable[[Any], Any]:
        SEEDED_BUGS.append(SeededBug(name, place, caught_by, faulty))
        return faulty

    return add


UNCHANGED = SeededBug("unchanged", "durably_cli.version:__version__", (), lambda found: found)
"""What is the same with it as without it."""


@seeded(
    "no fdatasync",
    "durably_cli.system.files:sync",
    "power_cuts.py::test_every_promise_outlives_a_power_cut",
    "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing",
    "system_calls.py::test_the_order_of_system_calls",
)
def _(sync: Any) -> Any:
    return nothing


@seeded(
    "sync retried after a failure",
    "durably_cli.system.files:sync",
    "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing[FAULT-ext4]",
    "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing[FAULT-xfs]",
    "system_calls.py::test_a_failed_sync_of_a_result_is_told_and_never_tried_again",
)
def _(sync: Any) -> Any:
    def again(fd: int) -> None:
        try:
            sync(fd)
        except OSError:
            sync(fd)

    return again


@seeded(
    "rename without sync",
    "durably_cli.journal.ownership:_replaced",
    "power_cuts.py::test_every_promise_outlives_a_power_cut",
    "system_calls.py::test_the_order_of_system_calls[resume]",
)
def _(replaced: Any) -> Any:
    return during(replaced, "files.sync", nothing)


@seeded(
    "line 0 not synced before its name",
    "durably_cli.journal.ownership:create_journal",
    "power_cuts.py::test_every_promise_outlives_a_power_cut",
    "system_calls.py::test_the_order_of_system_calls[create]",
)
def _(create: Any) -> Any:
    return during(create, "files.sync", nothing)


@seeded(
    "no folder sync",
    "durably_cli.system.files:sync_folder",
    "power_cuts.py::test_every_promise_outlives_a_power_cut",
    "system_calls.py::test_the_order_of_system_calls",
)
def _(sync_folder: Any) -> Any:
    return nothing


@seeded(
    "no truncate on error",
    "durably_cli.journal.writer:Journal._cut_back",
    "system_calls.py::test_a_failed_sync_of_a_result_is_told_and_never_tried_again",
    "full_disk.py::test_a_disk_that_ends_at_some_bytes_of_some_records",
)
def _(cut_back: Any) -> Any:
    return during(cut_back, "os.ftruncate", nothing)


@seeded(
    "a key claimed after its run",
    "durably_cli.engines.local.trigger:_Trigger._claim",
    "system_calls.py::test_the_order_of_system_calls[claim and create]",
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


@seeded(
    "a found claim is not synced",
    "durably_cli.engines.local.claims:Claims.sync",
    "system_calls.py::test_the_order_of_system_calls[create for a claim]",
)
def _(sync: Any) -> Any:
    return nothing


@seeded(
    "a new folder not synced in its parent",
    "durably_cli.system.files:make_folder",
    "system_calls.py::test_the_order_of_system_calls[create]",
)
def _(make_folder: Any) -> Any:
    return during(make_folder, "sync_folder", nothing)


@seeded(
    "step.started not written",
    "durably_cli.engines.local.recorder:Recorder.__call__",
    "system_calls.py::test_the_order_of_system_calls[create]",
)
def _(record: Any) -> Any:
    from durably_cli.journal.events import StepStarted

    return lambda recorder, event: (
        None if isinstance(event, StepStarted) else record(recorder, event)
    )


@seeded(
    "step.completed written before the function is called",
    "durably_cli.engines.local.recorder:Recorder.__call__",
    "system_calls.py::test_the_order_of_system_calls[create]",
)
def _(record: Any) -> Any:
    from durably_cli.journal.events import StepCompleted, StepStarted

    def record_both(recorder: Any, event: Any) -> None:
        record(recorder, event)
        if isinstance(event, StepStarted):
            record(recorder, StepCompleted(event.name, 0, "null", event.at))

    return record_both


@seeded(
    "markup printed",
    "durably_cli.render.lines:visible",
    "hostile_text.py::test_what_a_run_holds_is_shown_as_text",
)
def _(visible: Any) -> Any:
    def rendered(text: str) -> str:
        from rich.markup import render

        return render(visible(text)).plain

    return rendered


@seeded(
    "control characters printed",
    "durably_cli.render.words:_spelled",
    "hostile_text.py::test_what_a_run_holds_is_shown_as_text",
)
def _(spelled: Any) -> Any:
    return lambda character: character


@seeded(
    "bidi shown raw",
    "durably_cli.render.words:_spelled",
    "hostile_text.py::test_what_a_run_holds_is_shown_as_text",
)
def _(spelled: Any) -> Any:
    bidi = "\u202d\u202e\u2066\u2067"
    return lambda character: character if character in bidi else spelled(character)


@seeded(
    "HTML not escaped",
    "durably_cli.render.page:escape",
    "hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text",
)
def _(escape: Any) -> Any:
    return lambda text: text


@seeded(
    "SVG not escaped",
    "durably_cli.render.svg:escape",
    "hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text",
)
def _(escape: Any) -> Any:
    return lambda text, entities: text


def _opened_without(flag: int, open_existing: Any) -> Any:
    """The function, whose `os.open` is not given this flag."""
    real = os.open
    return during(
        open_existing,
        "os.open",
        lambda path, flags, *more: real(path, flags & ~flag, *more),
    )


@seeded(
    "links followed",
    "durably_cli.system.files:open_existing",
    "places.py::test_a_claim_that_is_a_link_stands_for_no_run",
)
def _(open_existing: Any) -> Any:
    return _opened_without(os.O_NOFOLLOW, open_existing)


@seeded(
    "any kind of file opened",
    "durably_cli.system.files:open_existing",
    "places.py::test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other",
)
def _(open_existing: Any) -> Any:
    return during(open_existing, "stat.S_ISREG", lambda mode: True)


@seeded(
    "a FIFO waited on",
    "durably_cli.system.files:open_existing",
    "places.py::test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other[fifo]",
)
def _(open_existing: Any) -> Any:
    return _opened_without(os.O_NONBLOCK, open_existing)


@seeded(
    "ids not checked",
    "durably_cli.engines.local.bundle:_head",
    "names.py::test_a_bundle_leads_nowhere",
)
def _(head: Any) -> Any:
    return during(head, "ids.is_id", lambda text: True)


@seeded(
    "names of jobs not checked",
    "durably_cli.project.discovery:NAME",
    "names.py::test_a_name_leads_nowhere_but_into_the_store",
)
def _(name: Any) -> Any:
    return re.compile(".+", re.DOTALL)


@seeded(
    "list imports the jobs",
    "durably_cli.cli.commands.list_:run_list",
    "job_modules.py::test_only_commands_that_run_jobs_import_them",
)
def _(run_list: Any) -> Any:
    def load_and_list(project: Path, *args: Any, **options: Any) -> Any:
        from durably_cli.project.discovery import load_all

        load_all(project)
        return run_list(project, *args, **options)

    return load_and_list


@seeded(
    "umask decides",
    "durably_cli.system.files:create",
    "places.py::test_folders_and_files_are_private_whatever_the_umask",
)
def _(create: Any) -> Any:
    return during(create, "os.fchmod", nothing)


@seeded(
    "crc not checked",
    "durably_cli.journal.codec:decode",
    "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
    "bytes_commands.py::test_16_damaged_runs_are_refused_by_every_command_with_their_place",
)
def _(decode: Any) -> Any:
    size, crc32 = decode.__globals__["CRC_BYTES"], decode.__globals__["crc32"]

    def decode_resealed(data: bytes, seq: int, previous: int) -> Any:
        body = data[:-size]
        return decode(body + b',"crc":"%08x"}' % crc32(body, previous), seq, previous)

    return decode_resealed


@seeded(
    "seq not checked",
    "durably_cli.journal.codec:decode",
    "bytes_resealed.py::test_a_wrong_seq_with_the_right_checksum_is_damage_at_every_line",
    "bytes_commands.py::test_16_damaged_runs_are_refused_by_every_command_with_their_place",
)
def _(decode: Any) -> Any:
    def decode_any(data: bytes, seq: int, previous: int) -> Any:
        found = re.match(rb'\{"seq":(\d+),', data)
        return decode(data, int(found[1]) if found else seq, previous)

    return decode_any


@seeded("duplicate keys accepted", "durably_cli.journal.codec:DECODER", "bytes_resealed.py")
def _(decoder: Any) -> Any:
    return json.JSONDecoder(parse_constant=decoder.parse_constant, parse_float=decoder.parse_float)


@seeded(
    "bad lines skipped",
    "durably_cli.journal.reader:JournalReader._last_of",
    "bytes.py::test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn",
    "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
    "fuzz.py",
    "state_machine.py",
)
def _(judge: Any) -> Any:
    def skip(reading: Any, file: Any, data: bytes, reason: str) -> Iterator[Any]:
        reading.end += len(data)
        yield from reading._read()

    return skip


@seeded(
    "a torn tail appended to",
    "durably_cli.journal.ownership:_copy",
    "bytes_commands.py::test_a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped",
    "state_machine.py",
)
def _(copy: Any) -> Any:
    def copy_all(source: int, target: int, reading: Any) -> Any:
        end, lacks_newline = os.fstat(source).st_size, reading.lacks_newline
        return copy(source, target, SimpleNamespace(end=end, lacks_newline=lacks_newline))

    return copy_all


@seeded(
    "checksums of plain steps not looked at",
    "durably_cli.journal.fast_codec:_alike",
    "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
)
def _(alike: Any) -> Any:
    def alike_if_no_checksums(some: Any, others: Any) -> int:
        return len(others) if isinstance(others[0], int) else alike(some, others)

    return alike_if_no_checksums


@seeded(
    "newline required",
    "durably_cli.journal.reader:JournalReader._event",
    "bytes.py::test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn",
)
def _(event: Any) -> Any:
    def event_of_all_but_a_byte(reading: Any, data: bytes) -> Any:
        return event(reading, data if data.endswith(b"\n") else data[:-1])

    return event_of_all_but_a_byte


@seeded(
    "damage taken for a torn tail",
    "durably_cli.journal.reader:is_cut_short",
    "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
    "bytes.py::test_bytes_that_no_crash_leaves_are_damage",
)
def _(is_cut_short: Any) -> Any:
    return lambda rest, seq: True


@seeded(
    "a torn tail taken for damage",
    "durably_cli.journal.reader:has_zeroed_sector",
    "bytes.py::test_zeroed_sectors_of_the_unsynced_tail_in_every_pattern_are_a_torn_tail",
    "state_machine.py",
)
def _(has_zeroed_sector: Any) -> Any:
    return lambda rest, offset: False


@seeded(
    "a durable event dropped with a torn tail",
    "durably_cli.journal.reader:DURABLE",
    "bytes.py::test_a_zeroed_sector_with_a_durable_event_behind_it_is_damage",
)
def _(durable: Any) -> Any:
    return frozenset()


@seeded(
    "raw value on the first run",
    "durably_cli.steps.call:FunctionCall._as_json",
    "values.py::test_every_value_is_the_same_on_the_first_run_and_on_the_replay",
)
def _(as_json: Any) -> Any:
    return lambda call, value: (as_json(call, value)[0], value)


@seeded(
    "what comes back different is not refused",
    "durably_cli.values.convert:difference",
    "values.py::test_what_json_would_change_is_refused_with_its_place_and_the_fix",
)
def _(difference: Any) -> Any:
    return nothing


@seeded(
    "a result taken for a reference",
    "durably_cli.journal.writer:belongs_in_a_file",
    "values.py",
    "state_machine.py",
)
def _(belongs_in_a_file: Any) -> Any:
    limit = belongs_in_a_file.__globals__["LIMIT"]
    return lambda result: len(result) > limit


@seeded(
    "a removed run's key not buried",
    "durably_cli.engines.local.claims:Claims.bury",
    "state_machine.py",
)
def _(bury: Any) -> Any:
    return nothing


@seeded(
    "no lock",
    "durably_cli.system.locks:acquire",
    "many_at_once.py::test_6_resumes_of_one_run_are_one_execution_and_6_who_list_it_see_it_whole",
    "processes_left_behind.py::test_children_that_live_or_have_ended_take_no_run_from_its_owner",
    "keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not",
)
def _(acquire: Any) -> Any:
    return during(acquire, "_set", lambda fd, wait: True)


@seeded(
    "unlock in the child",
    "durably_cli.system.locks:Lock.close",
    "processes_left_behind.py::test_children_that_live_or_have_ended_take_no_run_from_its_owner",
)
def _(close: Any) -> Any:
    unlocked = close.__globals__["_flock"](fcntl.F_UNLCK)

    def unlock_and_close(lock: Any) -> None:
        if lock.status() is not None:
            fcntl.fcntl(lock.fd, fcntl.F_OFD_SETLK, unlocked)
        close(lock)

    return unlock_and_close


@seeded(
    "children keep locks",
    "durably_cli.system.locks:_mine",
    "processes_left_behind.py::test_children_that_outlive_a_killed_owner_do_not_hold_its_run",
)
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
    "exists-then-create",
    "durably_cli.system.files:publish",
    "many_at_once.py::test_a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_makes_no_second_run",
)
def _(publish: Any) -> Any:
    def rename_if_free(temporary: Path, target: Path, **_: object) -> None:
        if target.exists():
            raise FileExistsError
        os.rename(temporary, target)
        os.close(os.open(temporary, os.O_CREAT, 0o600))

    return during(publish, "os.link", rename_if_free)


@seeded(
    "a concurrency key not locked",
    "durably_cli.engines.local.turns:Turn._lock_or_holder",
    "keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not",
)
def _(lock_or_holder: Any) -> Any:
    def open_another(path: Path) -> int:
        return os.open(path.parent, os.O_TMPFILE | os.O_RDWR)

    return during(lock_or_holder, "_open", open_another)


@seeded(
    "inode not checked by who waited",
    "durably_cli.system.locks:Lock.names",
    "kills.py::test_runs_killed_at_200_random_moments_execute_no_acknowledged_step_again",
)
def _(names: Any) -> Any:
    return lambda lock, path: True


@seeded(
    "replay switched off",
    "durably_cli.engines.local.resume:gather",
    "processes.py::test_a_step_that_ends_in_an_odd_way[leaves at once]",
    "kills.py::test_runs_killed_at_200_random_moments_execute_no_acknowledged_step_again",
)
def _(remember: Any) -> Any:
    return lambda events, results: events


@seeded(
    "signals raised inside an append",
    "durably_cli.journal.writer:Journal.append",
    "signals.py::test_a_signal_at_each_call_stops_the_run_which_goes_on",
)
def _(append: Any) -> Any:
    return append.__wrapped__


@seeded(
    "a second signal ignored",
    "durably_cli.system.signals:_handle",
    "terminals.py::test_ctrl_c_typed_twice_ends_the_process_at_once_and_the_run_can_be_resumed",
)
def _(handle: Any) -> Any:
    noted = handle.__globals__["_noted"]
    return lambda signum, frame: handle(signum, frame) if noted.signum is None else None


@seeded(
    "durations by the wall clock",
    "durably_cli.steps.call:perf_counter",
    "clocks.py::test_a_run_is_completed_and_told_of_whatever_the_clock_shows[going back]",
)
def _(perf_counter: Any) -> Any:
    return time.time


@seeded(
    "an older original taken for this one",
    "durably_cli.journal.ownership:keep_original",
    "safeguards.py::test_each_repair_keeps_an_original_of_its_own",
)
def _(keep_original: Any) -> Any:
    return during(keep_original, "os.path.samefile", lambda *_: True)


@seeded(
    "a kept original not synced",
    "durably_cli.journal.ownership:keep_original",
    "system_calls.py::test_the_order_of_system_calls[repair]",
)
def _(keep_original: Any) -> Any:
    return during(keep_original, "files.sync_folder", nothing)


@seeded(
    "the process not asked for before an append",
    "durably_cli.journal.writer:Journal._write",
    "safeguards.py::test_a_child_that_c_code_forks_appends_nothing",
)
def _(write: Any) -> Any:
    def write_as_owner(journal: Any, *args: Any, **options: Any) -> Any:
        return during(write, "os.getpid", lambda: journal._pid)(journal, *args, **options)

    return write_as_owner


@seeded(
    "a run whose removal was cut short resumed",
    "durably_cli.engines.local.claims:Claims.is_buried",
    "safeguards.py::test_a_run_whose_removal_was_cut_short_is_not_resumed",
)
def _(is_buried: Any) -> Any:
    return nothing


@seeded(
    "a run that failed meanwhile executed again",
    "durably_cli.engines.local.trigger:resume_held",
    "safeguards.py::test_who_waits_for_a_run_that_fails_meanwhile_does_not_execute_it_again",
)
def _(resume_held: Any) -> Any:
    return lambda *args, again: resume_held(*args, again=True)


@seeded(
    "slot and turn held while a run is joined",
    "durably_cli.engines.local.trigger:_Trigger._begin",
    "safeguards.py::test_a_trigger_that_finds_its_run_made_meanwhile_waits_for_it_and_holds_no_turn",
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
    "durably_cli.journal.writer:Journal._in_a_file",
    "safeguards.py::test_a_large_result_that_cannot_be_saved_is_the_last_that_is_tried",
)
def _(in_a_file: Any) -> Any:
    def and_go_on(journal: Any, event: Any) -> Any:
        names = SimpleNamespace(
            _blobs=journal._blobs, _temporary=journal._temporary, _let_go=nothing
        )
        return in_a_file(names, event)

    return and_go_on


@seeded(
    "the file of a large result not synced",
    "durably_cli.journal.blobs:Blobs.put",
    "system_calls.py::test_the_order_of_system_calls[large result]",
)
def _(put: Any) -> Any:
    return during(put, "files.sync", nothing)


@seeded(
    "the folder of a large result not synced",
    "durably_cli.journal.blobs:Blobs.put",
    "system_calls.py::test_the_order_of_system_calls[large result]",
)
def _(put: Any) -> Any:
    return during(put, "files.sync_folder", nothing)


@seeded(
    "a removal not synced before what belongs to the run goes",
    "durably_cli.engines.local.remove:remove",
    "system_calls.py::test_the_order_of_system_calls[delete]",
)
def _(remove: Any) -> Any:
    return during(remove, "files.sync_folder", nothing)


@seeded(
    "a tombstone not synced before the journal goes",
    "durably_cli.engines.local.claims:Claims.sync",
    "system_calls.py::test_the_order_of_system_calls[delete]",
    "system_calls.py::test_the_order_of_system_calls[adopt]",
)
def _(sync: Any) -> Any:
    return nothing


@seeded(
    "what an import brings not synced before its journal has its name",
    "durably_cli.engines.local.import_:_publish",
    "system_calls.py::test_the_order_of_system_calls[adopt]",
)
def _(publish: Any) -> Any:
    return during(publish, "files.sync_folder", nothing)


@seeded(
    "an unsynced end indexed",
    "durably_cli.engines.local.index:_look",
    "safeguards.py::test_an_end_that_its_owner_has_not_synced_yet_is_not_indexed",
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
    "a folder indexed as it is behind the looks",
    "durably_cli.engines.local.index:_runs_of",
    "safeguards.py::test_a_run_that_is_made_while_its_folder_is_looked_at_is_not_forgotten",
)
def _(runs_of: Any) -> Any:
    looks = runs_of.__globals__["_looks"]

    def looked_at_first(day: str, store: Any, folder: Path) -> Any:
        found = looks(day, store, folder / f"{day}.runs.json")
        return during(runs_of, "_looks", lambda *_: found)(day, store, folder)

    return looked_at_first


@seeded(
    "an end that was found not synced by who does not own it",
    "durably_cli.engines.local.view:RunView.sync",
    "safeguards.py::test_an_end_that_another_process_wrote_is_synced_before_it_is_acted_on",
)
def _(sync: Any) -> Any:
    return nothing


@seeded(
    "an end that was found not synced by who holds it",
    "durably_cli.journal.ownership:sync_held",
    "safeguards.py::test_an_end_that_another_process_wrote_is_synced_before_it_is_acted_on",
)
def _(sync_held: Any) -> Any:
    return nothing
