"""Whether a result can be journalled: what comes of it there, and what it vouches for."""

from __future__ import annotations

from typing import Any

from durably_cli.journal.masking import Secrets
from durably_cli.values import convert, plain
from durably_cli.values.strict_json import FILE_MARK, Json


def accepted(value: Any, converter: plain.Converter, secrets: Secrets | None) -> tuple[Json, Any]:
    """The JSON of a result, and the equal value that it gives back; its files are on disk then.

    ValueRefused if it would come back different, if it holds a secret, or if there is no such file.
    """
    text, back = convert.round_trip(converter, value)
    if secrets is not None:
        secrets.refuse(text)
    if FILE_MARK in text and convert.vouches(converter):
        from durably_cli.steps.vouched import sync_files  # few results name any
        from durably_cli.values.named_files import files_named_in

        sync_files(files_named_in(text))
    return text, back
