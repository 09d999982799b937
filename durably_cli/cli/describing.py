"""Every command with its arguments and options, for programs: `durably help --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from durably_cli.cli.commands import COMMANDS
from durably_cli.cli.schemas import Schemas, schemas

if TYPE_CHECKING:
    from durably_cli.render.part_types import ArgumentFields, CommandFields, OptionFields


def described(context: Any) -> dict[str, object]:
    """`options` before any command, `commands` in the order of the table, and the `$defs` of their
    schemas. Imports all.
    """
    found = schemas()
    root = context.find_root()
    commands = {name: root.command.get_command(root, name) for name in COMMANDS}
    return {
        "options": [_option(each) for each in _of_kind(root.command, "option")],
        "commands": [_command(name, command, found) for name, command in commands.items()],
        "$defs": found.defs,
    }


def _command(name: str, command: Any, found: Schemas) -> CommandFields:
    return {
        "name": name,
        "summary": COMMANDS[name],
        "help": _paragraphs(command.help or ""),
        "arguments": [_argument(each) for each in _of_kind(command, "argument")],
        "options": [_option(each) for each in _of_kind(command, "option")],
        "document": found.documents.get(name),
        "line": found.lines.get(name),
    }


def _of_kind(command: Any, kind: str) -> list[Any]:
    return [each for each in command.params if each.param_type_name == kind and not each.hidden]


def _argument(parameter: Any) -> ArgumentFields:
    return {
        "name": (parameter.metavar or parameter.name).strip("[]."),
        "required": parameter.required,
        "repeated": parameter.nargs == -1,
        "help": parameter.help,
    }


def _option(parameter: Any) -> OptionFields:
    choices = getattr(parameter.type, "choices", None)
    takes_value = not (parameter.is_flag or parameter.count)
    default = parameter.default
    return {
        "names": [*parameter.opts, *parameter.secondary_opts],
        "value": (parameter.metavar or "TEXT") if takes_value and not choices else None,
        "choices": None if choices is None else [str(each) for each in choices],
        "takes_value": takes_value,
        "repeated": parameter.multiple,
        "default": str(default) if takes_value and default not in (None, ()) else None,
        "variable": parameter.envvar,
        "help": parameter.help,
    }


def _paragraphs(help: str) -> str:
    return help.replace("\b\n", "").strip()
