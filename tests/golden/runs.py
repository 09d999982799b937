"""The runs of the golden store: every event with every field, and whatever a crash leaves behind.

They were made in 2020, which no clock shows any more: so a time and an id of theirs are known from
those of now. A new type of event takes a run more: what is in the store stays as it is.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from durably_cli.journal.events import (
    ErrorInfo,
    InputStored,
    LogWritten,
    ProgressReported,
    RunCancelled,
    RunCompleted,
    RunCompletedLarge,
    RunCreated,
    RunForked,
    RunHasFailed,
    RunInterrupted,
    RunRepaired,
    RunStarted,
)
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import (
    MapStarted,
    StepCancelled,
    StepCompleted,
    StepDiscarded,
    StepEntered,
    StepFailed,
    StepMarkedDone,
    StepOutdated,
    StepRetrying,
    StepStarted,
)
from durably_cli.journal.step_names import in_scope, item_of
from durably_cli.journal.wait_events import RunSuspended, SignalReceived, StepWaiting
from durably_cli.values.strict_json import Json
from tests.harness import sample_journals
from tests.harness.sample_journals import resealed
from tests.harness.strategies import lines_of

STORE = Path(__file__).parent / "store"
YEAR = "2020"
DAY = f"{YEAR}-02-03"

ODD = 'a "quoted"\\path\t\N{SNOWMAN} \N{PILE OF POO}\x00\u202e\x7f</script>'
"""A text with all that JSON, a terminal, a tab-separated row or a page must escape."""

_LARGE = b"[" + b",".join(b"%d" % n for n in range(15_000)) + b"]"
_ERROR = ErrorInfo("ValueError", "no\nmore", "Traceback (most recent call last):\nValueError: no")


class Golden(NamedTuple):
    """One run: its journal, and what stands beside it, by the name behind the run's id."""

    run: str
    journal: bytes
    beside: dict[str, bytes] = {}

    def files(self) -> dict[str, bytes]:
        """All of it, by the paths in a store."""
        named = {".jsonl": self.journal} | self.beside
        return {f"runs/{DAY}/{self.run}{suffix}": data for suffix, data in named.items()}


def run_id(number: int) -> str:
    """The id of a run; what people type of it is the number."""
    return f"01700939-11e0-7{number:03x}-8000-{number:012x}"


def _at(ms: int) -> str:
    return f"{DAY}T04:05:{ms / 1000:06.3f}Z"


def _compact(value: object) -> Json:
    return Json(json.dumps(value, separators=(",", ":")))


def _created(number: int, **more: object) -> RunCreated:
    return sample_journals.created(run=run_id(number), at=_at(0), **more)


def _two_steps(number: int, *rest: Event, **more: object) -> list[bytes]:
    """The lines of a run of two steps, and of what followed."""
    events: list[Event] = [
        _created(number, input=Json('{"n":3}'), project="/srv/app", pid=41, host="box", **more),
        RunStarted(1, 42, "box", _at(10), {"durably": "0.0.1", "python": "3.0.1"}, "sha256:5"),
        StepStarted("one", _at(20)),
        StepCompleted("one", 3, Json('{"a":[1,2.5,null,true],"b":"\\u2603"}'), _at(23)),
        StepStarted("two", _at(30)),
        StepCompleted("two", 1204, Json("null"), _at(1234)),
        *rest,
    ]
    return lines_of(events, run_id(number))


def _whole(number: int, lines: list[bytes], **beside: bytes) -> Golden:
    return Golden(run_id(number), b"".join(lines), beside)


def _completed() -> Golden:
    end = RunCompleted(Json('["done",0,-1.5e-07,{}]'), _at(1300))
    return _whole(1, _two_steps(1, end, idempotency_key="paid", labels={"a": "b"}))


def _unset() -> Golden:
    """Every event without the fields that may be left out."""
    events: list[Event] = [
        _created(2),
        RunStarted(1, 42, "box", _at(10)),
        LogWritten("info", "hello", _at(20)),
        ProgressReported(1, _at(30)),
        RunHasFailed(ErrorInfo("SystemExit", ""), _at(40)),
        RunStarted(2, 43, "box", _at(50)),
        RunInterrupted("SIGTERM", _at(60)),
        RunCancelled(_at(70)),
    ]
    return _whole(2, lines_of(events, run_id(2)))


