"""The seeded bugs: one safeguard after the other switched off, and the parts that must see it."""

from __future__ import annotations

from tests.crash.mutants import Mutant

MUTANTS = (
    Mutant(
        "no fdatasync",
        "files.py",
        "        os.fdatasync(fd)",
        "        pass",
        (
            "power_cuts.py::test_every_promise_outlives_a_power_cut",
            "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing",
            "system_calls.py::test_the_order_of_system_calls",
        ),
    ),
    Mutant(
        "sync retried after a failure",
        "journal.py",
        """\
                if type(event) in DURABLE:
                    files.sync(self._lock.fd)
""",
        """\
                if type(event) in DURABLE:
                    try:
                        files.sync(self._lock.fd)
                    except OSError:
                        files.sync(self._lock.fd)
""",
        (
            "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing[FAULT-ext4]",
            "failing_disk.py::test_a_run_whose_disk_fails_stops_and_loses_nothing[FAULT-xfs]",
            "system_calls.py::test_a_failed_sync_of_a_result_is_told_and_never_tried_again",
        ),
    ),
    Mutant(
        "rename without sync",
        "journal.py",
        """\
            files.sync(fd)
        os.rename(temporary, path)
""",
        """\
        os.rename(temporary, path)
""",
        (
            "power_cuts.py::test_every_promise_outlives_a_power_cut",
            "system_calls.py::test_the_order_of_system_calls[resume]",
        ),
    ),
    Mutant(
        "line 0 not synced before its name",
        "journal.py",
        """\
            files.write_all(fd, data)
            files.sync(fd)
""",
        """\
            files.write_all(fd, data)
""",
        (
            "power_cuts.py::test_every_promise_outlives_a_power_cut",
            "system_calls.py::test_the_order_of_system_calls[create]",
        ),
    ),
    Mutant(
        "no folder sync",
        "files.py",
        "        os.fsync(fd)\n",
        "        pass\n",
        (
            "power_cuts.py::test_every_promise_outlives_a_power_cut",
            "system_calls.py::test_the_order_of_system_calls",
        ),
    ),
    Mutant(
        "no truncate on error",
        "journal.py",
        "            os.ftruncate(self._lock.fd, self._end)\n",
        "            pass\n",
        (
            "system_calls.py::test_a_failed_sync_of_a_result_is_told_and_never_tried_again",
            "full_disk.py::test_a_disk_that_ends_at_some_bytes_of_some_records",
        ),
    ),
    Mutant(
        "a key claimed after its run",
        "triggers.py",
        """\
        created = self._created(self._claim(run_id), settled.input)
        run = self._store.create(created)
""",
        """\
        created = self._created(run_id, settled.input)
        run = self._store.create(created)
        self._claim(run_id)
""",
        ("system_calls.py::test_the_order_of_system_calls[claim and create]",),
    ),
    Mutant(
        "a found claim is not synced",
        "triggers.py",
        "        self._claims.sync()\n",
        "",
        ("system_calls.py::test_the_order_of_system_calls[create for a claim]",),
    ),
    Mutant(
        "a new folder not synced in its parent",
        "files.py",
        "    sync_folder(folder.parent)\n",
        "",
        ("system_calls.py::test_the_order_of_system_calls[create]",),
    ),
    Mutant(
        "step.started not written",
        "step.py",
        "        self.emit(StepStarted(name, clock.now()))\n",
        "",
        ("system_calls.py::test_the_order_of_system_calls[create]",),
    ),
    Mutant(
        "step.completed written before the function is called",
        "step.py",
        "        self.emit(StepStarted(name, clock.now()))\n",
        """\
        self.emit(StepStarted(name, clock.now()))
        self.emit(StepCompleted(name, 0, Json("null"), clock.now()))
""",
        ("system_calls.py::test_the_order_of_system_calls[create]",),
    ),
    Mutant(
        "markup printed",
        "render/talk.py",
        '            self._stream.write(visible(text) + "\\n")\n',
        """\
            from rich.markup import render

            self._stream.write(render(visible(text)).plain + "\\n")
""",
        ("hostile_text.py::test_what_a_run_holds_is_shown_as_text",),
    ),
    Mutant(
        "control characters printed",
        "render/text.py",
        """\
    return character.encode("unicode_escape").decode("ascii")
""",
        """\
    return character
""",
        ("hostile_text.py::test_what_a_run_holds_is_shown_as_text",),
    ),
    Mutant(
        "bidi shown raw",
        "render/text.py",
        "    if character.isprintable():\n",
        '    if character.isprintable() or character in "\\u202d\\u202e\\u2066\\u2067":\n',
        ("hostile_text.py::test_what_a_run_holds_is_shown_as_text",),
    ),
    Mutant(
        "HTML not escaped",
        "render/page.py",
        "    return escape(visible(text))\n",
        "    return visible(text)\n",
        ("hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text",),
    ),
    Mutant(
        "SVG not escaped",
        "render/picture.py",
        '    return escape(visible(text), {\'"\': "&quot;"})\n',
        "    return visible(text)\n",
        ("hostile_text.py::test_json_gives_it_back_and_pages_and_pictures_hold_it_as_text",),
    ),
    Mutant(
        "links followed",
        "files.py",
        "fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK",
        "fd = os.open(path, flags | os.O_NONBLOCK",
        ("places.py::test_a_claim_that_is_a_link_stands_for_no_run",),
    ),
    Mutant(
        "any kind of file opened",
        "files.py",
        "    if not stat.S_ISREG(os.fstat(fd).st_mode):\n",
        "    if False:\n",
        ("places.py::test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other",),
    ),
    Mutant(
        "a FIFO waited on",
        "files.py",
        "os.O_NOFOLLOW | os.O_NONBLOCK |",
        "os.O_NOFOLLOW |",
        ("places.py::test_a_run_that_is_no_plain_file_is_unreadable_and_hides_no_other[fifo]",),
    ),
    Mutant(
        "ids not checked",
        "bundle.py",
        "not isinstance(contents.run, str) or not ids.is_id(contents.run)",
        "not isinstance(contents.run, str)",
        ("names.py::test_a_bundle_leads_nowhere",),
    ),
    Mutant(
        "names of jobs not checked",
        "discovery.py",
        "    if not NAME.fullmatch(name):\n",
        "    if not name:\n",
        ("names.py::test_a_name_leads_nowhere_but_into_the_store",),
    ),
    Mutant(
        "list imports the jobs",
        "listing.py",
        """\
    store = paths.open_store(project)
    if watch:
""",
        """\
    from durably_cli.discovery import load_all

    load_all(project)
    store = paths.open_store(project)
    if watch:
""",
        ("job_modules.py::test_only_commands_that_run_jobs_import_them",),
    ),
    Mutant(
        "umask decides",
        "files.py",
        "    os.fchmod(fd, 0o600)\n    return fd, path\n",
        "    return fd, path\n",
        ("places.py::test_folders_and_files_are_private_whatever_the_umask",),
    ),
    Mutant(
        "crc not checked",
        "codec.py",
        """\
    if data[-CRC_BYTES:] != b',"crc":"%08x"}' % crc:
""",
        """\
    if False:
""",
        (
            "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
            "bytes_commands.py::test_32_damaged_runs_are_refused_by_every_command_with_their_place",
        ),
    ),
    Mutant(
        "seq not checked",
        "codec.py",
        """\
    if not data.startswith(b'{"seq":%d,' % seq):
""",
        """\
    if False:
""",
        (
            "bytes_resealed.py::test_a_wrong_seq_with_the_right_checksum_is_damage_at_every_line",
            "bytes_commands.py::test_32_damaged_runs_are_refused_by_every_command_with_their_place",
        ),
    ),
    Mutant(
        "duplicate keys accepted",
        "strict.py",
        "    if len(fields) != len(pairs):",
        "    if False:",
        ("bytes_resealed.py",),
    ),
    Mutant(
        "bad lines skipped",
        "reader.py",
        """\
                            yield from self._judge(file, lines[0], str(bad))
                            return
""",
        """\
                            self.end += len(lines.pop(0))
                            continue
""",
        (
            "bytes.py::test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn",
            "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
            "fuzz.py",
            "state_machine.py",
        ),
    ),
    Mutant(
        "a torn tail appended to",
        "journal.py",
        """\
    while done < reading.end:
        data = os.pread(source, min(_COPY_BYTES, reading.end - done), done)
""",
        """\
    while done < os.fstat(source).st_size:
        data = os.pread(source, _COPY_BYTES, done)
""",
        (
            "bytes_commands.py::test_a_run_cut_at_any_byte_is_resumed_and_told_what_was_dropped",
            "state_machine.py",
        ),
    ),
    Mutant(
        "checksums of plain steps not looked at",
        "plain_steps.py",
        "        _alike([int(digits, 16) for digits in shown], crcs),\n",
        "        len(crcs),\n",
        ("bytes.py::test_every_flipped_bit_is_damage_at_its_line",),
    ),
    Mutant(
        "newline required",
        "reader.py",
        '        record = data.removesuffix(b"\\n")\n',
        "        record = data[:-1]\n",
        ("bytes.py::test_a_cut_at_every_byte_keeps_every_whole_line_and_drops_the_rest_as_torn",),
    ),
    Mutant(
        "damage taken for a torn tail",
        "reader.py",
        "        if not (_is_cut_short(rest, self.lines) or _has_zeroed_sector(data, self.end)):\n",
        "        if False:\n",
        (
            "bytes.py::test_every_flipped_bit_is_damage_at_its_line",
            "bytes.py::test_bytes_that_no_crash_leaves_are_damage",
        ),
    ),
    Mutant(
        "a torn tail taken for damage",
        "reader.py",
        "        if not (_is_cut_short(rest, self.lines) or _has_zeroed_sector(data, self.end)):\n",
        "        if not _is_cut_short(rest, self.lines):\n",
        (
            "bytes.py::test_zeroed_sectors_of_the_unsynced_tail_in_every_pattern_are_a_torn_tail",
            "state_machine.py",
        ),
    ),
    Mutant(
        "a durable event dropped with a torn tail",
        "reader.py",
        '            if isinstance(codec.looks_whole(data.lstrip(b"\\0")), tuple(DURABLE)):\n',
        "            if False:\n",
        ("bytes.py::test_a_zeroed_sector_with_a_durable_event_behind_it_is_damage",),
    ),
    Mutant(
        "raw value on the first run",
        "step.py",
        "            text, back = values.round_trip(converter, value)\n",
        "            text, back = values.round_trip(converter, value)[0], value\n",
        ("values.py::test_every_value_is_the_same_on_the_first_run_and_on_the_replay",),
    ),
    Mutant(
        "what comes back different is not refused",
        "values.py",
        "    if found:\n        raise ValueRefused(*found)\n",
        "",
        ("values.py::test_what_json_would_change_is_refused_with_its_place_and_the_fix",),
    ),
    Mutant(
        "a result taken for a reference",
        "blobs.py",
        "    return len(result) > LIMIT or result.startswith(_MARK)\n",
        "    return len(result) > LIMIT\n",
        ("values.py", "state_machine.py"),
    ),
    Mutant(
        "a removed run's key not buried",
        "removal.py",
        "        elif claim is not None and not claim[1].deleted:\n",
        "        elif False:\n",
        ("state_machine.py",),
    ),
    Mutant(
        "no lock",
        "locks.py",
        "        while not _set(fd, wait=False):\n",
        "        while False:\n",
        (
            "many_at_once.py::test_6_resumes_of_one_run_are_one_execution_and_6_who_list_it_see_it_whole",
            "processes_left_behind.py::test_children_that_live_or_have_ended_take_no_run_from_its_owner",
            "keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not",
        ),
    ),
    Mutant(
        "unlock in the child",
        "locks.py",
        "        if is_ours:\n",
        """\
        if is_ours:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK))
""",
        (
            "processes_left_behind.py::test_children_that_live_or_have_ended_take_no_run_from_its_owner",
        ),
    ),
    Mutant(
        "children keep locks",
        "locks.py",
        "os.register_at_fork(after_in_child=_forget_after_fork)\n",
        "",
        (
            "processes_left_behind.py::test_children_that_outlive_a_killed_owner_do_not_hold_its_run",
        ),
    ),
    Mutant(
        "exists-then-create",
        "files.py",
        "        os.link(temporary, target, follow_symlinks=False)\n",
        """\
        if target.exists():
            raise FileExistsError
        os.rename(temporary, target)
        os.close(os.open(temporary, os.O_CREAT, 0o600))
""",
        (
            "many_at_once.py::test_a_trigger_that_is_stopped_at_each_call_while_another_has_its_key_makes_no_second_run",
        ),
    ),
    Mutant(
        "a concurrency key not locked",
        "keys.py",
        "            lock = locks.acquire(_open(path))\n",
        "            lock = locks.acquire(os.open(self._folder, os.O_TMPFILE | os.O_RDWR))\n",
        ("keys.py::test_runs_that_share_a_concurrency_key_never_overlap_killed_or_not",),
    ),
    Mutant(
        "inode not checked by who waited",
        "journal.py",
        "        if lock.names(path):\n",
        "        if True:\n",
        ("kills.py::test_runs_killed_at_200_random_moments_execute_no_acknowledged_step_again",),
    ),
    Mutant(
        "replay switched off",
        "step.py",
        "        if name in self._results:\n",
        "        if False:\n",
        (
            "processes.py::test_a_step_that_ends_in_an_odd_way[leaves at once]",
            "kills.py::test_runs_killed_at_200_random_moments_execute_no_acknowledged_step_again",
        ),
    ),
    Mutant(
        "signals raised inside an append",
        "interrupts.py",
        "    if not _noted.shields:\n",
        "    if True:\n",
        ("signals.py::test_a_signal_at_each_call_stops_the_run_which_goes_on",),
    ),
    Mutant(
        "a second signal ignored",
        "interrupts.py",
        "    if _noted.signum is not None:\n        try:\n",
        "    if _noted.signum is not None:\n        return\n        try:\n",
        (
            "terminals.py::test_ctrl_c_typed_twice_ends_the_process_at_once_and_the_run_can_be_resumed",
        ),
    ),
    Mutant(
        "durations by the wall clock",
        "step.py",
        'T = TypeVar("T")\n',
        """\
T = TypeVar("T")
_wall = time.time


class time:
    perf_counter = staticmethod(_wall)


""",
        ("clocks.py::test_a_run_is_completed_and_told_of_whatever_the_clock_shows[going back]",),
    ),
)
"""In the order of what they harm: the disk, screens, the journal, values, locks."""
