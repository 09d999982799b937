"""What is said of a command line that cannot be read: what is wrong with it, and what to type."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

from durably_cli import hints
from durably_cli.cli.job_flags import FIELD_OPTIONS
from durably_cli.cli.suggesting import NEVER_OPTIONS, known_jobs
from durably_cli.journal.state import Status

OPTION_FOR = {
    "": {"-v": "--version", "-V": "--version", "--cwd": "-C", "--dir": "-C", "--directory": "-C"},
    "trigger": {
        **dict.fromkeys(("-d", "--data", "--payload", "--args", "--json-input"), "--input"),
        **dict.fromkeys(("--params", "--arg", "--field", "--set"), "-p"),
        **dict.fromkeys(("--key", "--id", "--idempotency", "--once"), "--idempotency-key"),
        **dict.fromkeys(("--lock", "--mutex", "--concurrency"), "--concurrency-key"),
        **dict.fromkeys(("--tag", "--tags", "--labels", "-l"), "--label"),
        **dict.fromkeys(("--retry", "--rerun"), "--retry-failed"),
        **dict.fromkeys(("--background", "--bg", "--async", "--daemon"), "--detach"),
    },
    "list": {
        **{f"--{status}": f"--status {status}" for status in Status},
        **dict.fromkeys(("--state", "-s"), "--status"),
        **dict.fromkeys(("--limit", "--last", "--max", "--number"), "-n"),
        **dict.fromkeys(("--all", "-a"), "-n 0"),
        **dict.fromkeys(("--follow", "-f", "-w"), "--watch"),
        **dict.fromkeys(("--tag", "--tags", "--labels", "-l"), "--label"),
        **dict.fromkeys(("--name", "--jobs", "-j"), "--job"),
    },
    "inspect": dict.fromkeys(("--watch", "-w"), "--follow"),
    "wait": dict.fromkeys(("-t", "--time-limit", "--for", "--max-time"), "--timeout"),
    "logs": dict.fromkeys(("--tail", "--watch", "-t"), "--follow"),
}
"""What people type, and the option that does it here, by commands."""

_OF_JSON = ("--format", "--output", "-o", "--as-json", "-j", "--output-format")


def usage_error(error: Any) -> str:
    """What to print for a usage error of click's."""
    if hasattr(error, "possibilities"):
        error.possibilities = _options_near(error)
    text = io.StringIO()
    error.show(file=text)
    context = error.ctx
    if context is None:
        return text.getvalue()
    words = [context.info_name] if context.parent else []
    option = context.help_option_names[0]
    theirs = f"Try '{context.command_path} {option}' for help."
    said = text.getvalue().replace(theirs, f"Try {hints.command(*words, option)} for help.", 1)
    next_step = _next_step(error, context)
    return f"{said}try: {next_step}\n" if next_step else said


def _options_near(error: Any) -> list[str]:
    """The options that may have been wanted: nothing that destroys, nor what the command lacks."""
    typed, context = str(error.option_name), error.ctx
    command = context.info_name if context is not None and context.parent else ""
    there_are = set() if context is None else _options_of(context)
    for_json = "--json" if typed in _OF_JSON else ""
    wanted = [OPTION_FOR.get(command, {}).get(typed, for_json)]
    for word in sys.argv[1:]:
        if word.startswith(typed) and word[1:2] not in ("", "-") and len(word) > len(typed):
            wanted = [f"-{word.partition('=')[0]}"]  # of -org-id click names the first letter
    found = [option for option in wanted if option.split(" ")[0] in there_are]
    near = found or list(error.possibilities or ())
    return [option for option in near if option.split(" ")[0] not in NEVER_OPTIONS]


def _options_of(context: Any) -> set[str]:
    params = context.command.get_params(context)
    return {name for each in params for name in (*each.opts, *each.secondary_opts)}


def _next_step(error: Any, context: Any) -> str | None:
    """A command that leads on; None if nobody can say."""
    missing = getattr(getattr(error, "param", None), "metavar", None)
    if missing == "JOB":
        return f"{hints.command('jobs')}    (lists them)"
    if str(missing).strip("[].") == "RUN" and context.info_name == "repair":
        return f"{hints.command('verify')}    (says which are damaged)"
    if str(missing).strip("[].") == "RUN":
        newest = "@last is the newest, @failed the newest that failed"
        return f"{hints.command('list')}    (lists them; {newest})"
    is_of_option = hasattr(error, "possibilities")
    if is_of_option and context.info_name == "trigger" and not context.meta.get(FIELD_OPTIONS):
        return f"{hints.command('trigger')} JOB --help    (shows the flags of a job)"
    extra = re.search(r"unexpected extra argument\S* \((.*)\)", error.message, re.DOTALL)
    return _for_extra(extra[1].split(" ")[0], context) if extra else None


def _for_extra(word: str, context: Any) -> str | None:
    """What to type of a word that the command has no place for."""
    command = context.info_name
    if command == "trigger":
        help = hints.command("trigger", str(context.params.get("job")), "--help")
        return f"{help}    (what a job takes are flags, or -p NAME=TEXT, or --input JSON)"
    if command == "list" and word in known_jobs(context):
        return hints.command("list", "--job", word)
    if command == "list" and word in tuple(Status):
        return hints.command("list", "--status", word)
    if command == "list" and (word.startswith("@") or re.fullmatch(r"[0-9a-f-]{4,36}", word)):
        return hints.command("inspect", word)
    return None
