"""The files that the JSON of a result names: known without the job's types."""

from __future__ import annotations

import json
from typing import Any

from durably_cli.values.file import File, is_form, of_form
from durably_cli.values.strict_json import FILE_MARK, Json


def files_named_in(text: Json) -> list[File]:
    """The files that a result vouches for, each once, as they were seen then."""
    if FILE_MARK not in text:  # most have none, and are not parsed
        return []
    found = dict[File, None]()

    def noted(given: dict[str, Any]) -> dict[str, Any]:
        if is_form(given):
            found[of_form(given)] = None
        return given

    json.loads(text, object_hook=noted)
    return list(found)


def result_sha256(text: Json) -> str:
    """One digest for all results that are equal: by what is in files, not when it was written."""
    from hashlib import sha256  # loads OpenSSL, which few commands need

    hook = _without_mtime if FILE_MARK in text else None
    plain = json.dumps(json.loads(text, object_hook=hook), sort_keys=True)
    return sha256(plain.encode("ascii")).hexdigest()


def _without_mtime(given: dict[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in given if name != "mtime"} if is_form(given) else given