def _odd() -> Golden:
    """Every event with all its fields, and all that must be escaped in each text."""
    versions, source, torn = {ODD: ODD}, f"sha256:{64 * 'a'}", f"{run_id(3)}.torn-1"
    events: list[Event] = [
        _created(
            3,
            job="odd",
            input=_compact({ODD: [ODD]}),
            idempotency_key=ODD,
            concurrency_key=ODD,
            labels={ODD: ODD, "team": "billing"},
            project=f"/{ODD}",
            pid=41,
            host=ODD,
        ),
        RunStarted(1, 42, ODD, _at(10), versions, source, 7, torn),
        StepStarted(ODD, _at(20)),
        LogWritten("warn", ODD, _at(30), ODD, {ODD: [1, 0.5, None, {"x": False}]}),
        LogWritten("error", "", _at(31), "other", {"n": 2**53}),
        ProgressReported(0.5, _at(40), 2.5, ODD),
        ProgressReported(2**53, _at(41), 3, ""),
        StepFailed(ODD, 25, ErrorInfo(ODD, ODD, ODD), _at(45)),
        RunHasFailed(_ERROR, _at(50), ODD),
        RunStarted(2, 43, "box", _at(60), source="sha256:6"),
        StepStarted(ODD, _at(61)),
        StepCompleted(ODD, 0, _compact(ODD), _at(61)),
        RunInterrupted("SIGINT", _at(70)),
        RunStarted(3, 44, "box", _at(80)),
        RunCancelled(_at(90), ODD, ODD, 3),
    ]
    return _whole(3, lines_of(events, run_id(3)))


def _failed() -> Golden:
    steps = StepStarted("pay", _at(1300)), StepFailed("pay", 9, _ERROR, _at(1309))
    end = RunHasFailed(_ERROR, _at(1310), "pay")
    return _whole(4, _two_steps(4, *steps, end, labels={"team": "billing"}))


def _interrupted() -> Golden:
    return _whole(5, _two_steps(5, StepStarted("pay", _at(1300)), concurrency_key="account 7"))


def _large() -> Golden:
    """Its third result stands in a file of its own."""
    name = f".blobs/{sha256(_LARGE).hexdigest()}"
    preview = f"{_LARGE[:200].decode()} ..."
    result = _compact({"$blob": run_id(6) + name, "bytes": len(_LARGE), "preview": preview})
    steps = StepStarted("large", _at(1300)), StepCompleted("large", 17, result, _at(1317))
    lines = _two_steps(6, *steps, RunCompleted(Json("15000"), _at(1320)))
    return _whole(6, lines, **{name: _LARGE})


def _cut_short() -> Golden:
    """A crash took the end of its last line."""
    *lines, last = _two_steps(7, LogWritten("info", "so far", _at(1300)))
    return _whole(7, [*lines, last[:50]])


def _zeroed() -> Golden:
    """A crash left zeros in place of the first of three lines that were never synced."""
    logs = (LogWritten("info", 600 * "x", _at(1300 + n)) for n in range(3))
    *lines, first, second, third = _two_steps(8, *logs)
    return _whole(8, [*lines, bytes(len(first)), second, third])


def _without_newline() -> Golden:
    """A crash took its last byte."""
    *lines, last = _two_steps(9, RunCompleted(Json("1"), _at(1300)))
    return _whole(9, [*lines, last[:-1]])


def _damaged() -> Golden:
    return _whole(10, _with_a_flipped_bit(_two_steps(10, RunCompleted(Json("1"), _at(1300)))))


