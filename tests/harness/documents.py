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
        self._check("document", command, document)
        check_ends(document, code)
        return document

    def check_lines(self, command: str, text: str, code: int) -> list[dict[str, Any]]:
        """The same of what prints many lines: the last one says what went wrong."""
        lines = list(map(json.loads, text.splitlines()))
        for line in lines:
            self._check("line", command, line)
        assert [place for place, line in enumerate(lines) if "schema" in line] == (
            [len(lines) - 1] if code else []
        )
        if code:
            check_ends(lines[-1], code)
        return lines

    def _check(self, kind: str, command: str, printed: dict[str, Any]) -> None:
        if (kind, command) not in self._validators:
            schema = _closed({"$defs": self._defs, **self.commands[command][kind]})
            Draft202012Validator.check_schema(schema)
            validator = Draft202012Validator(schema, format_checker=_FORMATS)
            self._validators[kind, command] = validator
        errors = self._validators[kind, command].iter_errors(printed)
        assert [f"{error.json_path}: {error.message[:500]}" for error in errors] == []


def _closed(schema: Any) -> Any:
    """The same, without room for fields to come: what is printed now is what is promised now."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(each) for name, each in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed


def check_ends(document: dict[str, Any], code: int) -> None:
    """What no schema says: an error exactly if the exit code is not 0, and commands to paste."""
    assert all(re.search(r"(^|[ /])durably ", command) for command in document["next"])
    assert ("error" in document) is (code != 0)
    if code:
        error = document["error"]
        assert error["exit"] == code
        assert error["next"] == document["next"]
        assert error["retryable"] is (code in (69, 75, 124, 129, 130, 143))
