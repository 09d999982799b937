"""The seeded bugs: one safeguard after the other taken out of the source, and who must see it.

In the order of what they harm: the disk, screens, places, the journal, values, locks, runs.
"""

from __future__ import annotations

from tests.harness.seeding import SeededBug

CRASH = "tests/crash/test_"
POWER = f"{CRASH}power_cuts.py::test_every_promise_outlives_a_power_cut"
FAILING = f"{CRASH}failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing"
CALLS = f"{CRASH}system_calls.py::test_"
ORDER = f"{CALLS}the_order_of_system_calls"
FAILED_SYNC = f"{CALLS}a_failed_sync_of_a_result_is_told_and_never_tried_again"
SHOWN = f"{CRASH}hostile_text.py::test_what_a_run_holds_is_shown_as_text"
DRAWN = f"{CRASH}hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text"
PLACES = f"{CRASH}places.py::test_"
NO_PLAIN_FILE = f"{PLACES}a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other"
BYTES = f"{CRASH}bytes.py::test_"
BIT = f"{BYTES}every_byte_set_to_another_is_damage_at_its_line"
CUT = f"{BYTES}a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn"
REFUSED = f"{BYTES}damaged_runs_are_refused_by_every_command_with_their_place"
TORN = f"{BYTES}a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped"
RESEALED = f"{BYTES}a_line_with_the_right_checksum_and_a_wrong_body_is_damage"
KILLS = f"{CRASH}kills.py::test_runs_killed_at_random_moments_execute_no_acknowledged_step_again"
TURNS = f"{CRASH}keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not"
CHILDREN = (
    f"{CRASH}processes.py"
    "::test_children_neither_take_a_run_from_its_owner_nor_hold_it_for_a_dead_one[forked]"
)
MANY = f"{CRASH}many_at_once.py::test_"
FUZZ, MACHINE = f"{CRASH}fuzz.py", f"{CRASH}state_machine.py"
VALUES = f"{CRASH}values.py"
OTHERS = "tests/engines/local/test_ends_of_others.py::test_"
OWNER, INDEX = "tests/journal/test_ownership.py::test_", "tests/engines/local/test_index.py::test_"
FOUND_END = f"{OTHERS}an_end_that_another_process_wrote_is_synced_before_it_is_acted_on"

FILES, CALL = "system/files.py", "steps/call.py"
BLOBS, OWNERSHIP, WRITER = "journal/blobs.py", "journal/ownership.py", "journal/writer.py"
CODEC, READER = "journal/codec.py", "journal/reader.py"
CLAIMS, TRIGGER = "engines/local/claims.py", "engines/local/trigger.py"

UNCHANGED = SeededBug("unchanged", "version.py", "__version__", "__version__", ())
"""What is the same with it as without it."""