def _repaired() -> Golden:
    """It was damaged too, then repaired, and killed when it was resumed."""
    damaged = _with_a_flipped_bit(_two_steps(11))
    good, lost = damaged[:4], damaged[4:]
    original, reason = ".damaged-1", "its checksum does not match"
    numbers = 5, sum(map(len, good)), reason, len(lost), sum(map(len, lost))
    more: list[Event] = [
        RunRepaired("ann", "box", *numbers, run_id(11) + original, _at(2000)),
        RunStarted(2, 44, "box", _at(2100)),
        StepStarted("two", _at(2110)),
    ]
    lines = good + lines_of(more, run_id(11), after=good)
    return _whole(11, lines, **{original: b"".join(damaged)})


def _with_a_flipped_bit(lines: list[bytes]) -> list[bytes]:
    return [*lines[:4], lines[4].replace(b"two", b"tvo"), *lines[5:]]


def _imported() -> Golden:
    """It was brought from elsewhere, and is read-only."""
    number = 12
    contents = {
        "run": run_id(number),
        "job": "work",
        "host": "box",
        "exported": _at(5000),
        "durably": "0.0.1",
        "source": "work.py",
        "input_sha256": None,
    }
    beside = {
        ".imported": _compact(contents).encode(),
        ".source": b"from durably_cli import Step\n",
    }
    return _whole(number, _two_steps(number, StepStarted("pay", _at(1300))), **beside)


def _newer_event() -> Golden:
    """A newer durably wrote a type of event that this one does not know."""
    lines = _two_steps(13, StepStarted("new", _at(1300)))
    return _whole(13, _changed(13, lines, 7, b"step.started", b"step.dreamt"))


def _newer_format() -> Golden:
    """A newer durably wrote all of it in a format of its own."""
    return _whole(14, _changed(14, _two_steps(14), 1, b'"format":1', b'"format":2'))


def _in_a_folder() -> Golden:
    """A run that Python triggered, and the second attempt of which ran in another folder."""
    events: list[Event] = [
        _created(15, project="/srv/app", folder="/home/ann"),
        RunStarted(1, 42, "box", _at(10)),
        RunHasFailed(_ERROR, _at(40)),
        RunStarted(2, 43, "box", _at(50), folder="/home/bob"),
        RunCompleted(Json("1"), _at(60)),
    ]
    return _whole(15, lines_of(events, run_id(15)))


def _carried() -> Golden:
    """A failure that the handler went on after, and one that came from two steps."""
    refused = {"result": [1, None], "schema": None}
    raised = {"class": "builtins:KeyError", "args": ["x"], "attributes": {"code": 4}}
    events: list[Event] = [
        _created(16, project="/srv/app", folder="/srv/app"),
        RunStarted(1, 42, "box", _at(10)),
        StepStarted("card", _at(20)),
        StepFailed("card", 1, _ERROR, _at(21), raised),
        StepStarted("invoice", _at(30), ["card"]),
        RunStarted(2, 43, "box", _at(50)),
        StepDiscarded("card", "ann", _at(51)),
        StepStarted("card", _at(60)),
        StepFailed("card", 1, _ERROR, _at(61), {"class": "pay:Local"}, refused=refused),
        StepStarted("invoice", _at(70), ["card"]),
        StepFailed("invoice", 1, _ERROR, _at(71), raised),
        RunHasFailed(_ERROR, _at(80), "invoice", ["invoice", "card"]),
    ]
    return _whole(16, lines_of(events, run_id(16)))


def _large_everywhere() -> Golden:
    """Its input, a log line, errors and its output stand in files of their own."""
    files, named = dict[str, bytes](), list[dict[str, object]]()
    for suffix, data in ((".input-", _LARGE), (".blobs/", b'{"message":"so much","data":{"n":1}}')):
        name = suffix + sha256(data).hexdigest()
        preview = data.decode() if len(data) <= 200 else f"{data[:200].decode()} ..."
        named.append({"$blob": run_id(17) + name, "bytes": len(data), "preview": preview})
        files[name] = data
    given, whole = named
    events: list[Event] = [
        _created(17, input=_compact(given), input_bytes=len(_LARGE)),
        InputStored(_at(0)),
        RunStarted(1, 42, "box", _at(10)),
        LogWritten("info", "so much", _at(20), whole=whole),
        StepStarted("one", _at(30)),
        StepFailed("one", 3, _ERROR, _at(33), whole=whole),
        RunHasFailed(_ERROR, _at(40), "one", whole=whole),
        RunStarted(2, 43, "box", _at(50)),
        RunCompletedLarge(_compact(whole), _at(60)),
    ]
    return _whole(17, lines_of(events, run_id(17)), **files)


