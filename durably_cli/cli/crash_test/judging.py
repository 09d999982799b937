"""What is wrong with a job: what its trials did otherwise than its undisturbed runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from durably_cli.cli.crash_test.contents import ROWS, Difference, differences
from durably_cli.cli.crash_test.notes import Notes
from durably_cli.cli.crash_test.places import AskedFor
from durably_cli.cli.crash_test.trial import STUCK, SeenRun

if TYPE_CHECKING:
    from durably_cli.render.crash_types import FaultKind

HANDLER = ""
"""In place of a step: what the handler does between its steps."""

SHOWN = 60
MISUSED = "StepMisused"


class Fault(NamedTuple):
    """Something that a trial did otherwise: what kind of it, of which step, in words.

    Of a watched `path`, or of the `place` outside of any step that is known to have written there.
    """

    kind: FaultKind
    step: str
    said: str
    path: str = ""
    place: str = ""
    has_rows: bool = False


class Judge:
    """Compares trials with two undisturbed runs, and those with each other."""

    def __init__(self, reference: SeenRun, control: SeenRun, trials: Sequence[SeenRun]) -> None:
        self._reference, self._control = reference, control
        self.asked = AskedFor()
        for seen in (reference, control, *trials):
            self.asked.add(seen.before)
            self.asked.add(seen.after)
        self._usual = _Usual([reference, control, *trials])
        self._writers = _writers([reference])
        self._of_handler = self._handlers_differences(trials)

    def faults(self, seen: SeenRun) -> list[Fault]:
        """What is wrong with a trial."""
        if not seen.has_ended:
            if seen.status == STUCK:
                step = next(iter(seen.in_flight), HANDLER)
                return [Fault("stuck", step, "the resumed run does not come to its end")]
            return []
        asked = [*self._asked_otherwise(seen)]
        ends, watched = asked or [*self._ends_otherwise(seen)], [*self._watched(seen)]
        found = ends or [*self._results(seen)]
        if not found and not watched:  # else it comes of that
            found = [*self._output(seen)]
        return found + watched

    def _ends_otherwise(self, seen: SeenRun) -> Iterator[Fault]:
        usual = self._reference
        if seen.status == usual.status and seen.error[0] == usual.error[0]:
            return
        step = next((name for name in seen.failed if name in seen.in_flight), None)
        step = step or next(iter(seen.failed), HANDLER)
        error = ": ".join(filter(None, seen.error))
        said = f"the resumed run fails: {error}"
        if seen.status == "completed":
            said = f"the resumed run completes, and an undisturbed one fails: {usual.error[0]}"
        kind: FaultKind = "asked" if seen.error[0] == MISUSED else "fails"
        yield Fault(kind, step, said)

    def _asked_otherwise(self, seen: SeenRun) -> Iterator[Fault]:
        if not seen.was_killed:
            return
        before, after = _asked_by_run(seen.before), _asked_by_run(seen.after)
        for number, (run, asked) in enumerate(before.items()):
            again = after.get(run, {})
            if again or not number:  # a child run that has completed is not executed again
                step, said = _asks_otherwise(asked, again, is_whole=seen.status == "completed")
                if said:
                    yield Fault("asked", step, f"the resumed handler {said}")
                    return

    def _results(self, seen: SeenRun) -> Iterator[Fault]:
        for step in seen.in_flight:
            usual, found = self._reference.results.get(step), seen.results.get(step)
            if usual is None or found is None:
                continue
            other = self._usual.other_leaf(step, found)
            if other:
                yield Fault("result", step, f"it gives {other}")

    def _output(self, seen: SeenRun) -> Iterator[Fault]:
        step = next(iter(seen.in_flight), HANDLER)
        about = seen.before.last("output")
        if seen.output is None:
            return
        if seen.was_killed and about is not None and about["output"] != seen.output:
            other = _first_other(_leaves(about["output"]), _leaves(seen.output), ())
            yield Fault("output", HANDLER, f"the output of the same steps is {other}")
        elif other := self._usual.other_output(seen.output):
            yield Fault("output", step, f"the output is {other}")

    def _watched(self, seen: SeenRun) -> Iterator[Fault]:
        for each in self._differences(seen):
            steps = self._writers_of(each.path)
            guilty = [step for step in seen.in_flight if step in steps]
            if seen.at is not None and seen.at.step in guilty:
                guilty = [seen.at.step]
            if guilty and (each.path, each.said) in self._of_handler:
                guilty = []
            if not guilty and HANDLER not in steps:
                guilty = seen.in_flight[:1]
            step = guilty[-1] if guilty else HANDLER  # of a run_job, what its run does
            place = steps.get(HANDLER, "") if step == HANDLER else ""
            content = self._reference.contents.get(each.path)
            is_row = content is not None and content.kind == ROWS
            yield Fault(each.kind, step, each.said, each.path, place, is_row)

    def _differences(self, seen: SeenRun) -> list[Difference]:
        usual, control = self._reference, self._control
        found = differences(usual.contents, control.contents, seen.contents)
        if self._reference.before.is_side_by_side:  # their order is nobody's
            found = [each for each in found if each.kind != "order"]
        return found

    def _writers_of(self, path: str) -> Mapping[str, str]:
        for top, steps in self._writers.items():
            if path == top or path.startswith((f"{top}/", f"{top}: ")):
                return steps
        return {}

    def _handlers_differences(self, trials: Iterable[SeenRun]) -> set[tuple[str, str]]:
        """Those that come of a kill while no step was in flight, but child runs."""
        return {
            (each.path, each.said)
            for seen in trials
            if seen.has_ended and all(self.asked.is_of_run(step) for step in seen.in_flight)
            for each in self._differences(seen)
        }


class _Usual:
    """What results and outputs are where no kill has touched them."""

    def __init__(self, all_of_them: Sequence[SeenRun]) -> None:
        self._results = defaultdict[str, list[dict[str, Any]]](list)
        for seen in all_of_them:
            cut_short = set(seen.in_flight)
            for step, text in seen.results.items():
                if step not in cut_short:
                    self._results[step].append(_leaves(text))
        outputs = [seen.output for seen in all_of_them[:2] if seen.output is not None]
        self._outputs = [_leaves(text) for text in outputs]

    def other_leaf(self, step: str, found: str) -> str:
        """Where a result is not the usual one, in words; empty if it is."""
        return _not_usual(self._results[step], found)

    def other_output(self, found: str) -> str:
        """The same of an output."""
        return _not_usual(self._outputs, found)


def _not_usual(usual: Sequence[dict[str, Any]], found: str) -> str:
    if not usual:
        return ""
    first = usual[0]
    keys = {key for each in usual for key in (*each, *first)}
    varies = [key for key in keys if any(each.get(key) != first.get(key) for each in usual)]
    return _first_other(first, _leaves(found), varies)


def _first_other(usual: dict[str, Any], found: dict[str, Any], passed: Iterable[str]) -> str:
    for key in {**usual, **found}:
        if key not in passed and (key not in usual or key not in found or usual[key] != found[key]):
            there, here = (_shown(each.get(key, "nothing")) for each in (usual, found))
            where = f" at {key}" if key != "$" else ""
            return f"{here} in place of {there}{where}"
    return ""


def _leaves(text: str, path: str = "$") -> dict[str, Any]:
    """A JSON text as its scalars by their paths."""
    found = dict[str, Any]()

    def go(value: Any, path: str) -> None:
        if isinstance(value, dict) and value:
            for key, each in value.items():
                go(each, f"{path}.{key}")
        elif isinstance(value, list) and value:
            for number, each in enumerate(value):
                go(each, f"{path}[{number}]")
        else:
            found[path] = value

    go(json.loads(text), path)
    return found


def _shown(value: object) -> str:
    text = value if value == "nothing" else json.dumps(value, ensure_ascii=False)
    text = str(text)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _other_argument(before: dict[str, list[str]], after: dict[str, list[str]]) -> str:
    for name in {**before, **after}:
        there, here = before.get(name), after.get(name)
        if there and here and there[0] != here[0]:
            shown = f": {here[1]} in place of {there[1]}" if there[1] != here[1] else ""
            return f"another {name}{shown}"
    return ""


def _asked_by_run(notes: Notes) -> dict[str, dict[str, dict[str, Any]]]:
    """What was asked for, by the run and the name of the step."""
    found = defaultdict[str, dict[str, dict[str, Any]]](dict)
    for note in notes.of("asked"):
        found[note["run"]][note["step"]] = note
    return found


def _asks_otherwise(
    before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]], *, is_whole: bool
) -> tuple[str, str]:
    """For which step a handler asks otherwise than before, and how; empty if it does not."""
    for step, note in before.items():
        if step in after and (other := _other_argument(note["args"], after[step]["args"])):
            return step, f"asks for it with {other}"
    for step in before:
        if step not in after and is_whole:
            return step, "does not ask for it any more"
    for step, other in zip(_in_order(before), _in_order(after), strict=False):
        if step != other:
            return step, f"asks for {other} first"
    return "", ""


def _in_order(asked: Mapping[str, dict[str, Any]]) -> list[str]:
    return [step for step, note in asked.items() if note["in_order"]]


def _writers(undisturbed: Iterable[SeenRun]) -> dict[str, dict[str, str]]:
    """By watched path: the steps that were in flight when it changed, and the line that did it."""
    found = defaultdict[str, dict[str, str]](dict)
    for seen in undisturbed:
        for note in seen.before.of("changed"):
            for step in note["steps"] or [HANDLER]:
                found[note["path"]][step] = found[note["path"]].get(step) or note["at"]
    return found
