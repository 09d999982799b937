"""A result that was refused, for it would have come back different: the call is not paid twice.

It is journalled with the failure, as far as JSON can show it. Once the step declares another type,
and that reads it, a resume takes it in place of a second call.
"""

from __future__ import annotations

from typing import Any

from durably_cli.journal.blobs import LIMIT
from durably_cli.journal.registry import Event
from durably_cli.journal.step_events import StepFailed
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import Json, parse, to_json
from durably_cli.values.untrusted import safely


def refused(value: object, converter: plain.Converter) -> dict[str, Any]:
    """What a journal holds of a refused result: its JSON, if any, and which type has refused it."""
    text = safely(_any_json, value)
    if text is None or len(text) > LIMIT:  # a journal holds no more in its lines
        return {}
    return {"result": parse(text), "schema": safely(_digest, converter)}


def salvaged(last: Event | None, converter: plain.Converter) -> tuple[Json, Any, int] | None:
    """The result of a step whose last event this is: its JSON, that read, and how long it took.

    None if it was not refused, or by this very type, or if this type does not read it either.
    """
    if not isinstance(last, StepFailed) or "result" not in last.refused:
        return None
    digest = safely(_digest, converter)
    if digest is None or digest == last.refused.get("schema"):
        return None
    found = safely(lambda result: _read(converter, result), last.refused["result"])
    return None if found is None else (*found, last.ms)


def _any_json(value: object) -> Json:
    from pydantic_core import to_json as to_any_json  # only what was refused needs it

    return Json(to_json(parse(to_any_json(value, inf_nan_mode="constants"))))


def _digest(converter: plain.Converter) -> str | None:
    """Which type it is, by what it reads and writes; None if it takes any plain JSON."""
    from hashlib import sha256

    schemas = [converter.schema("validation"), converter.schema("serialization")]
    return sha256(to_json(schemas).encode()).hexdigest() if any(schemas) else None


def _read(converter: plain.Converter, result: object) -> tuple[Json, Any]:
    return convert.round_trip(converter, converter.load(Json(to_json(result))))