def _said() -> Golden:
    """Log lines of every source, one with a traceback."""
    traceback = {"traceback": _ERROR.traceback}
    logs = (
        LogWritten("debug", "hello", _at(1300)),
        LogWritten("error", "broken", _at(1301), "two", traceback, source="billing.mail"),
        LogWritten("warn", "DeprecationWarning: old", _at(1302), source="py.warnings"),
        LogWritten("info", "as it is printed", _at(1303), "two", source="stdout"),
    )
    return _whole(18, _two_steps(18, *logs, RunCompleted(Json("[1,2]"), _at(1310))))


def _retried() -> Golden:
    """One step that was tried three times, and one that was killed in the pause after its first."""
    error = _compact(_ERROR._asdict()).encode()
    name = f".blobs/{sha256(error).hexdigest()}"
    whole = {"$blob": run_id(19) + name, "bytes": len(error), "preview": error.decode()}
    events: list[Event] = [
        _created(19),
        RunStarted(1, 42, "box", _at(10)),
        StepStarted("fetch", _at(20)),
        StepRetrying("fetch", 1, 3, 5, _ERROR, _at(1025), _at(25)),
        StepStarted("fetch", _at(1025)),
        StepRetrying("fetch", 2, 3, 5, _ERROR, _at(3030), _at(1030), whole),
        StepStarted("fetch", _at(3030)),
        StepFailed("fetch", 5, _ERROR, _at(3035), tries=3),
        StepStarted("fetch-elsewhere", _at(3040)),
        StepRetrying("fetch-elsewhere", 1, 5, 4, _ERROR, _at(9000), _at(3044)),
    ]
    return _whole(19, lines_of(events, run_id(19)), **{name: error})


def _cancelled() -> Golden:
    """One that somebody gave up, and said why."""
    events: list[Event] = [
        _created(20),
        RunStarted(1, 42, "box", _at(10)),
        StepStarted("one", _at(20)),
        RunCancelled(_at(500), "wrong month", "ann", 1),
    ]
    return _whole(20, lines_of(events, run_id(20)))


def _forked() -> Golden:
    """A fork of the first one, with a step in doubt that stops, and what was decided of others."""
    code = "jobs/work.py:one:1a2b3c4d"
    again = StepDiscarded("one", "ann", _at(51), "5" * 64, 3, True)
    changed = StepDiscarded("two", "", _at(52), "6" * 64, 1204, why="out.csv is gone")
    named = {"$file": "out.csv", "size": 2, "mtime": None, "sha256": "7" * 64}
    events: list[Event] = [
        _created(21, project="/srv/app", folder="/srv/app"),
        StepStarted("one", _at(20), [], code),
        StepCompleted("one", 3, _compact({"of": [named]}), _at(23)),
        StepStarted("two", _at(30)),
        StepCompleted("two", 1204, _compact(named), _at(1234)),
        StepStarted("three", _at(1240), [], "-"),
        StepCompleted("three", 2, Json("3"), _at(1242)),
        RunForked(run_id(1), "ann", _at(1250), {"pay": [run_id(1), 0]}),
        RunStarted(1, 42, "box", _at(1260)),
        again,
        changed,
        StepStarted("one", _at(1270), [], code),
        StepOutdated("three", "one", _at(1280), 2),
        StepOutdated("four", "one", _at(1280)),
        StepCompleted("one", 3, Json("1"), _at(1281)),
        StepStarted("pay", _at(1300), [], "-"),
        StepEntered("pay", "stop", _at(1300)),
        StepMarkedDone("two", "ann", Json("2"), _at(1310)),
    ]
    return _whole(21, lines_of(events, run_id(21)))


