"""JSON Schemas of all that commands print with `--json`, for `durably help --json`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from durably_cli.render import document_types as types
from durably_cli.render.event_types import event_models
from durably_cli.render.run_types import LogFields

Schema = dict[str, Any]

_DOCUMENTS: dict[str, tuple[type, ...]] = {
    "trigger": (types.RunAnswer,),
    "resume": (types.RunAnswer, types.PlanAnswer),
    "fork": (types.RunAnswer, types.PlanAnswer),
    "cancel": (types.RunAnswer,),
    "signal": (types.SignalAnswer,),
    "approve": (types.SignalAnswer,),
    "deny": (types.SignalAnswer,),
    "wait": (types.RunEndAnswer, types.RunEndsAnswer),
    "schedule": (types.ScheduleAnswer,),
    "tick": (types.TickAnswer,),
    "list": (types.ListAnswer,),
    "inspect": (types.StoryAnswer, types.StepAnswer, types.StepsAnswer),
    "jobs": (types.JobsAnswer, types.JobAnswer),
    "init": (types.InitAnswer,),
    "test": (types.CrashTestAnswer,),
    "info": (types.InfoAnswer,),
    "engine": (types.EngineAnswer,),
    "help": (types.HelpAnswer, types.TopicAnswer),
    "verify": (types.VerifyAnswer,),
    "repair": (types.RepairAnswer,),
    "prune": (types.PruneAnswer,),
    "delete": (types.DeleteAnswer,),
    "export": (types.ExportAnswer,),
    "import": (types.ImportAnswer, types.ImportProjectAnswer),
}
"""What each command answers: one of these."""

_LINES: dict[str, tuple[type, ...]] = {
    "logs": (LogFields, types.FailedLine),
    "inspect": (*event_models(), types.FailedLine),
}
"""What each line is that `logs --json` and `inspect --events` print: one of these."""

_DIALECT = {"$schema": GenerateJsonSchema.schema_dialect}


class Schemas(NamedTuple):
    """By commands: that of the document and that of each line; `$defs` is what they refer to."""

    documents: dict[str, Schema]
    lines: dict[str, Schema]
    defs: dict[str, Schema]


def schemas() -> Schemas:
    """Those of all commands, as pydantic makes them of their types."""
    answered = dict.fromkeys(chain((types.Answer,), *_DOCUMENTS.values()))
    kinds = dict.fromkeys(chain(answered, *_LINES.values()))
    inputs: Any = [(kind, "validation", TypeAdapter(kind)) for kind in kinds]
    defs = TypeAdapter.json_schemas(inputs, schema_generator=_Untitled)[1]["$defs"]
    answers = {kind: defs.pop(kind.__name__) for kind in answered}
    base = answers[types.Answer]
    documents = {
        command: _document(base, [answers[kind] for kind in of_it])
        for command, of_it in _DOCUMENTS.items()
    }
    lines = {
        command: _DIALECT | {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in of_it]}
        for command, of_it in _LINES.items()
    }
    return Schemas(documents, lines, defs)


def _document(base: Schema, answers: Iterable[Schema]) -> Schema:
    """One object of all that these answers may have: all of one of them, or an error at least."""
    properties, ways = dict[str, Schema](), list[Schema]()
    for answer in answers:
        properties |= answer["properties"]
        ways.append({"required": [n for n in answer["required"] if n not in base["required"]]})
    return {
        **_DIALECT,
        "type": "object",
        "properties": properties,
        "required": base["required"],
        "anyOf": [*ways, {"required": ["error"]}],
    }


class _Untitled(GenerateJsonSchema):
    """Without a title for each field, which only says its name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
