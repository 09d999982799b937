"""What a journal says of the code that a step called: file, function and hash, or nothing."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from durably_cli.steps.bytecode import COMPILER, fingerprint
from durably_cli.steps.code import code_of

MODULE = """
import functools
from contextlib import contextmanager

def plain(x):
    return x

def logged(fn):
    @functools.wraps(fn)
    def wrapper(*args):
        return fn(*args)
    return wrapper

@logged
@logged
def decorated(x):
    return x + 1

@functools.lru_cache
def cached(x):
    return x + 2

partly = functools.partial(functools.partial(plain), 1)

class Client:
    def fetch(self):
        return 1

    @staticmethod
    def ping():
        return 2

    def __call__(self):
        return 3

bound = Client().fetch
static = Client.ping
called = Client()

def make():
    return lambda: 4

inner = make()
"""


def load(root: Path, file: str, text: str = MODULE) -> ModuleType:
    """Import a file, as Python's own loader does."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("loaded", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("plain", "plain"),
        ("decorated", "decorated"),
        ("cached", "cached"),
        ("partly", "plain"),
        ("bound", "Client.fetch"),
        ("static", "Client.ping"),
        ("called", "Client.__call__"),
        ("inner", "make.<locals>.<lambda>"),
    ],
)
def test_the_function_that_was_written_for_the_step_is_named(
    tmp_path: Path, name: str, function: str
) -> None:
    module = load(tmp_path, "lib/one.py")
    codes = [code_of(getattr(module, name), str(tmp_path)) for _ in range(2)]
    file, qualname, hash_ = codes[0].split(":")
    assert (file, qualname) == ("lib/one.py", function)
    assert hash_.partition(".")[::2] == (hash_[:8], COMPILER)
    assert codes[0] == codes[1]
    if name == "plain":
        assert hash_ == f"{fingerprint(module.plain.__code__)}.{COMPILER}"


class _AnswersAll:
    def __getattr__(self, name: str) -> Any:
        return self


class _Raises:
    def __getattr__(self, name: str) -> Any:
        raise OSError(name)


@pytest.mark.parametrize(
    "fn",
    [
        *(print, int, [].append, "".join, str.join, functools.partial(print, 1), None),
        *(contextmanager, Path.cwd, _AnswersAll(), _AnswersAll, _Raises(), lambda: 1, 4),
        eval(compile("lambda: 1", "one.py", "eval")),
    ],
    ids=lambda fn: type(fn).__name__,
)
def test_what_is_not_of_the_project_has_no_code(tmp_path: Path, fn: object) -> None:
    assert code_of(fn, str(tmp_path)) == ""


@pytest.mark.parametrize("folder", ["site-packages/", ".venv/lib/python3.11/site-packages/x/"])
def test_what_is_installed_in_the_project_has_no_code(tmp_path: Path, folder: str) -> None:
    module = load(tmp_path, f"{folder}one.py")
    assert code_of(module.plain, str(tmp_path)) == ""


def test_a_folder_beside_the_project_is_not_in_it(tmp_path: Path) -> None:
    module = load(tmp_path, "project-2/one.py")
    assert code_of(module.plain, str(tmp_path / "project")) == ""
    assert code_of(module.plain, str(tmp_path / "project-2")).startswith("one.py:plain:")
    assert code_of(module.plain, str(tmp_path)).startswith("project-2/one.py:plain:")


def test_a_file_reached_through_a_folder_and_back_is_named_by_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    module = load(tmp_path, "jobs/../lib/one.py")
    assert code_of(module.plain, str(tmp_path)).startswith("lib/one.py:plain:")


def test_a_name_that_json_has_no_text_for_is_left_out(tmp_path: Path) -> None:
    scope: dict[str, Callable[[], None]] = {}
    exec(compile("def f(): pass", f"{tmp_path}/a\udcff.py", "exec"), scope)
    assert code_of(scope["f"], str(tmp_path)) == ""


def test_functions_that_come_and_go_are_not_taken_for_one_another(tmp_path: Path) -> None:
    for number in range(3000):
        scope: dict[str, Callable[[], None]] = {}
        exec(compile(f"def f{number}(): pass", f"{tmp_path}/one.py", "exec"), scope)
        code = code_of(scope[f"f{number}"], str(tmp_path))
        assert code.startswith(f"one.py:f{number}:")