def _forked_again() -> Golden:
    """A fork of that, of which nothing was left but a step that is looked for."""
    events: list[Event] = [
        _created(22, project="/srv/app", folder="/srv/app"),
        RunForked(run_id(21), "ann", _at(10)),
        RunStarted(1, 42, "box", _at(20)),
        StepStarted("pay", _at(30)),
        StepEntered("pay", "look", _at(30), True),
    ]
    return _whole(22, lines_of(events, run_id(22)))


def _in_a_transaction() -> Golden:
    """A process that was killed in a transaction: it is in no doubt, its database knows."""
    events: list[Event] = [
        _created(23),
        RunStarted(1, 42, "box", _at(20)),
        StepStarted("row", _at(30), [], "-", "database"),
    ]
    return _whole(23, lines_of(events, run_id(23)))


def _mapped() -> Golden:
    """A map that was killed, in which one item has failed, and one has steps of its own."""
    during = StepFailed("before", 1, _ERROR, _at(31))
    user = item_of("users", "ann")
    events: list[Event] = [
        _created(24),
        RunStarted(1, 42, "box", _at(20)),
        StepStarted("before", _at(30)),
        during,
        MapStarted("fetch", _at(32), ["before"]),
        StepStarted(item_of("fetch", "a.html"), _at(33), [], "-"),
        StepStarted(item_of("fetch", ODD), _at(34)),
        StepCompleted(item_of("fetch", "a.html"), 2, Json("1"), _at(35)),
        StepFailed(item_of("fetch", ODD), 3, _ERROR, _at(37)),
        StepCompleted("fetch", 6, _compact({"items": 2, "failed": [ODD]}), _at(38)),
        MapStarted("users", _at(39)),
        StepStarted(in_scope(user, "upload"), _at(40)),
        StepCompleted(in_scope(user, "upload"), 1, Json("2"), _at(41)),
        StepStarted(item_of(in_scope(user, "files"), "1.txt"), _at(42)),
    ]
    return _whole(24, lines_of(events, run_id(24)))


def _counted() -> Golden:
    """A map of which it was known how many items it has, killed in the second."""
    first, second = item_of("fetch", "1"), item_of("fetch", "2")
    events: list[Event] = [
        _created(25),
        RunStarted(1, 42, "box", _at(20)),
        MapStarted("fetch", _at(32), [], 2),
        StepStarted(first, _at(33), [], "-"),
        StepStarted(second, _at(33)),
        StepCompleted(first, 2, Json("1"), _at(35)),
    ]
    return _whole(25, lines_of(events, run_id(25)))


def _keyed() -> Golden:
    """A map whose items are known by keys, killed in its second one."""
    first, second = item_of("pay", "ann"), item_of("pay", "bob")
    events: list[Event] = [
        _created(26),
        RunStarted(1, 42, "box", _at(20)),
        MapStarted("pay", _at(32), [], 2),
        StepStarted(first, _at(33), [], "-", "", "0d9c5eae"),
        StepStarted(second, _at(33), [], "", "", "39f86712"),
        StepCompleted(first, 2, Json("1"), _at(35)),
    ]
    return _whole(26, lines_of(events, run_id(26)))


def _given_up() -> Golden:
    """A handler that went on when a step of its took too long."""
    events: list[Event] = [
        _created(28),
        RunStarted(1, 42, "box", _at(20)),
        StepStarted("fetch", _at(32), [], "-"),
        StepCancelled("fetch", 2000, _at(2032)),
        StepStarted("fetch from the mirror", _at(2033)),
        StepCompleted("fetch from the mirror", 5, Json("3"), _at(2038)),
        RunCompleted(Json("3"), _at(2040)),
    ]
    return _whole(28, lines_of(events, run_id(28)))


