"""The hash of a function follows what it does, and nothing of how its text is laid out."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from types import CodeType, ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durably_cli.steps.bytecode import fingerprint

FETCH = '''
async def fetch(org, since=None, *, pages=3):
    """All users."""
    found = []
    for page in range(1, pages + 1):
        try:
            answer = await client.get(f"{BASE}/{org}", params={"page": page, "since": since})
        except (OSError, TimeoutError):
            continue
        finally:
            log.info("a page")
        if not answer.ok and page > 1 or answer.empty:
            break
        rows = [row["id"] for row in answer.rows if row["kind"] in {"a", "b", 1}]
        rows.sort(key=lambda row, least=0: max(row, least))
        if rows:
            found.extend(rows)
            log.info("rows")
        first, last = rows[0], -0.0

    class Shape:
        size = 1
    return found, (1, True), b"x", Shape
'''


def codes(code: CodeType) -> Iterator[CodeType]:
    """All functions of a module, and those in them."""
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from codes(each)


def compiled(source: str, file: str = "one.py") -> CodeType:
    return next(codes(compile(source, file, "exec", dont_inherit=True)))


def hash_of(source: str, file: str = "one.py") -> str:
    return fingerprint(compiled(source, file))


LAYOUTS = {
    "all lines joined": ast.unparse(ast.parse(FETCH)),
    "further down": "import os\n\n# a comment\n" + "\n" * 300 + FETCH,
    "blank lines and comments": FETCH.replace("\n    ", "\n\n    # why\n    "),
    "another docstring": FETCH.replace("All users.", "Each user,\n    by page."),
    "no docstring": FETCH.replace('    """All users."""\n', ""),
    "over lines": FETCH.replace(" if row[", "\n if row[").replace(", params", ",\n params"),
    "a condition over lines": FETCH.replace(
        "if not answer.ok and page > 1 or answer.empty:",
        "if (\n not answer.ok\n and page > 1\n or answer.empty\n):",
    ),
    "quotes": FETCH.replace('"page"', "'page'").replace('"rows"', "'rows'"),
    "needless brackets": FETCH.replace("page > 1", "(page > 1)"),
    "another indent": FETCH.replace("    ", " "),
    "annotations as text": "from __future__ import annotations\n" + FETCH,
    "default of an argument": FETCH.replace("since=None", "since=4"),
    "annotations of arguments": FETCH.replace("org, since", "org: str, since: str"),
    "a comment in front of a class": FETCH.replace("    class", "    # it is\n\n    class"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_another_layout_is_the_same_code(name: str) -> None:
    assert LAYOUTS[name] != FETCH
    assert hash_of(LAYOUTS[name], f"{name}.py") == hash_of(FETCH)


EDITS = [
    ("pages + 1", "pages + 2"),
    ("pages + 1", "pages - 1"),
    ("pages + 1", "pages + True"),
    ("range(1", "range(1.0"),
    ("range(1,", "irange(1,"),
    ("-0.0", "0.0"),
    ("(1, True)", "(1, 1)"),
    ("(1, True)", "(1, 1.0)"),
    ("(1, True)", "[1, True]"),
    ('b"x"', '"x"'),
    ('{"a", "b", 1}', '{"a", "b", 2}'),
    ('{"a", "b", 1}', '("a", "b", 1)'),
    ("least=0", "least=1"),
    ("max(row, least)", "max(least, row)"),
    ("lambda row, least=0", "lambda least, row=0"),
    ("await client.get(", "client.get("),
    ("client.get", "client.post"),
    ("client.get", "clients.get"),
    ('row["id"] for row', 'row["ip"] for row'),
    ("(OSError, TimeoutError)", "(TimeoutError, OSError)"),
    ("(OSError, TimeoutError)", "OSError"),
    ("            continue", "            break"),
    ("            break", "            continue"),
    ("not answer.ok and", "answer.ok and"),
    ("and page > 1 or", "and page >= 1 or"),
    ("and page > 1 or", "or page > 1 and"),
    ("{BASE}/{org}", "{BASE}/{org!r}"),
    ("{BASE}/{org}", "{BASE}.{org}"),
    ("org, since=None, *", "since, org=None, *"),
    ("*, pages=3", "pages=3"),
    ("org, since=None", "org, /, since=None"),
    ("org, since=None, *,", "org, since=None, *rest,"),
    ("pages=3)", "pages=3, **rest)"),
    ('            log.info("rows")', '        log.info("rows")'),
    ("        first, last = rows[0]", "            first, last = rows[0]"),
    ('        finally:\n            log.info("a page")\n', ""),
    ("        finally:", "        else:"),
    ("found = []", "found = list()"),
    ("size = 1", "size = 2"),
    ("return found,", "yield found,"),
    ("    found = []", "    global found\n    found = []"),
    ("    found = []", "    found = []\n    assert org"),
    ("async def", "def"),
    (" fetch(org", " fetch(self, org"),
]


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_an_edit_is_other_code(old: str, new: str) -> None:
    edited = FETCH.replace(old, new, 1)
    assert edited != FETCH
    if old == "async def":
        edited = edited.replace("await ", "")
    if new.startswith("yield"):
        edited = edited.replace("yield found,", "yield found, #")
    assert hash_of(edited) != hash_of(FETCH)


def test_no_two_edits_are_the_same_code() -> None:
    sources = {FETCH.replace(old, new, 1) for old, new in EDITS if old != "async def"}
    assert len({hash_of(each) for each in sources}) == len(sources)


TRY = "def f():\n    {}a()\n    {}b()\n    except Exception:\n        c()\n    d()\n"


def test_what_is_tried_is_part_of_the_code() -> None:
    both = TRY.format("try:\n        ", "    ")
    assert hash_of(both) != hash_of(TRY.format("", "try:\n        "))
    assert hash_of(both) == hash_of(both.replace("b()", "b(\n\n)"))


LONG = "def f(x):\n    while x:\n        if x.a: break\n{}\n        if x.b: break\n    return 1\n"


@pytest.mark.parametrize("line", ["        x = x + 'n%s'", "        x.n%s(x)"])
def test_an_edit_of_a_long_function_is_other_code(line: str) -> None:
    lines = [line % n for n in range(700)]
    source = LONG.format("\n".join(lines))
    edits = [LONG.format("\n".join(each)) for each in (lines[::-1], lines[:-1], [*lines, lines[0]])]
    edits += [source.replace("n600", "n601"), source.replace("return 1", "return 2")]
    assert len({hash_of(each) for each in (source, *edits)}) == len(edits) + 1
    assert hash_of(ast.unparse(ast.parse(source))) == hash_of(source)
    for number in (10, 138, 266, 394):  # the last byte of whose numbers is one, in some Python
        edits.append(source.replace("        if x.b", f"        x.n{number}(x)\n        if x.b"))
    assert len({hash_of(each) for each in edits}) == len(edits)
    with_docstring = source.replace(":\n", ":\n    'Words.'\n", 1)
    assert hash_of(with_docstring) == hash_of(source)


@pytest.mark.parametrize("module", [argparse, dataclasses, textwrap, ast])
def test_a_library_with_all_lines_joined_is_the_same_code(module: ModuleType) -> None:
    source = inspect.getsource(module)
    joined = ast.unparse(ast.parse(source))
    both = [
        [each for each in codes(compile(text, "x.py", "exec")) if each.co_flags & 1]
        for text in (source, joined)
    ]
    assert len(both[0]) == len(both[1]) > 9
    pairs = zip(*both, strict=True)
    other = [one.co_qualname for one, two in pairs if fingerprint(one) != fingerprint(two)]
    assert other == []


def test_a_function_that_has_run_is_the_same_code() -> None:
    scope: dict[str, object] = {}
    source = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i * 2 if i % 3 else 1\n"
    exec(compile(source, "one.py", "exec"), scope)
    function = scope["f"]
    assert callable(function)
    for _ in range(100):
        function(100)
    assert fingerprint(function.__code__) == hash_of(source)  # type: ignore[attr-defined]


def test_each_process_has_the_same_hashes() -> None:
    program = (
        "import sys; from durably_cli.steps.bytecode import fingerprint\n"
        "code = compile(sys.stdin.read(), 'x.py', 'exec')\n"
        "print([fingerprint(each) for each in code.co_consts if hasattr(each, 'co_code')])"
    )
    results = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=FETCH,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert results == {f"{[hash_of(FETCH)]}\n"}


NAMES = st.from_regex(r"\A[a-z]{1,8}_\Z")


@given(st.lists(NAMES, min_size=3, max_size=3), st.lists(NAMES, min_size=3, max_size=3))
def test_another_name_is_other_code(one: list[str], two: list[str]) -> None:
    def source(names: list[str]) -> str:
        local, called, attribute = names
        return f"def f(x):\n    {local} = {called}(x)\n    return {local}.{attribute}\n"

    assert (hash_of(source(one)) == hash_of(source(two))) == (one == two)


@given(st.integers() | st.floats(allow_nan=False) | st.text() | st.binary() | st.booleans())
def test_a_constant_is_other_code_than_its_text_and_its_equals(value: object) -> None:
    texts = {repr(value), repr(repr(value)), f"({value!r},)"}
    if type(value) is bool:
        texts |= {str(int(value)), str(float(value))}
    hashes = {hash_of(f"def f():\n    return {each}\n") for each in texts}
    assert len(hashes) == len(texts)
