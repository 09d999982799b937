"""The input of a job whose handler takes none: an empty JSON object.

What else is in the object is passed over, as models do: runs that were made while the handler took
a payload go on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from durably_cli.errors import ValueRefused
from durably_cli.values.plain import DoesNotFit
from durably_cli.values.strict_json import Json

if TYPE_CHECKING:
    from durably_cli.values.unread import Unread


class NoInput:
    """The converter between None and `{}`."""

    def dump(self, value: Any) -> Json:
        if value is not None:
            raise ValueRefused("$", "the job takes no input: its handler is (step)")
        return Json("{}")

    def load(self, text: Json) -> None:
        if not isinstance(json.loads(text), dict):
            raise DoesNotFit([("$", "the job takes no input: its handler is (step)")])

    def reveal(self, value: Any) -> None:
        return None

    def unread(self, text: Json, value: Any) -> list[Unread]:
        from durably_cli.values.unread import Unread  # as in other converters

        return [Unread(name, None) for name in json.loads(text)]

    def schema(self, mode: Literal["validation", "serialization"]) -> dict[str, Any]:
        return {"title": "nothing", "type": "object", "properties": {}}
