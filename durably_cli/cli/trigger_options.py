"""What options of `trigger` say together, wherever they are typed."""

from __future__ import annotations

import typer

from durably_cli.cli.arguments import read_limit, read_span
from durably_cli.errors import UsageError


def refuse_senseless(context: typer.Context) -> None:
    """UsageError for options that say nothing together, or exclude each other."""
    _refuse_without_key(context, "idempotency_key", "no_wait", "retry_failed")
    _refuse_without_key(context, "concurrency_key", "on_conflict")
    if context.params["detach"] and context.params["detach_after"] is not None:
        raise UsageError("--detach and --detach-after exclude each other")


def _refuse_without_key(context: typer.Context, key: str, *options: str) -> None:
    """UsageError if one of these options was typed, and the key that it is about was not."""
    if context.params[key] is not None:
        return
    for option in options:
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            words = [f"--{name.replace('_', '-')}" for name in (option, key)]
            raise UsageError(f"{words[0]} says nothing without {words[1]}")


def timeout_of(context: typer.Context) -> float | None:
    """The seconds of --timeout. UsageError for what is no span."""
    given = context.params["timeout"]
    return None if given is None else read_limit(given, "--timeout")


def detaches_after(context: typer.Context) -> float | None:
    """Those of --detach-after. UsageError for what is no span."""
    given = context.params["detach_after"]
    return None if given is None else read_span(given, "--detach-after")
