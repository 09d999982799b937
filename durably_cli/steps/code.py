"""Which code a step calls: the file of the project, the function in it, and a hash of what it does.

It is of the function that was written for the step: behind functools.partial and a bound method,
and the innermost one that `__wrapped__` leads to. So an edited decorator is not seen, nor are
defaults of arguments, which are no part of a function's code.
"""

from __future__ import annotations

import os
from functools import partial
from types import CodeType, FunctionType, MethodType, WrapperDescriptorType

from durably_cli.steps.bytecode import COMPILER, fingerprint

_DEEPEST = 100
"""How many wrappers are looked behind: what answers any name has no last one."""

_MOST = 1000
"""How many functions are remembered: a job may compile some all the time."""

_seen = dict[int, tuple[CodeType, str, str]]()
"""By the id of a code object: that, so that the id stays its own; a folder, and the text there."""

_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")


def code_of(fn: object, folder: str) -> str:
    """`jobs/sync_users.py:fetch_users:1a2b3c4d.cpython-311`, of a function of the project.

    Empty for all else: builtins, classes, libraries, those in a virtual environment there too.
    """
    if type(fn) is FunctionType and "__wrapped__" not in fn.__dict__:
        code = fn.__code__
    elif (inner := code_behind(fn)) is not None:
        code = inner
    else:
        return ""
    known = _seen.get(id(code))
    if known is not None and known[1] == folder:
        return known[2]
    text = _text(code, folder)
    if text:  # what is made of text, again and again, has no file
        if len(_seen) >= _MOST:
            _seen.clear()
        _seen[id(code)] = code, folder, text
    return text


def code_behind(fn: object) -> CodeType | None:
    """The code of the innermost function; None if there is none. Objects may answer anything."""
    try:
        for _ in range(_DEEPEST):
            if isinstance(fn, type):
                return None
            if isinstance(fn, partial):
                fn = fn.func
            elif isinstance(fn, MethodType):
                fn = fn.__func__
            elif (wrapped := getattr(fn, "__wrapped__", None)) is not None:
                fn = wrapped
            elif isinstance(fn, FunctionType):
                return fn.__code__
            elif isinstance(call := type(fn).__call__, WrapperDescriptorType):  # it is C's
                return None
            else:
                fn = call
    except Exception:  # of the user's, for which no step is to fail
        pass
    return None


def _text(code: CodeType, folder: str) -> str:
    file = os.path.normpath(code.co_filename)
    inside = os.path.join(folder, "")
    if not file.startswith(inside) or file.startswith(_STANDARD_LIBRARY):
        return ""
    file = file[len(inside) :].replace(os.sep, "/")
    if "/site-packages/" in f"/{file}" or "/dist-packages/" in f"/{file}":
        return ""
    try:
        text = f"{file}:{code.co_qualname}:{fingerprint(code)}.{COMPILER}"
        text.encode()  # JSON has no text for a name that is not UTF-8
    except Exception:  # of bytecode that no compiler made
        return ""
    return text
