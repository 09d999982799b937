"""What the text of a script says, without executing it: whether it has a job, and what it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from durably_cli.errors import ConfigError

_BLOCK = re.compile(r"(?m)^# /// script *$\n(?P<content>(?:^#(?:| .*)$\n)+?)^# ///$")
"""Where a script says what it needs (PEP 723)."""

_LONGEST_LINE = 256


def refuse_without_job(script: Path) -> None:
    """ConfigError unless the file defines a job, and runs one when it is started.

    Who starts a file that is no such script would have all of it done, once more each time.
    """
    try:
        nodes = list(ast.walk(ast.parse(script.read_bytes(), str(script))))
    except (SyntaxError, ValueError) as error:
        where = f"{script}:{getattr(error, 'lineno', None) or 1}"
        raise ConfigError(f"{where} is no Python: {getattr(error, 'msg', error)}") from None
    jobs = [node.name for node in nodes if isinstance(node, _FUNCTIONS) and _is_job(node)]
    if not jobs and "define_job" not in map(_name_of, nodes):
        raise ConfigError(
            f"{script} defines no job",
            hint="write @define_job above a function (step), and FUNCTION.main() at the end",
        )
    if not any(isinstance(node, ast.Call) and _name_of(node.func) == "main" for node in nodes):
        which = f", and defines {len(jobs)}: {', '.join(jobs)}" if jobs[1:] else ""
        raise ConfigError(
            f"{script} runs no job when it is started{which}",
            hint=f"write at its end: {jobs[-1] if jobs else 'JOB'}.main()",
        )


_FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef


def _is_job(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for each in function.decorator_list:
        if _name_of(each.func if isinstance(each, ast.Call) else each) == "define_job":
            return True
    return False


def _name_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def first_line(script: Path) -> str:
    """The first line: `#!` and what starts the script, if it says so."""
    with script.open("rb") as file:
        return file.readline(_LONGEST_LINE).decode("utf-8", "replace").rstrip()


def has_block(script: Path) -> bool:
    """Does it say in a block `# /// script` what it needs?"""
    return block_of(script) is not None


def missing_for(script: Path) -> Iterator[str]:
    """What it says that it needs, and this Python does not have. ConfigError if it is no TOML."""
    import tomllib
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        needs = tomllib.loads(block_of(script) or "").get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the block # /// script of {script} is no TOML: {error}") from None
    for need in needs if isinstance(needs, list) else []:
        name = re.match(r"[A-Za-z0-9._-]+", str(need))
        try:
            if name is not None:
                distribution(name[0])
        except PackageNotFoundError:
            yield str(need)


def block_of(script: Path) -> str | None:
    """The text of the block `# /// script`, which is TOML; None if there is none."""
    found = _BLOCK.search(script.read_text(encoding="utf-8", errors="replace"))
    if found is None:
        return None
    return "".join(line[2:] + "\n" for line in found["content"].splitlines())
