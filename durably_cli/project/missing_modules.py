"""Why a module that a job imports is not found, and what to do about it.

To install a package is advised only where the name can be that of one: never of a file that the
project has, nor of what may be a typing error, for whoever publishes a package of that name would
get to run code here.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from durably_cli import hints
from durably_cli.project import importing, likeness
from durably_cli.values.untrusted import add_note, all_of, safely, traceback_of

_TAKEN_OUT = frozenset(
    (
        *("asynchat", "asyncore", "distutils", "imp", "smtpd"),  # of 3.12
        *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
        *("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
        *("telnetlib", "uu", "xdrlib"),
    )
)
"""What newer Pythons no longer have in their library."""


def hint(error: BaseException, job_module: Path) -> str | None:
    """What to do so that the module is found; None if nobody can say."""
    top, _, rest = (_module_of(error) or "").partition(".")
    if not (top.isidentifier() and top.isascii()):
        return None
    if (hidden := _hidden(top, _project_of(job_module))) is not None:
        return f"{top} is not {hints.quoted(hidden)}, but what Python has of that name: rename it"
    if not issubclass(type(error), ModuleNotFoundError):
        return None
    if likeness.alike(top) == "durably":
        return "the module is durably: from durably import define_job"
    if (place := _place(top)) is not None:
        return f"{top} is {hints.quoted(place)}, and has no {rest}" if rest else None
    project = _project_of(job_module)
    importing = _importing_file(error)
    found = _file_of(top, project, importing)
    if found is not None and found == importing:
        return (
            f"{hints.quoted(found)} imports what has its own name: rename it, if something else is "
            "wanted"
        )
    if found is not None:
        return _how_to_import(found, project)
    near = _named_alike(top, project)
    if near is not None:
        return f"{top} is not found, and {hints.quoted(near)} is near: is that one meant?"
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if top in sys.stdlib_module_names:
        return f"{top} is in Python's own library, and {sys.executable} was built without it"
    if top in _TAKEN_OUT:
        return f"{top} was in Python's own library, and {python} no longer has it"
    if like := likeness.near_to(top, project):
        return f"{top} is not found; did you mean {' or '.join(like)}? {_what_else(top)}" + (
            _how_to_get(like)
        )
    return _how_to_install(top)


def explain(error: BaseException, job_module: Path) -> None:
    """Add to errors of imports that a handler makes what would be said of its module's.

    They may be what an exception came from, or members of a group: of each module it is said once.
    """
    if not any(each.name == "jobs" for each in job_module.parents):
        return
    explained = set[str | None]()
    for one in all_of(error):
        if issubclass(type(one), ImportError) and (name := _module_of(one)) not in explained:
            explained.add(name)
            advice = safely(lambda raised: hint(raised, job_module), one)
            if advice:
                add_note(one, advice)


def _module_of(error: BaseException) -> str | None:
    name = ImportError.__dict__["name"].__get__(error)
    return name if type(name) is str else None


def _hidden(top: str, project: Path) -> Path | None:
    """The project's file of this name, if that is not what an import of it finds."""
    if importing.comes_first(top):
        for path in (project / f"{top}.py", project / top / "__init__.py"):
            if path.is_file():
                return path
    return None


def _place(top: str) -> str | None:
    """Where a module is that can be imported; None if there is none."""
    try:
        spec = find_spec(top)
    except Exception:  # somebody's own finder, or a module that was put into sys.modules by hand
        return "there" if top in sys.modules else None
    if spec is None:
        return None
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return str(places[0]) if places and places[0] else "there"


def _project_of(job_module: Path) -> Path:
    """The folder above jobs/."""
    folder = next(each for each in job_module.parents if each.name == "jobs")
    return folder.parent


def _importing_file(error: BaseException) -> Path | None:
    frames = traceback.extract_tb(traceback_of(error))
    files = [Path(each.filename) for each in frames]
    return next((each for each in files[::-1] if each.parent.name != "importlib"), None)


def _file_of(top: str, project: Path, importing: Path | None) -> Path | None:
    """The project's own file or package of this name."""
    folders = [project / "jobs", project, project / "src"]
    if importing is not None and importing.is_relative_to(project):
        folders.insert(0, importing.parent)
    for folder in folders:
        for path in (folder / f"{top}.py", folder / top):
            if path.is_file() or (path.is_dir() and any(path.glob("*.py"))):
                return path
    return None


def _named_alike(top: str, project: Path) -> Path | None:
    """What in the project has a name that a package of this one could be taken for."""
    wanted = likeness.alike(top)
    if wanted.startswith("durably") or likeness.alike(project.name) == wanted:
        return project
    seen = 0
    for folder, folders, files in os.walk(project):
        folders[:] = [each for each in folders if not (each.startswith(".") or each in _OTHERS)]
        for each in (*folders, *files):
            if likeness.alike(each.partition(".")[0]) == wanted:
                return Path(folder) / each
        seen += len(folders) + len(files)
        if seen > _MOST_FILES:
            break
    return None


_OTHERS = frozenset(("venv", "env", "node_modules", "site-packages", "__pycache__"))
"""Folders of what others wrote."""

_MOST_FILES = 20_000
"""How many files and folders of a large project are looked at."""


def _how_to_import(found: Path, project: Path) -> str:
    packages, top = found.relative_to(project).parts[:-1], found.stem
    here, root = f"{top} is {hints.quoted(found)}", hints.quoted(project)
    if not all(map(str.isidentifier, packages)):
        return f"{here}; put it into a folder whose name Python can import"
    if not packages:
        return f"{here}, and {root} is no longer in sys.path"
    if packages == ("src",) and _can_be_installed(project):
        return f"{here}; install the project itself: {pip_install()} -e {root}"
    package = ".".join(packages)
    return (
        f"{here}, and what is imported begins at {root}:\n"
        f"from {package} import {top}    (or: from {package}.{top} import ...)"
    )


def _can_be_installed(project: Path) -> bool:
    try:
        text = (project / "pyproject.toml").read_bytes()
    except OSError:
        return False
    return any(line.strip() == b"[project]" for line in text.splitlines())


def _how_to_install(top: str) -> str:
    belongs = "(durably belongs in the project's own virtual environment)"
    known = likeness.PACKAGES.get(top)
    other = "" if known else f"    (the package may have another name than its module {top})"
    if find_spec("pip") is None:
        return f"install what has it where {sys.executable} finds it{other}\n{belongs}"
    return f"install it where durably runs: {pip_install()} {known or top}{other}\n{belongs}"


def _what_else(top: str) -> str:
    return f"(if not: name the package of {top} in the project's dependencies, and install it)"


def _how_to_get(like: Sequence[str]) -> str:
    """How to install what was probably wanted, of the packages that many have; empty if it is."""
    for each in like:
        if each in likeness.PACKAGES and _place(each) is None and find_spec("pip") is not None:
            how = f"{pip_install()} {likeness.PACKAGES[each]}"
            return f"\n{each} is not there either; to install it: {how}"
    return ""


def pip_install() -> str:
    """The words in front of a package that is to be installed for this Python."""
    return f"{hints.quoted(sys.executable)} -m pip install"
