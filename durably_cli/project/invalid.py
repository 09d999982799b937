"""What is said of an input that a model does not take, and of code of the model that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from durably_cli import hints
from durably_cli.engines import payload
from durably_cli.errors import InvalidInput, ValueRefused
from durably_cli.values import plain
from durably_cli.values.json_schemas import OddSchema
from durably_cli.values.schema import sample, type_name

_REQUIRED = "Field required"
"""What begins the problem of a field that is not there."""


@contextmanager
def reading(what: str, job: str, schema: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Inside, it is InvalidInput that a model rejects an input, and that its code raises.

    `what` is "input" or "output", `schema` gives that of the input.
    """
    try:
        yield
    except plain.DoesNotFit as error:
        error.__context__ = None  # before it was masked it may have held a secret in clear
        raise _invalid(error, job, schema()) from None
    except ValueRefused as refused:
        reason = refused.reason.replace(plain.ANNOTATE, "annotate the payload")
        where = "" if refused.path == "$" else f"at {refused.path}, "
        said = f"the {what} for {job} is not valid: {where}{reason}"
        hint = hints.command("help", "input") + "    (says what no JSON gives)"
        raise InvalidInput(said, hint=hint) from None
    except OddSchema as odd:
        raise InvalidInput(f"the {what} of {job} cannot be described: {odd}") from None
    except payload.ModelFailed as failed:
        failed.__context__ = None  # what the model raised may hold a secret in clear
        raise InvalidInput(
            f"the {what} of {job} cannot be read: code of its model raised "
            f"{failed.error.type}\n{failed.error.traceback}"
        ) from None


def _invalid(error: plain.DoesNotFit, job: str, schema: dict[str, Any]) -> InvalidInput:
    lines = "\n".join(
        f"  {problem}" if path == "$" else f"  {path}: {problem}"
        for path, problem in error.problems
    )
    hint = f"{hints.command('jobs', job)}    (shows every field)"
    if (text := sample(schema)) is not None:
        whole = hints.command("trigger", job, "--input", text)
        hint = f"{whole}    (the input is {type_name(schema)}, as JSON)"
    return InvalidInput(
        f"the input for {job} is not valid:\n{lines}",
        hint=hint,
        missing=[path for path, problem in error.problems if problem.startswith(_REQUIRED)],
    )