def _waiting() -> Golden:
    """It slept, received a signal, and is suspended with two waits open."""
    asked = {"type": "integer"}
    events: list[Event] = [
        _created(29),
        RunStarted(1, 42, "box", _at(20)),
        StepWaiting("nap", "sleep", _at(30), _at(530)),
        StepCompleted("nap", 500, Json("null"), _at(530)),
        StepStarted("fetch", _at(531), [], "-"),
        StepFailed("fetch", 3, _ERROR, _at(534), {"class": "builtins:OSError", "args": ["gone"]}),
        StepWaiting("mirror", "signal", _at(540), "", ["fetch"], "Which one?", asked),
        SignalReceived("mirror", Json("3"), "ann", _at(600), _at(700)),
        StepCompleted("mirror", 160, Json("3"), _at(701)),
        StepWaiting("answer", "signal", _at(702), "", [], "", asked, True),
        StepWaiting("child", "run", _at(702), child=run_id(1)),
        StepWaiting("ready", "poll", _at(702), _at(59_000)),
        RunSuspended(_at(703), _at(5000)),
        RunStarted(2, 43, "box", _at(5001)),
        RunSuspended(_at(5003)),
    ]
    return _whole(29, lines_of(events, run_id(29)))


def _left() -> Golden:
    """Its code was another one when it went on: it did not come to a step that had waited."""
    events: list[Event] = [
        _created(31),
        RunStarted(1, 42, "box", _at(20)),
        StepWaiting("answer", "signal", _at(30), "", [], "Yes?", {"type": "boolean"}),
        RunSuspended(_at(31)),
        RunStarted(2, 43, "box", _at(40)),
        StepWaiting("reply", "signal", _at(50), "", [], "Yes?", {"type": "boolean"}),
        RunSuspended(_at(51), left=["answer"]),
    ]
    return _whole(31, lines_of(events, run_id(31)))


def _child() -> Golden:
    """It is a step of another run."""
    return _whole(30, lines_of([_created(30, parent=run_id(29))], run_id(30)))


def _side_by_side() -> Golden:
    """The power went while three results waited for the same sync: the disk has the last one."""
    items = [item_of("fetch", str(number)) for number in range(4)]
    events: list[Event] = [
        _created(27),
        RunStarted(1, 42, "box", _at(20)),
        MapStarted("fetch", _at(32), [], 4),
        *(StepStarted(item, _at(33 + n), [], "" if n else "-") for n, item in enumerate(items)),
        *(StepCompleted(item, 2, Json("1"), _at(40 + n)) for n, item in enumerate(items)),
    ]
    lines = lines_of(events, run_id(27))
    first = events.index(StepCompleted(items[0], 2, Json("1"), _at(40)))
    synced_to = sum(map(len, lines[: first + 1]))
    for number in range(first + 2, len(lines) + 1):
        lines = resealed(
            lines, number, lambda body: body + b',"synced_to":%d' % synced_to, run_id(27)
        )
    lines[first + 1] = bytes(len(lines[first + 1]))
    return _whole(27, lines)


def _changed(run: int, lines: list[bytes], number: int, old: bytes, new: bytes) -> list[bytes]:
    return resealed(lines, number, lambda line: line.replace(old, new), run_id(run))


RUNS = {
    made.__name__.strip("_").replace("_", "-"): made()
    for made in (
        *(_completed, _unset, _odd, _failed, _interrupted, _large, _cut_short, _zeroed),
        *(_without_newline, _damaged, _repaired, _imported, _newer_event, _newer_format),
        *(_in_a_folder, _carried, _large_everywhere, _said, _retried, _cancelled),
        *(_forked, _forked_again, _in_a_transaction, _mapped, _counted, _keyed, _side_by_side),
        *(_given_up, _waiting, _child, _left),
    )
}
"""By what is remarkable about them, in the order of their numbers."""


def _claim(job: str, key: str, **claim: str) -> dict[str, bytes]:
    name = sha256(_compact([job, key]).encode()).hexdigest()
    return {f"keys/{name}": _compact(claim).encode() + b"\n"}


def files() -> dict[str, bytes]:
    """All files of the store, by their paths in it: the runs, and the claims of their keys."""
    digest = sha256(b'{"n":3}').hexdigest()
    found = _claim("work", "paid", run=run_id(1), input_sha256=digest)
    found |= _claim("odd", ODD, run=run_id(3), input_sha256=sha256(b"{}").hexdigest())
    found |= _claim("work", "gone", run=run_id(99), input_sha256=digest, deleted=_at(9000))
    for run in RUNS.values():
        found |= run.files()
    return found
