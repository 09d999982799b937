"""What is said of a command line that cannot be read: what is wrong with it, and what to type."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from durably_cli import hints, retyping
from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.job_flags import FIELD_OPTIONS, job_named
from durably_cli.cli.suggesting import NEVER_OPTIONS, known_jobs
from durably_cli.journal.state import Status
from durably_cli.values.schema import sample

if TYPE_CHECKING:
    from durably_cli.project.discovery import AnyJob
    from durably_cli.values.schema import Field

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

_NEAR = 0.75
"""How like another option must be to be typed in its place."""

_OF_JSON = ("--format", "--output", "-o", "--as-json", "-j", "--output-format")


class Refusal(NamedTuple):
    """What to print of a usage error, and what to type next, if anybody can say."""

    text: str
    hint: str | None


def usage_error(error: Any) -> Refusal:
    """What is said of a usage error of click's."""
    next_step = getattr(error, "next_step", None)
    if hasattr(error, "possibilities"):
        if error.ctx is not None and not error.ctx.parent:
            next_step = _behind_its_command(str(error.option_name), error.ctx)
        error.possibilities = [] if next_step else _options_near(error)
    text = io.StringIO()
    error.show(file=text)
    context = error.ctx
    if context is None:
        return Refusal(text.getvalue(), None)
    words = [context.info_name] if context.parent else []
    option = context.help_option_names[0]
    theirs = f"Try '{context.command_path} {option}' for help."
    choices_in_a_line = text.getvalue().replace("\n\t", " ")
    said = choices_in_a_line.replace(theirs, f"Try {hints.command(*words, option)} for help.", 1)
    next_step = next_step or _next_step(error, context)
    said += f"try: {hints.shown(next_step)}\n" if next_step else ""
    return Refusal(said, next_step)


def _options_near(error: Any) -> list[str]:
    """The options that may have been wanted: nothing that destroys, nor what the command lacks."""
    known = _known(str(error.option_name), error.ctx)
    near = [known] if known else list(error.possibilities or ())
    return [option for option in near if option.split(" ")[0] not in NEVER_OPTIONS]


def _known(typed: str, context: Any) -> str | None:
    """The option that does what others call so; None if the command has none of it."""
    command = context.info_name if context is not None and context.parent else ""
    there_are = set() if context is None else _options_of(context)
    if (word := _typed_whole(typed)) is not None:
        wanted = f"-{word.partition('=')[0]}"
    else:
        wanted = OPTION_FOR.get(command, {}).get(typed, "--json" if typed in _OF_JSON else "")
    return wanted if wanted.split(" ")[0] in there_are - NEVER_OPTIONS else None


def _typed_whole(option: str) -> str | None:
    """The whole word that was typed: of -org-id click names the first letter."""
    if option.startswith("--"):
        return None
    longer = [w for w in sys.argv[1:] if w.startswith(option) and w[1:2] != "-" and len(w) > 2]
    return longer[-1] if longer else None


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
    if hasattr(error, "possibilities"):
        return _for_option(error, context)
    extra = re.search(r"unexpected extra argument\S* \((.*)\)", error.message, re.DOTALL)
    if extra:
        return _for_extra(extra[1].split(" ")[0], context)
    choices = getattr(getattr(getattr(error, "param", None), "type", None), "choices", None)
    return _for_choice(error.message, choices) if choices else None


def _for_option(error: Any, context: Any) -> str | None:
    """What to type of an option that the command does not have."""
    typed = str(error.option_name)
    if not context.parent:
        right = _known(typed, context) or _nearest(typed, error.possibilities)
        return hints.command(right) if right == "--version" else None
    whole = _typed_whole(typed) or typed
    job = job_named(context)
    if (field := _field_of(job, whole)) is not None:
        return _in_place_of(whole, lambda given: _for_field(field, given))
    right = _known(typed, context) or _nearest(typed, error.possibilities)
    if right and (found := _with_option(whole, right)):
        return found
    if context.info_name != "trigger" or context.meta.get(FIELD_OPTIONS):
        return None
    if job is None:
        return f"{hints.command('jobs')}    (lists the jobs)"
    text = sample(job.input_schema)
    if text == "{}":
        name = whole.lstrip("-").partition("=")[0]
        return _in_place_of(whole, lambda given: ["-p", f"{name}={given or '...'}"])
    if text == '"text"':
        return _in_place_of(whole, lambda given: ["--input", json.dumps(given or "text")])
    return f"{hints.command('trigger', job.name, '--help')}    (shows what it takes)"


def _nearest(typed: str, options: Sequence[str]) -> str | None:
    """The option that is so near that it is probably wanted."""
    import difflib  # only after a typing mistake

    return next(iter(difflib.get_close_matches(typed, options, n=1, cutoff=_NEAR)), None)


def _field_of(job: AnyJob | None, option: str) -> Field | None:
    """The field of this name that has no flag, if the job has one."""
    name = option.lstrip("-").partition("=")[0].replace("-", "_")
    fields = job.fields if job else ()
    return next((each for each in fields if each.name == name and not each.flag), None)


def _for_field(field: Field, given: str | None) -> list[str]:
    return ["-p", f"{field.name}:=true" if given is None else f"{field.name}={given}"]


def _in_place_of(option: str, words: Callable[[str | None], list[str]]) -> str | None:
    """The command as it was typed, with what `words` makes of the option's value in its place."""
    typed = next((each for each in sys.argv[1:] if each.partition("=")[0] == option), option)
    _, equals, value = typed.partition("=")
    behind = retyping.behind(typed)
    if equals or behind is None or behind.startswith("-"):
        return retyping.with_word(typed, *words(value if equals else None))
    return retyping.with_word(typed, *words(behind), drops=behind)


def _with_option(typed: str, right: str) -> str | None:
    """The command as it was typed with the right option, whose value may stand in one word."""
    words = right.split(" ")
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=")
        if option != typed.partition("=")[0]:
            continue
        if right == "--json" and (value or retyping.behind(word)) not in ("", "json", None):
            return None
        if right == "--json":
            return retyping.with_word(word, right, drops=None if equals else "json")
        return retyping.with_word(word, *words, *([value] if equals else []))
    return None


def _behind_its_command(option: str, context: Any) -> str | None:
    """What to type of an option that stands before the command that has it."""
    words = sys.argv[1:]
    place = next((n for n, word in enumerate(words) if word in COMMANDS), None)
    if place is None or words[place] in retyping.NOT_AGAIN or retyping.is_for_a_mail(words):
        return None
    command = context.command.get_command(context, words[place])
    before = [word for word in words[:place] if word != option]
    names_project = len(before) == 2 and before[0] in ("-C", "--project")
    if option not in {name for each in command.params for name in each.opts}:
        return None
    return hints.command(*before, *words[place:], option) if names_project or not before else None


def _for_choice(message: str, choices: Sequence[Any]) -> str | None:
    """What to type of a word that is none of those that an option takes."""
    import difflib  # only after a typing mistake

    found = re.search(r"'(.*)' is not one of", message, re.DOTALL)
    near = difflib.get_close_matches(found[1].lower(), map(str, choices), n=1) if found else []
    return retyping.with_word(found[1], near[0]) if found and near else None


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
