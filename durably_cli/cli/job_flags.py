"""Flags made of a job's input: `--org-id org_123 --no-force` behind `durably trigger sync-users`.

They are options of the command like any other, made when a command line calls for them: one that
has a flag of no option, that asks for help, or that a shell completes. Only then is the job
imported; completion takes what is cached. Whether a value will do is for the job's model to say.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from durably_cli import hints, program
from durably_cli.cli.app import Command, UsageError, project_of
from durably_cli.cli.parameters import note_quiet
from durably_cli.errors import DurablyError

if TYPE_CHECKING:
    from durably_cli.cli.field_options import FieldOption
    from durably_cli.project.discovery import AnyJob
    from durably_cli.values.schema import Field

FIELD_OPTIONS = "durably.field_options"
_JOB = "durably.job"
_GIVEN = "durably.fields_given"
_AS_TYPED = "durably.fields_as_typed"
_WITHOUT_FLAG = "durably.fields_without_flag"
_UNKNOWN = "durably.why_no_fields"


class TriggerCommand(Command):
    """`trigger`, whose options are those of the job as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Make the options of the job that the arguments name, then parse them all.

        A script in its place is started with the other arguments.
        """
        job, others = _job_and_others(self, ctx, args)
        _start_if_script(ctx, job, args)
        ctx.meta[FIELD_OPTIONS] = self._options_for(ctx, args, job, others)
        try:
            return super().parse_args(ctx, list(args))
        except UsageError:
            _refuse_own_options(self, ctx, args)
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """The command's own options, and the job's."""
        return [*super().get_params(ctx), *ctx.meta.get(FIELD_OPTIONS, ())]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The usage line: of a script its name, and its options."""
        if is_script_here():
            formatter.write_usage(ctx.find_root().info_name, "[OPTIONS]")
        else:
            super().format_usage(ctx, formatter)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """What the command does: of a script what its job does."""
        if not is_script_here():
            super().format_help_text(ctx, formatter)
            return
        job = job_named(ctx)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text((job and inspect.getdoc(job.handler)) or "Run its job.")
            formatter.write_paragraph()
            formatter.write_text(_WITH_COMMANDS)

    def shown_params(self, ctx: Any) -> list[Any]:
        """All of them; the job goes without saying where that is a script."""
        is_said = is_script_here()
        return [each for each in self.get_params(ctx) if not (is_said and each.name == "job")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The options, and the fields of the job's input in a section of their own."""
        options, ctx.meta[FIELD_OPTIONS] = ctx.meta.get(FIELD_OPTIONS, ()), ()
        super().format_options(ctx, formatter)
        ctx.meta[FIELD_OPTIONS] = options
        others = ctx.meta.get(_WITHOUT_FLAG, ())
        if options or others:
            with formatter.section("Fields of its input, laid over -p and --input"):
                formatter.write_dl([option.get_help_record(ctx) for option in options] + others)
        elif _UNKNOWN in ctx.meta:
            with formatter.section("Fields of its input"):
                formatter.write_text(ctx.meta[_UNKNOWN])

    def _options_for(
        self, ctx: Any, args: list[str], job: str | None, others: list[str]
    ) -> list[FieldOption]:
        asks_for_help = bool({"-h", "--help"} & set(args))
        has_flags = any(other.startswith("-") for other in others)
        if job is None or not (asks_for_help or has_flags or ctx.resilient_parsing):
            return []
        fields = _fields_of(ctx, job, if_broken_none=asks_for_help)
        from durably_cli.cli.field_options import help_without_flag, options_of  # rarely needed

        ctx.meta[_WITHOUT_FLAG] = help_without_flag(fields)
        given, as_typed = (ctx.meta.setdefault(name, {}) for name in (_GIVEN, _AS_TYPED))
        return options_of(fields, project_of(ctx), given, as_typed)


_WITH_COMMANDS = (
    "Its commands are those of durably: list, inspect, logs, resume and the others stand behind "
    "its name, and each has a --help."
)


def is_script_here() -> bool:
    """Is this the process of a script, which is typed in place of `durably trigger JOB`?"""
    return program.script_of(hints.project()) is not None


def given_fields(context: typer.Context, *, as_typed: bool = False) -> dict[str, Any]:
    """The values of the flags that were given, by the names of their fields.

    Paths read as they do in the project's folder, or `as_typed`, in the working directory.
    """
    found: dict[str, Any] = context.meta.get(_AS_TYPED if as_typed else _GIVEN, {})
    return found


def _job_and_others(command: Command, ctx: Any, args: list[str]) -> tuple[str | None, list[str]]:
    """The job that is named, and the arguments that are none of the command's.

    The job's flags may stand before its name, where nobody knows yet which of them take a value.
    """
    options, others = own_options(command, ctx, args)
    quiet = next(each for each in command.params if each.name == "quiet")
    with suppress(UsageError):
        note_quiet(quiet.type_cast_value(ctx, quiet.consume_value(ctx, options)[0]))
    first = options.get("job")
    words = [first, *others] if isinstance(first, str) else []
    if not words or not words[0].startswith("-"):
        return first, others
    from durably_cli.cli.suggesting import known_jobs  # rarely needed

    known = set(known_jobs(ctx))
    return next((word for word in words if word in known), None), words


def own_options(command: Command, ctx: Any, args: list[str]) -> tuple[dict[str, Any], list[str]]:
    """What the words say of the command's own options and arguments, and those that are none."""
    before, ctx.resilient_parsing = ctx.resilient_parsing, True  # errors are for the real parse
    try:
        options, others, _ = _parser_of_own_options(command, ctx).parse_args(list(args))
    finally:
        ctx.resilient_parsing = before
    return options, others


def _start_if_script(ctx: Any, job: str | None, args: list[str]) -> None:
    """Become the process of the script that is named in place of a job, or that is the project."""
    if ctx.resilient_parsing or ({"-h", "--help"} & set(args) and job is None):
        return
    if job is None:  # the project may be a script, and is started
        with suppress(DurablyError):
            project_of(ctx)
    else:
        start_if_script(job, "trigger", args)


def start_if_script(job: str, command: str, args: list[str]) -> None:
    """Become the process of the script that stands in place of a job, with the other words."""
    from durably_cli.project.script_files import script_named

    script = script_named(job)
    if script is not None:
        from durably_cli.project.script_start import start

        at = args.index(job)
        start(script, [command, *args[:at], *args[at + 1 :]])


def _refuse_own_options(command: Command, ctx: Any, args: list[str]) -> None:
    """UsageError if an option of the command is wrong, for which no job's flags were looked up."""
    if not ctx.meta[FIELD_OPTIONS]:
        _parser_of_own_options(command, ctx).parse_args(list(args))


def _parser_of_own_options(command: Command, ctx: Any) -> Any:
    parser = command.make_parser(ctx)
    parser.ignore_unknown_options = True
    return parser


def job_named(context: Any) -> AnyJob | None:
    """The job whose options these are, if it was imported."""
    found: AnyJob | None = context.meta.get(_JOB)
    return found


def _fields_of(ctx: Any, job: str, *, if_broken_none: bool) -> Sequence[Field]:
    if ctx.resilient_parsing and not is_script_here():
        from durably_cli.project import known_jobs

        known = known_jobs.load(project_of(ctx)).get(job)
        return known.fields if known else []
    from durably_cli.cli.streams import redirected
    from durably_cli.engines.working_folder import inside
    from durably_cli.project.discovery import find_job
    from durably_cli.project.script_files import home_of

    try:
        project = project_of(ctx)
        with redirected(), inside(home_of(project)):
            found = ctx.meta[_JOB] = find_job(project, job)
            return found.fields
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except DurablyError as error:
        if not if_broken_none:
            raise
        ctx.meta[_UNKNOWN] = error.what.split("\n", 1)[0]
        return []
