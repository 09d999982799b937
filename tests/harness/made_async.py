"""The async form of a handler, made from its plain one: so none is written twice.

A function that takes a `step: Step`, and each that it calls of the same module and kind, becomes
`async def`; what takes time of the step is awaited, and so are those functions.
"""

from __future__ import annotations
import __future__

import ast
import inspect
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

AWAITED = {
    "run",
    "sh",
    "transaction",
    "sleep",
    "poll",
    "wait_signal",
    "run_job",
    "map",
    "for_each",
    "_ask",
}


def made_async(handler: Callable[..., Any]) -> Callable[..., Any]:
    """The same handler, of `async def`."""
    found: Callable[..., Any] = _made_async(handler.__module__)[handler.__name__]
    return found


@cache
def _made_async(module: str) -> dict[str, Any]:
    """The names of a module, its handlers made async."""
    loaded = sys.modules[module]
    tree = ast.parse(inspect.getsource(loaded))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    handlers = [node for node in functions if _takes_step(node)]
    names, awaiting = dict(vars(loaded)), _Awaiting({node.name for node in handlers})
    for node in handlers:
        node.decorator_list = []
        made = ast.fix_missing_locations(ast.Module([awaiting.visit(node)], []))
        exec(compile(made, f"<async {module}>", "exec", _FLAGS, dont_inherit=True), names)
    return names


_FLAGS = __future__.annotations.compiler_flag


def _takes_step(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    args = node.args.args
    return bool(args) and args[0].arg == "step"


class _Awaiting(ast.NodeTransformer):
    def __init__(self, handlers: set[str]) -> None:
        self._handlers = handlers

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if not _takes_step(node):
            return node
        made = ast.AsyncFunctionDef(**{name: getattr(node, name) for name in node._fields})
        return ast.copy_location(made, node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        fn = node.func
        is_of_step = isinstance(fn, ast.Attribute) and fn.attr in AWAITED and _is_step(fn.value)
        is_handler = isinstance(fn, ast.Name) and fn.id in self._handlers
        return ast.copy_location(ast.Await(node), node) if is_of_step or is_handler else node


def _is_step(node: ast.AST) -> bool:
    """Is it `step`, or a scope of it?"""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "scope" and _is_step(node.func.value)
    return isinstance(node, ast.Name) and node.id in ("step", "inner")
