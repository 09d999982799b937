"""The house keeps its order: one meaning a word, one owner a name, one concern a module."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import durably_cli
from durably_cli.cli.commands import COMMANDS, module_of
from tests.harness.examples import REPOSITORY

SOURCE = Path(durably_cli.__file__).parent
BANNED = re.compile(
    r"(?<![a-z])(told|kept|meant|lest|anew|alone|for one|let through)(?![a-z])", re.IGNORECASE
)
"""Words that were terms of art here, with several meanings each."""

STAY = {
    ("journal/events.py", "kept"),  # a field of journals of format 1
    ("engines/execute.py", "kept"),
    ("engines/local/repair.py", "kept"),
    ("render/what_changed.py", "kept"),
    ("render/record.py", "kept"),
    ("render/run_types.py", "kept"),
    ("render/story.py", "kept"),  # in an f-string, into which Python 3.11 does not look
    ("cli/commands/repair.py", "kept"),  # a sentence of its help, which people know
    ("cli/commands/init.py", "alone"),
}


def modules() -> Iterator[tuple[str, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield str(path.relative_to(SOURCE)), path.read_text(encoding="utf-8")


def prose_of(text: str) -> Iterator[str]:
    """Every name, comment and docstring of a module."""
    strings = {
        node.value.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_doc = token.type == tokenize.STRING and token.start[0] in strings
        if is_doc or token.type == tokenize.COMMENT:
            yield token.string
        elif token.type == tokenize.NAME:
            yield token.string.replace("_", " ")


def test_no_banned_word_is_in_a_name_a_comment_or_a_docstring() -> None:
    found = {
        (file, match[0].lower())
        for file, text in modules()
        for prose in prose_of(text)
        for match in BANNED.finditer(prose)
    }
    assert found <= STAY


def test_no_banned_word_is_in_a_page() -> None:
    pages = [REPOSITORY / "README.md", REPOSITORY / ".github" / "CONTRIBUTING.md"]
    for page in (*pages, *(SOURCE / "cli" / "help").glob("*.md")):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            assert not BANNED.search(line), f"{page}:{number}: {line}"


def test_a_public_name_exists_once() -> None:
    places = defaultdict[str, set[str]](set)
    for file, text in modules():
        if file.startswith("cli/commands/"):  # their functions have the names of the commands
            continue
        for node in ast.parse(text).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
                places[node.name].add(file)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_module_is_two_things() -> None:
    assert {file for file, text in modules() if text.count("\n") > 300} == set()


def test_every_command_is_in_the_table_with_its_own_first_line() -> None:
    files = {path.stem.rstrip("_") for path in (SOURCE / "cli" / "commands").glob("[!_]*.py")}
    assert files == set(COMMANDS)
    for name, line in COMMANDS.items():
        module = import_module(module_of(name))
        act = next(each for each in (f"{name}_", name) if getattr(module, each, None) is not None)
        assert (getattr(module, act).__doc__ or "").split("\n", 1)[0] == line


def test_every_public_thing_says_what_it_is() -> None:
    silent = {
        f"{file}:{node.name}"
        for file, text in modules()
        for node in ast.parse(text).body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
        and not any(ast.unparse(each) == "overload" for each in node.decorator_list)
    }
    assert silent == set()
