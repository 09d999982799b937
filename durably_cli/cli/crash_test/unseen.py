"""What a test of crashes does not see, or has not tried: it is said, whatever was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from durably_cli.cli.crash_test.trial import SeenRun
from durably_cli.cli.crash_test.watched import BESIDE
from durably_cli.render.words import listed
from durably_cli.values.quantities import plural

_SHOWN = 5


def unseen_of(
    reference: SeenRun, trials: Sequence[SeenRun], watched: Sequence[Path], left_out: int
) -> list[str]:
    """In sentences."""
    return [
        *_failure(reference),
        *_left_out(left_out),
        *_not_met(trials),
        *_not_there(reference, watched),
        *_touched(reference, watched),
        *_programs(reference),
        *_waits(reference),
    ]


def _failure(reference: SeenRun) -> Iterator[str]:
    if reference.status != "completed":
        error = ": ".join(filter(None, reference.error)).split("\n", 1)[0]
        yield f"what comes behind the failure of an undisturbed run: {error}"


def _left_out(many: int) -> Iterator[str]:
    if many:
        yield f"{plural(many, 'place')} of the kinds that were tried: --limit 0 tries all"


def _not_met(trials: Sequence[SeenRun]) -> Iterator[str]:
    many = sum(not seen.was_killed for seen in trials)
    if many:
        yield f"{plural(many, 'place')} that a run did not come to once more: not killed there"


def _not_there(reference: SeenRun, watched: Sequence[Path]) -> Iterator[str]:
    changed = {note["path"] for note in reference.before.of("changed")}
    for path in watched:
        if str(path) not in reference.contents and str(path) not in changed:
            yield f"{path}: neither was it there, nor did the job make it; is that its name?"


def _touched(reference: SeenRun, watched: Sequence[Path]) -> Iterator[str]:
    names: dict[str, list[str]] = {"file": [], "server": [], "program": []}
    for note in reference.before.of("touched"):
        names[note["what"]].append(note["name"])
    files = [name for name in names["file"] if not _is_watched(Path(name), watched)]
    if files:
        yield f"what it writes that is not watched: {listed(files, _SHOWN)}"
    if names["server"]:
        yield f"what it asks of servers: {listed(names['server'], _SHOWN)}"
    if names["program"]:
        yield f"what programs do, which are not killed inside: {listed(names['program'], _SHOWN)}"


def _is_watched(path: Path, watched: Sequence[Path]) -> bool:
    places = {Path(str(path).removesuffix(end)) for end in ("", *BESIDE)}
    if any(place == each or each in place.parents for place in places for each in watched):
        return True
    return path.is_dir() and any(path in each.parents for each in watched)


def _programs(reference: SeenRun) -> Iterator[str]:
    steps = [note["step"] for note in reference.before.of("asked") if note["method"] == "sh"]
    if steps:
        many = plural(len(steps), "step")
        yield f"what the programs of {many} do inside, as {steps[0]}: they are killed as a whole"


def _waits(reference: SeenRun) -> Iterator[str]:
    methods = ("sleep", "poll", "wait_signal")
    steps = [note["step"] for note in reference.before.of("asked") if note["method"] in methods]
    if steps:
        yield f"what time brings: it passes at once for durably, as in step {steps[0]}"
