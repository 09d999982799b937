"""What is found, for a person to mend: the faults of all trials, one entry for each cause."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from durably_cli.cli.crash_test.judging import HANDLER, Fault
from durably_cli.cli.crash_test.notes import BEFORE, INSIDE, KillAt
from durably_cli.cli.crash_test.places import AskedFor
from durably_cli.cli.crash_test.trial import STOPPED, SeenRun
from durably_cli.journal.masking import Secrets

if TYPE_CHECKING:
    from durably_cli.render.crash_types import CrashFinding, CrashTried, FaultKind


_OF_PATHS = "paths"
"""What was done to one path is one thing to mend."""

_MOST_TELLING: tuple[FaultKind, ...] = (
    *("twice", "other", "more", "less", "gone", "order", "left"),
    *("fails", "asked", "result", "output", "stuck"),
)


def findings_of(
    trials: Sequence[tuple[SeenRun, list[Fault]]], asked: AskedFor, secrets: Secrets
) -> list[CrashFinding]:
    """One for each kind of fault, line of code and path, in the order in which they came."""
    groups = dict[tuple[str, str, str], list[tuple[SeenRun, Fault]]]()
    for seen, faults in trials:
        for fault in faults:
            family = asked.family(fault.step) if fault.step else HANDLER
            kind = _OF_PATHS if fault.path else fault.kind
            path = os.path.dirname(fault.path) if fault.kind == "left" else fault.path
            groups.setdefault((kind, family, path), []).append((seen, fault))
    return [_finding(group, asked, secrets) for group in groups.values()]


def _finding(
    group: Sequence[tuple[SeenRun, Fault]], asked: AskedFor, secrets: Secrets
) -> CrashFinding:
    seen, fault = min(group, key=lambda each: _MOST_TELLING.index(each[1].kind))
    _, call, function = asked.of(fault.step) if fault.step else ("", fault.place, "")
    return {
        "kind": fault.kind,
        "step": fault.step or None,
        "others": len({fault.step for _, fault in group}) - 1,
        "function": function or None,
        "call": call or None,
        "path": fault.path or None,
        "said": secrets.mask(fault.said),
        "mend": _how_to_mend(fault, asked),
        "killed": _where_killed(seen.at),
        "trials": len({id(seen) for seen, _ in group}),
    }


def tried_of(trials: Sequence[tuple[SeenRun, list[Fault]]], asked: AskedFor) -> list[CrashTried]:
    """What was tried of each line of code that asks for steps, and between these."""
    groups = dict[str, list[tuple[SeenRun, list[Fault]]]]()
    for seen, faults in trials:
        step = seen.at.step if seen.at else ""
        groups.setdefault(asked.family(step) if step else HANDLER, []).append((seen, faults))
    found: list[CrashTried] = []
    for family, group in groups.items():
        steps = dict.fromkeys(seen.at.step for seen, _ in group if seen.at)
        step = next(iter(steps)) if family else HANDLER
        _, call, function = asked.of(step) if step else ("", "", "")
        stopped = sum(seen.status == STOPPED for seen, _ in group)
        killed = [faults for seen, faults in group if seen.was_killed]
        held = sum(not faults for faults in killed)
        found.append(
            {
                "step": step or None,
                "others": len(steps) - 1 if family else 0,
                "function": function or None,
                "call": call or None,
                "trials": len(killed),
                "held": held,
                "stopped": stopped,
            }
        )
    return found


def _where_killed(place: KillAt | None) -> str:
    if place is None:
        return "not at all"
    if place.kind == INSIDE:
        again = "" if place.visit == 1 else ", the second time"
        return f"in step {place.step}, at {place.shown}{again}"
    if place.kind == BEFORE:
        if not place.step:
            return "behind the last step, before the end of the run was written"
        return f"when step {place.step} had been executed, before its result was written"
    of = f" of step {place.step}" if place.step else ""
    return f"right behind the line {place.what}{of}"


_INTO_A_STEP = (
    "move it into a step: what stands between the steps is executed in every attempt, and no step "
    "is executed that has a result"
)
_TRANSACTION = (
    "use step.transaction, which writes the rows and the step's result in one transaction of the "
    "database"
)
_LOOK = (
    'let a function look whether it was done, in_doubt=look, or let a person do so, in_doubt="stop"'
)
_RENAME = "write it whole to a temporary name, and rename that: os.replace(part, target)"
_CHANCE = (
    "take time, chance and ids from a step, step.created_at or step.run_id, and sort what has no "
    "order, as a set: a resumed handler must ask for the same"
)


def _how_to_mend(fault: Fault, asked: AskedFor) -> str:
    kind, method = fault.kind, asked.of(fault.step).method
    if kind in ("asked", "output") and (kind == "asked" or fault.step == HANDLER):
        return _CHANCE
    if kind == "stuck":
        return "let it not wait for what a killed call has left behind, as a lock file"
    if fault.step == HANDLER or (fault.path and asked.is_of_run(fault.step)):
        return _INTO_A_STEP
    if kind in ("fails", "result", "output"):
        return (
            "it meets what its own call that was killed has left: let it give the same then, or "
            f"{_LOOK}; what it takes away must be a result of a step before"
        )
    if fault.has_rows:
        return _TRANSACTION if method != "transaction" else _LOOK
    if kind in ("twice", "more"):
        return (
            f"{_LOOK}; of a mail or a request, send durably.idempotency_key() along, and let the "
            f"other end drop the second one; or {_RENAME}"
        )
    if kind == "left":
        return "give a temporary file a name that the next call uses again, and writes over"
    return f"{_RENAME}; and let it start from a result of a step before, not from what it changes"
