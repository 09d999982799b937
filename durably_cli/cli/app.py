"""The application: its global options, and what all commands have in common."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.shell_completion import CompletionItem
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info
from typer.models import CommandInfo

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.commands import COMMANDS, GROUPS, TAKE_JOBS, module_of
from durably_cli.cli.exits import end_as
from durably_cli.values.visible import visible
from durably_cli.version import __version__


class Commands(TyperGroup):
    """The commands of the table, of which only the one that is called is imported.

    An unknown command's error suggests the right one.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        import_module(module_of(cmd_name))
        return get_command_from_info(
            _imported[cmd_name], pretty_exceptions_short=False, rich_markup_mode=None
        )

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The table, for --help: a section a group, in which the lines begin below each other."""
        width = max(map(len, COMMANDS))
        for group, commands in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl([(name.ljust(width), line) for name, line in commands.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The names of the table and the options before them, which imports no command."""
        names = [name for name in COMMANDS if name.startswith(incomplete)]
        return [CompletionItem(name, help=COMMANDS[name]) for name in names] + (
            TyperCommand.shell_complete(self, ctx, incomplete)
        )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named, and the words behind it."""
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            from durably_cli.cli.suggesting import command_for  # only after a typing mistake

            error.next_step = command_for(ctx, *args)
            raise


app = typer.Typer(
    name="durably",
    cls=Commands,
    suggest_commands=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

UsageError: Any = typer.BadParameter.__base__
"""Click's, which Typer keeps in a place of its own."""

_imported: dict[str, CommandInfo] = {}
"""The commands that were imported, by name."""

_PROJECT = "durably.project"


class Command(TyperCommand):
    """A command whose usage names its arguments plainly: JOB, not {JOB}."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """What the words behind the command's name mean; hints may say them again."""
        hints.typed(info_name, args)
        return super().make_context(info_name, args, parent, **extra)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words behind the command's name in the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """A section for the arguments, and one for each group of options (`rich_help_panel`)."""
        sections = defaultdict[str, list[tuple[str, str]]](list)
        for param in self.shown_params(ctx):
            line = param.get_help_record(ctx)
            if line is not None:
                is_argument = param.param_type_name == "argument"
                group = getattr(param, "rich_help_panel", None) or "Options"
                sections["Arguments" if is_argument else group].append(line)
        for title, lines in sections.items():
            with formatter.section(title):
                formatter.write_dl(lines)

    def shown_params(self, ctx: Any) -> list[Any]:
        """Those that --help shows."""
        params: list[Any] = self.get_params(ctx)
        return params

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """The options that a shell offers; the words of some are a job's."""
        found = super().shell_complete(ctx, incomplete)
        for item in found:
            item.help = item.help and offered(item.help)
        return found


def offered(text: str) -> str:
    """Somebody's words as a shell offers them: some shells' Typer takes them for Rich's markup.

    Escaped as `rich.markup.escape` does it, which would cost the others 40 ms to load.
    """
    return re.sub(
        r"(\\*)(\[[a-zA-Z#/@][^\[]*?\])", r"\1\1\\\2", visible(text)
    ) + " " * text.endswith("\\")


def as_command(
    name: str | None = None, cls: type[TyperCommand] = Command
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function that acts and returns an exit code the command of its module."""

    def register(act: Callable[..., int]) -> Callable[..., int]:
        @wraps(act)
        def call(*args: Any, **options: Any) -> None:
            end_as(lambda: _answered(act(*args, **options)))

        called = name or act.__name__
        _imported[called] = CommandInfo(called, cls=cls, callback=call)
        return act

    return register


def _answered(code: int) -> int:
    """The exit code, once a program that asked for a document has all of it."""
    with suppress(BrokenPipeError):  # a reader that leaves early changes no exit code
        document.close()
    return code


def project_of(context: typer.Context) -> Path:
    """The project the command is for; said on a terminal if one could not have guessed it.

    It is looked for once: it is said once, and is the same for the whole command.
    """
    known: Path | None = context.meta.get(_PROJECT)
    if known is None:
        known = context.meta[_PROJECT] = _found_project(context)
    return known


def _found_project(context: typer.Context) -> Path:
    from durably_cli.project.naming import NAME_VARIABLE
    from durably_cli.project.places import (
        PROJECT_VARIABLE,
        VIRTUAL_ENVIRONMENT,
        is_found_from_here,
        locate_project,
    )

    given = context.find_root().params.get("project")
    project = locate_project(given)
    _start_script(project.folder, context)
    needs_a_name = given or project.source == PROJECT_VARIABLE  # set for this call only?
    finds_it = not needs_a_name or is_found_from_here(project.folder)
    has_name = bool(os.environ.get(NAME_VARIABLE))
    # A hint of a named project goes through the link, so that it holds for the next release.
    hints.called(project.reached_by if has_name else project.folder, finds_project=finds_it)
    if project.reached_by != project.folder and not has_name and not context.resilient_parsing:
        _warn_of_link(project.folder, project.reached_by)
    if project.source == VIRTUAL_ENVIRONMENT and sys.stderr.isatty():
        print(visible(f"in {project.folder}, by {project.source}"), file=sys.stderr)
    return project.folder


def _start_script(project: Path, context: typer.Context) -> None:
    """If the command takes the jobs of a script, this becomes the process of that."""
    command, *words = hints.words_typed() or [""]
    if command not in TAKE_JOBS or context.resilient_parsing:
        return
    from durably_cli import program
    from durably_cli.project.script_files import is_script

    if "--remove" in words and not project.exists():  # its schedules are still there
        return
    if is_script(project) and not program.is_process_of(project):
        from durably_cli.project.script_start import start

        start(project, [command, *words])


def _warn_of_link(project: Path, reached_by: Path) -> None:
    from durably_cli.project.links import warning  # rarely needed

    if hints.is_read_elsewhere() or os.environ.get("DURABLY_QUIET", "0") != "0":
        return
    said = warning(project, reached_by)
    if said:
        print(visible(said), file=sys.stderr)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"durably {__version__}", flush=True)
        raise typer.Exit


@app.callback()
def durably(
    project: Annotated[
        str | None,
        typer.Option(
            "-C",
            "--project",
            metavar="DIR",
            help="The project: the folder that has jobs/. By default the nearest one upwards, else "
            "the one whose virtual environment durably runs from.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run Python functions that survive a crash: every step's result is on disk before the next.

    Kill a run anywhere, and `durably resume` goes on where it was. No server, no database.

    \b
    Examples:
      durably init
      durably trigger sync-users --org-id org_123
      durably list --status failed --since 2d
      durably inspect @last
      durably resume @failed
    """