SEEDED_BUGS = [
    SeededBug(*bug)
    for bug in (
        ("no fdatasync", FILES, "os.fdatasync(fd)", "pass", (POWER, FAILING, ORDER)),
        ("no folder sync", FILES, "os.fsync(fd)", "pass", (POWER, ORDER)),
        (
            *("sync retried after a failure", FILES, "os.fdatasync(fd)"),
            "try:\n            os.fdatasync(fd)\n"
            "        except OSError:\n            os.fdatasync(fd)",
            (FAILING, FAILED_SYNC),
        ),
        (
            *("rename without sync", OWNERSHIP, "files.sync(fd)\n        os.rename"),
            *("pass\n        os.rename", (POWER, f"{ORDER}[resume]")),
        ),
        (
            *("line 0 not synced before its name", OWNERSHIP, "files.sync(fd)\n        is_new"),
            *("pass\n        is_new", (POWER, f"{ORDER}[create]")),
        ),
        (
            "a kept original not synced",
            *(
                OWNERSHIP,
                "files.sync_folder(path.parent)\n        return original",
                "return original",
            ),
            (f"{ORDER}[repair]",),
        ),
        (
            *("the file of a large result not synced", BLOBS),
            'temporary = files.written(temporary_folder, path.name, value.encode("ascii"))',
            "fd, temporary = files.create(temporary_folder, path.name)\n"
            '    files.write_all(fd, value.encode("ascii"))',
            (f"{ORDER}[large result]",),
        ),
        (
            "the folder of a large result not synced",
            *(BLOBS, "files.sync_folder(path.parent)", "pass", (f"{ORDER}[large result]",)),
        ),
        (
            "a removal not synced before what belongs to the run goes",
            *("engines/local/remove.py", "files.sync_folder(path.parent)", "pass"),
            (f"{ORDER}[delete]",),
        ),
        (
            "what an import brings not synced before its journal has its name",
            *("engines/local/import_.py", "files.sync_folder(path.parent)\n        files.publish"),
            *("files.publish", (f"{ORDER}[adopt]",)),
        ),
        (
            "a new folder not synced in its parent",
            *(FILES, "sync_folder(folder.parent)", "pass", (f"{ORDER}[create]",)),
        ),
        (
            "a claim not synced by who finds or buries it",
            *(CLAIMS, "files.sync_folder(self.folder)", "pass"),
            tuple(f"{ORDER}[{scenario}]" for scenario in ("create for a claim", "delete", "adopt")),
        ),
        (
            *("no truncate on error", WRITER),
            "os.ftruncate(self._lock.fd, self._unsynced[0] if self._unsynced else self._end)",
            *("pass", (FAILED_SYNC, f"{CRASH}full_disk.py::test_files_that_end_at_some_bytes")),
        ),
        (
            *("a key claimed after its run", TRIGGER),
            "self._created(self._claim(run_id), settled.input)\n"
            "        run = self._store.create(created)\n",
            "self._created(run_id, settled.input)\n"
            "        run = self._store.create(created)\n        self._claim(run_id)\n",
            (f"{ORDER}[claim and create]",),
        ),
        (
            *("step.started not written", CALL),
            "yield started if handled is None else started._replace(during=steps_of(handled))",
            *("pass", (f"{ORDER}[create]",)),
        ),
        (
            "step.completed written before the function is called",
            *(CALL, "value = yield Call(self.fn, self.args)"),
            'yield StepCompleted(self.name, 0, "null", clock.now())\n'
            "        value = yield Call(self.fn, self.args)",
            (f"{ORDER}[create]",),
        ),
        (
            *("markup printed", "render/lines.py", "visible(text) +"),
            '__import__("rich.markup").markup.render(visible(text)).plain +',
            (SHOWN,),
        ),
        (
            *("bidi shown raw", "render/words.py", "if character.isprintable():"),
            r'if character.isprintable() or character in "\u202d\u202e\u2066\u2067":',
            (SHOWN,),
        ),
        (
            *("control characters printed", "render/words.py", "if character.isprintable():"),
            *("if True:", (SHOWN,)),
        ),
        (
            *("HTML not escaped", "render/page.py", "from html import escape", "escape = str"),
            (DRAWN,),
        ),
        (
            *("SVG not escaped", "render/svg.py", "from xml.sax.saxutils import escape"),
            *("escape = lambda text, entities: text", (DRAWN,)),
        ),
        (
            *("links followed", FILES, "os.O_NOFOLLOW | os.O_NONBLOCK", "os.O_NONBLOCK"),
            (f"{PLACES}a_claim_that_is_a_link_stands_for_no_run",),
        ),
        (
            *("a FIFO waited on", FILES, "os.O_NOFOLLOW | os.O_NONBLOCK", "os.O_NOFOLLOW"),
            (f"{NO_PLAIN_FILE}[fifo]",),
        ),
        (
            "any kind of file opened",
            *(FILES, "if not stat.S_ISREG(os.fstat(fd).st_mode):", "if False:", (NO_PLAIN_FILE,)),
        ),
        (
            *("ids not checked", "engines/local/bundle.py", "not ids.is_id(contents.run)", "False"),
            ("tests/engines/local/test_bundle_of_others.py",),
        ),
        (
            *("names of jobs not checked", "project/discovery.py", "not NAME.fullmatch(name)"),
            *(
                "False",
                (f"{CRASH}hostile_text.py::test_an_argument_leads_nowhere_and_is_said_as_text",),
            ),
        ),
        (
            *("umask decides", FILES, "os.fchmod(fd, 0o600)\n    return fd, path"),
            "return fd, path",
            (f"{PLACES}folders_and_files_are_private_whatever_the_umask",),
        ),
        (
            *("list imports the jobs", "cli/commands/list_.py"),
            "store = stores.open_store(project)",
            "from durably_cli.project.discovery import load_all\n\n"
            "    load_all(project)\n    store = stores.open_store(project)",
            ("tests/promises/test_09_reading_commands_change_nothing.py::test_looking",),
        ),
        (
            *("crc not checked", CODEC),
            'if data[-CRC_BYTES:] != b\',"crc":"%08x"}\' % crc:',
            *("if False:", (BIT, REFUSED)),
        ),
        (
            *("seq not checked", CODEC, "if not data.startswith(b'{\"seq\":%d,' % seq):"),
            *("if False:", (RESEALED, REFUSED)),
        ),
        (
            *("duplicate keys accepted", "values/strict_json.py"),
            *("json.JSONDecoder(object_pairs_hook=once, ", "json.JSONDecoder(", (RESEALED,)),
        ),
        (
            *("bad lines skipped", READER, "yield from self._last_of(file, lines[0], str(bad))"),
            "self.end += len(lines[0])\n                            yield from self._read()",
            (CUT, BIT, FUZZ, MACHINE),
        ),
        (
            *("a torn tail appended to", OWNERSHIP, "    done = 0\n"),
            "    done, reading.end = 0, os.fstat(source).st_size\n",
            (TORN, MACHINE),
        ),
        (
            *("checksums of plain steps not looked at", "journal/fast_codec.py"),
            *("_alike([int(digits, 16) for digits in shown], crcs)", "len(found)", (BIT,)),
        ),
        (
            *("newline required", READER, 'record = data.removesuffix(b"\\n")'),
            *("record = data[:-1]", (CUT,)),
        ),
        (
            *("damage taken for a torn tail", READER, "is_cut_short(rest, self.lines)", "True"),
            (BIT, f"{BYTES}bytes_that_no_crash_leaves_are_damage"),
        ),
        (
            *("a torn tail taken for damage", READER, "has_zeroed_sector(data, self.end)", "False"),
            (f"{BYTES}zeroed_sectors_of_the_unsynced_tail_are_a_torn_tail", MACHINE),
        ),
        (
            *("a durable event dropped with a torn tail", READER),
            'isinstance(codec.looks_whole(data.lstrip(b"\\0")), tuple(DURABLE))',
            *("False", (f"{BYTES}a_zeroed_sector_with_a_durable_event_behind_it_is_damage",)),
        ),
        (
            *("raw value on the first run", CALL),
            "text, back = convert.round_trip(self.converter, value)",
            "text, back = convert.round_trip(self.converter, value)[0], value",
            (VALUES,),
        ),
        (
            *("what comes back different is not refused", "values/convert.py"),
            "difference(value, back, declared=converter is not PLAIN)",
            *(
                "None",
                (VALUES,),
            ),
        ),
        (
            "a result taken for a reference",
            *(BLOBS, "len(result) > LIMIT or result.startswith(_MARK)", "len(result) > LIMIT"),
            (VALUES, MACHINE),
        ),
        (
            *("a removed run's key not buried", CLAIMS),
            *("self._replace(path, claim._replace(deleted=deleted))", "pass", (MACHINE,)),
        ),
        (
            *("no lock", "system/locks.py", "while not _set(fd, wait=False):", "while False:"),
            (CHILDREN, TURNS),
        ),
        (
            *("unlock in the child", "system/locks.py", "if is_ours:\n"),
            "if is_ours:\n            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK))\n",
            (CHILDREN,),
        ),
        (
            *("children keep locks", "system/locks.py", "after_in_child=_forget_after_fork"),
            *("after_in_child=_mine.clear", (CHILDREN,)),
        ),
        (
            "exists-then-create",
            *(FILES, "        os.link(temporary, target, follow_symlinks=False)\n"),
            "        if target.exists():\n            raise FileExistsError\n"
            "        os.rename(temporary, target)\n        temporary.touch()\n",
            (
                f"{MANY}a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_"
                "makes_no_second_run",
            ),
        ),
        (
            "a concurrency key not locked",
            *("engines/local/turns.py", "locks.acquire(_open(path))"),
            *("locks.acquire(os.open(path.parent, os.O_TMPFILE | os.O_RDWR))", (TURNS,)),
        ),
        (
            *("inode not checked by who waited", "system/locks.py"),
            "_identity(os.stat(path, follow_symlinks=False)) == self.identity",
            *("True", (KILLS,)),
        ),
        (
            "replay switched off",
            *("engines/local/resume.py", "gather(reading, past)", "reading"),
            (f"{CRASH}processes.py::test_a_deed_of_a_step[leaves at once]", KILLS),
        ),
        (
            *("signals raised inside an append", WRITER, "@shielded\n    def append"),
            *("def append", (f"{CALLS}a_signal_at_each_call_stops_the_run_which_goes_on",)),
        ),
        (
            *("a second signal ignored", "system/signals.py"),
            "    if _noted.signum is not None:\n        try:",
            "    if _noted.signum is not None:\n        return\n        try:",
            (
                "tests/cli/test_execution_signals.py::test_the_second_signal_ends_the_process_at_once",
            ),
        ),
        (
            "durations by the wall clock",
            *(CALL, "from time import perf_counter", "from time import time as perf_counter"),
            (
                f"{CRASH}clocks.py::test_a_run_is_completed_and_told_of_whatever_the_clock_shows"
                "[going back-1]",
            ),
        ),
        (
            "an older original taken for this one",
            *(OWNERSHIP, "if not os.path.samefile(path, original):", "if False:"),
            (f"{OWNER}each_repair_keeps_an_original_of_its_own",),
        ),
        (
            "the process not asked for before an append",
            *(WRITER, "os.getpid() != self._pid:", "False:"),
            (f"{OWNER}a_child_that_c_code_forks_appends_nothing",),
        ),
        (
            "a run whose removal was cut short resumed",
            *("engines/local/resume.py", "if Claims(store.root).is_buried(state.created):"),
            *("if False:", (f"{OTHERS}a_run_whose_removal_was_cut_short_is_not_resumed",)),
        ),
        (
            *("a run that failed meanwhile executed again", TRIGGER, "again=again,", "again=True,"),
            (
                "tests/cli/commands/test_trigger.py"
                "::test_a_run_that_fails_while_it_is_waited_for_is_not_retried",
            ),
        ),
        (
            *("slot and turn held while a run is joined", TRIGGER, "turn.release()", "pass"),
            (
                f"{OTHERS}a_trigger_that_finds_its_run_made_meanwhile_waits_for_it_"
                "and_holds_no_turn",
            ),
        ),
        (
            "the journal left open when a large result cannot be saved",
            *(WRITER, "self._let_go()\n            what =", "what ="),
            (
                "tests/journal/test_writer.py"
                "::test_a_large_value_that_cannot_be_saved_closes_the_journal",
            ),
        ),
        (
            *("an unsynced end indexed", "engines/local/index.py"),
            *("found.damage or found.held or", "found.damage or"),
            (f"{INDEX}an_end_that_its_owner_has_not_synced_yet_is_not_indexed",),
        ),
        (
            *("a folder indexed as it is behind the looks", "engines/local/index.py"),
            "if stamp and stamp == _stamp_of_day(store.runs / day):",
            "stamp = _stamp_of_day(store.runs / day)\n    if stamp:",
            (f"{INDEX}a_run_that_is_made_while_its_folder_is_looked_at_is_not_forgotten",),
        ),
        (
            "an end that was found not synced by who does not own it",
            *("engines/local/view.py", "files.sync(self._fd)", "pass", (FOUND_END,)),
        ),
        (
            "an end that was found not synced by who holds it",
            *(OWNERSHIP, "files.sync(lock.fd)\n\n\ndef take_over", "pass\n\n\ndef take_over"),
            (FOUND_END,),
        ),
    )
]


def bug_named(name: str) -> SeededBug:
    """The bug of this name. LookupError if there is none."""
    for bug in (*SEEDED_BUGS, UNCHANGED):
        if bug.name == name:
            return bug
    raise LookupError(f"there is no seeded bug {name!r}")
