"""All trials of a job, and what comes of them; whatever happens, what is watched is put back."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from durably_cli.cli.crash_test.findings import findings_of, tried_of
from durably_cli.cli.crash_test.judging import Fault, Judge
from durably_cli.cli.crash_test.outside import Marks
from durably_cli.cli.crash_test.places import AskedFor, drawn_from, only_first_of_family, places_of
from durably_cli.cli.crash_test.processes import Processes
from durably_cli.cli.crash_test.trial import STUCK, TOOK_TOO_LONG, SeenRun, Subject, Trials
from durably_cli.cli.crash_test.unseen import unseen_of
from durably_cli.cli.crash_test.watched import Watched
from durably_cli.errors import Interrupted, RunFailed, UsageError
from durably_cli.journal.masking import Secrets
from durably_cli.system import files, signals
from durably_cli.system.folders import cache_folder, data_folder
from durably_cli.values.quantities import plural

if TYPE_CHECKING:
    from durably_cli.render.crash_types import CrashReport

_FOLDER = "crash-tests"
_SLACK, _LEAST_SECONDS = 20, 30.0
_NEXT_SECOND = 1.05


Progress = Callable[[int, int, str], object]


def crash_everywhere(
    subject: Subject,
    paths: Sequence[str],
    limit: int,
    say: Callable[[str], object],
    progress: Progress,
) -> CrashReport:
    """Kill runs of the job at so many places, 0 for all, and resume them."""
    begun = time.monotonic()
    with _folder_of_its_own(say) as folder:
        watched = Watched(paths, folder / "copies", [data_folder(), cache_folder()])
        watched.copy()
        if watched.paths:
            say(f"copies of what is watched are in {folder / 'copies'} until it is put back")
        with _put_back_in_the_end(watched), Processes(subject.project, folder) as processes:
            trials = Trials(subject, watched, processes, folder)
            report = _tried(trials, watched, limit, progress, subject.secrets())
    report["seconds"] = round(time.monotonic() - begun, 1)
    return report


def _tried(
    trials: Trials, watched: Watched, limit: int, progress: Progress, secrets: Secrets
) -> CrashReport:
    progress(0, 0, "an undisturbed run")
    begun = time.monotonic()
    reference = trials.undisturbed(records=True)
    took = time.monotonic() - begun
    _refuse_endless(reference)
    marks = Marks([str(path) for path in watched.paths])
    time.sleep(_NEXT_SECOND)  # so that what has the time in it is another one
    _refuse_written_by_others(marks.changed())
    control = trials.undisturbed(records=False)
    trials.seconds = _LEAST_SECONDS + _SLACK * took
    asked = AskedFor()
    asked.add(reference.before)
    places = only_first_of_family(places_of(reference.before), asked)
    chosen = drawn_from(places, asked, limit)
    all_seen = list[SeenRun]()
    for number, place in enumerate(chosen, 1):
        progress(number, len(chosen), place.step or place.what)
        all_seen.append(trials.at(place))
    _refuse_unkilled(all_seen)
    judge = Judge(reference, control, all_seen)
    judged: list[tuple[SeenRun, list[Fault]]] = [(seen, judge.faults(seen)) for seen in all_seen]
    killed = [faults for seen, faults in judged if seen.was_killed]
    return {
        "job": reference.job,
        "status": reference.status,
        "reason": ": ".join(filter(None, reference.error)) or None,
        "places": len(places),
        "trials": len(killed),
        "held": sum(not faults for faults in killed),
        "seconds": 0.0,
        "watched": [str(path) for path in watched.paths],
        "tried": tried_of(judged, judge.asked),
        "findings": findings_of(judged, judge.asked, secrets),
        "unseen": unseen_of(reference, all_seen, watched.paths, len(places) - len(chosen)),
    }


def _refuse_endless(reference: SeenRun) -> None:
    """UsageError, or RunFailed, if an undisturbed run does not come to its end."""
    if reference.has_ended:
        return
    if reference.status != STUCK:
        error = ": ".join(filter(None, reference.error))
        ended = f"an undisturbed run is {reference.status} in the end"
        raise RunFailed(f"{ended}: {error}" if error else ended)
    if reference.error[0] == TOOK_TOO_LONG:
        raise RunFailed(f"an undisturbed run has not ended in {reference.error[1]}")
    step = next(iter(reference.before.in_flight), "")
    raise UsageError(
        f"step {step} waits for what does not come: a signal that nobody sends, or something that "
        "only time brings, which passes at once here",
        hint=f"--signal {step}='JSON'    (sends it that, each time)",
    )


def _refuse_unkilled(trials: Sequence[SeenRun]) -> None:
    """RunFailed if all went well because nothing was killed: that shows nothing."""
    if not any(seen.was_killed for seen in trials):
        many = plural(len(trials), "run")
        raise RunFailed(f"nothing was killed: none of {many} came to the place that it was to")


def _refuse_written_by_others(changed: Sequence[str]) -> None:
    """UsageError for what has changed while no run was executed."""
    for path in changed:
        raise UsageError(
            f"--watch: {path} has changed while no run was executed: something else writes there, "
            "or what the job has started and left",
            hint="watch a copy that only the job writes to",
        )


@contextmanager
def _folder_of_its_own(say: Callable[[str], object]) -> Iterator[Path]:
    """A folder for copies and stores; it goes, unless what is watched could not be put back."""
    parent = cache_folder() / _FOLDER
    files.make_folder(parent)
    for left in sorted(parent.iterdir()):
        _say_what_was_left(left, say)
    folder = Path(tempfile.mkdtemp(dir=parent))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        if not (folder / "copies" / _NOT_PUT_BACK).exists():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


_NOT_PUT_BACK = "not-put-back"


def _say_what_was_left(folder: Path, say: Callable[[str], object]) -> None:
    """Of a test that was killed itself: its copies may be all there is of what it watched."""
    with suppress(OSError):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another one is at work
            return
        finally:
            os.close(fd)
        if (folder / "copies" / "names").exists():
            say(
                f"a test was killed before it had put back what it watched: look at "
                f"{folder / 'copies' / 'names'}, and remove {folder} then"
            )
        else:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _put_back_in_the_end(watched: Watched) -> Iterator[None]:
    mark = watched.copies / _NOT_PUT_BACK
    signals.install()
    try:
        yield
    except Interrupted as stopped:
        stopped.what = "stopped; what is watched is put back as it was"
        raise
    finally:
        for signum in signals.SIGNALS:  # a second Ctrl-C is not to end it halfway
            signal.signal(signum, signal.SIG_IGN)
        try:
            if watched.paths:
                files.make_folder(watched.copies)
                mark.touch()
            watched.put_back()
            mark.unlink(missing_ok=True)
        finally:
            for signum in signals.SIGNALS:
                signal.signal(signum, signal.SIG_DFL)
