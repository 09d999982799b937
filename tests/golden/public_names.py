"""The names that users import, and what these can do: one line a name, as Python tells it."""

from __future__ import annotations

import dis
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_overloads

import durably_cli

PATH = Path(__file__).parent / "public_names.txt"


def as_text() -> str:
    """A line for each public name and attribute, wherever in the package it is defined."""
    found = "".join(f"{line}\n" for name in sorted(durably_cli.__all__) for line in _lines_of(name))
    found = re.sub(r"<[^<>]+ at 0x[0-9a-f]+>", "...", found)
    return re.sub(r"\b[a-z_]+\.(?=[A-Z])", "", found)


def _lines_of(name: str) -> Iterator[str]:
    found: Any = getattr(durably_cli, name)
    if inspect.isclass(found):
        yield from _lines_of_class(name, found)
        if name == "Step":
            yield from _lines_of_class("Step.log", type(durably_cli.Step().log))
    elif callable(found):
        yield from _lines_of_callable(name, found)
    else:
        yield f"{name}: {type(found).__name__}"


def _lines_of_callable(name: str, found: Any) -> Iterator[str]:
    for each in (*get_overloads(getattr(found, "__func__", found)), found):
        yield f"{name}{inspect.signature(each)}"


def _lines_of_class(name: str, cls: type[Any]) -> Iterator[str]:
    """Itself, and what it has that is of durably: methods, properties, and what instances have."""
    bases = ", ".join(base.__name__ for base in cls.__bases__)
    yield f"class {name}({bases}){_signature_of(cls)}"
    ours = [each for each in cls.__mro__ if each.__module__.startswith("durably_cli")]
    names = {attribute for each in ours for attribute in (*vars(each), *_set_by_init(each))}
    for attribute in sorted(names):
        if not attribute.startswith("_") or attribute == "__call__":
            yield from _lines_of_attribute(cls, name, attribute)


def _signature_of(cls: type[Any]) -> str:
    return str(inspect.signature(cls)) if "__init__" in vars(cls) else ""


def _lines_of_attribute(cls: type[Any], name: str, attribute: str) -> Iterator[str]:
    found = inspect.getattr_static(cls, attribute, None)
    shown = f"{name}.{attribute}"
    if found is None:
        yield shown
    elif isinstance(found, property):
        yield f"{shown} {inspect.signature(found.fget).return_annotation}"  # type: ignore[arg-type]
    elif hasattr(found, "func"):  # a cached property
        yield f"{shown} {inspect.signature(found.func).return_annotation}"
    elif callable(getattr(cls, attribute)) and not isinstance(found, type):
        yield from _lines_of_callable(shown, getattr(cls, attribute))
    else:
        yield f"{shown} = {found!r}"


def _set_by_init(cls: type[Any]) -> Iterator[str]:
    """The attributes that its own `__init__` gives an instance."""
    init = vars(cls).get("__init__")
    for each in dis.get_instructions(init) if init else ():
        if each.opname == "STORE_ATTR":
            yield str(each.argval)
