"""What commands print with `--json`, held against the schemas that `durably help --json` prints."""

from __future__ import annotations

import json
import re
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from durably_cli.system import clock

_FORMATS = FormatChecker(())


@_FORMATS.checks("date-time", ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or (value.endswith("Z") and bool(clock.parse_time(value)))


class Contract:
    """What each command promises to print with `--json`."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.commands: dict[str, dict[str, Any]] = {
            each["name"]: each for each in described["commands"]
        }
        self._defs = described["$defs"]
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}

    def check_document(self, command: str, text: str, code: int) -> dict[str, Any]:
        """The one document of a command that ended with this exit code, as it was promised."""
        document: dict[str, Any] = json.loads(text)
        self.check("document", command, document)
        check_ends(document, code)
        return document

    def check_lines(self, command: str, text: str, code: int) -> list[dict[str, Any]]:
        """The same of what prints many lines: the last one says what went wrong."""
        lines = list(map(json.loads, text.splitlines()))
        for line in lines:
            self.check("line", command, line)
        assert [place for place, line in enumerate(lines) if "schema" in line] == (
            [len(lines) - 1] if code else []
        )
        if code:
            check_ends(lines[-1], code)
        return lines

    def schema(self, kind: str, command: str) -> dict[str, Any]:
        """That of a command's `document` or `line`, as programs are given it."""
        return {"$defs": self._defs, **self.commands[command][kind]}

    def check(self, kind: str, command: str, printed: dict[str, Any]) -> None:
        """Is it as it was promised, and no more?"""
        if (kind, command) not in self._validators:
            schema = self._closed(self.schema(kind, command))
            Draft202012Validator.check_schema(schema)
            validator = Draft202012Validator(schema, format_checker=_FORMATS)
            self._validators[kind, command] = validator
        errors = self._validators[kind, command].iter_errors(printed)
        assert [f"{error.json_path}: {error.message[:500]}" for error in errors] == []

    def _closed(self, schema: Any) -> Any:
        """The same, without room for fields and words to come: what is promised now."""
        if isinstance(schema, list):
            return [self._closed(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        closed = {name: self._closed(each) for name, each in schema.items()}
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            closed.setdefault("additionalProperties", False)
        ways = closed.get("anyOf", ())
        if any("enum" in self._resolved(way) for way in ways):
            closed["anyOf"] = [way for way in ways if way != {"type": "string"}]
        return closed

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").removeprefix("#/$defs/")
        return self._defs[name] if name else schema


def check_ends(document: dict[str, Any], code: int) -> None:
    """What no schema says: an error exactly if the exit code is not 0, and commands to paste."""
    assert all(re.search(r"(^|[ /])durably ", command) for command in document["next"])
    assert ("error" in document) is (code != 0)
    if code:
        error = document["error"]
        assert error["exit"] == code
        assert error["next"] == document["next"]
        assert error["retryable"] is (code in (69, 75, 124, 129, 130, 143))
