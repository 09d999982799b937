"""How Python imports while durably runs jobs: the project's folder comes first in `sys.path`, with
two exceptions.

What lies in jobs/ is compiled from its source each time: compiled files are believed by whole
seconds and size, and an edited job has to run. And the standard library, and what durably itself
needs, come before a file of the project that has such a name, for both may be imported later.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

PACKAGE = "jobs"
"""The package that job modules are in, which is the name of their folder."""

OWN_NEEDS = frozenset(
    (
        *("durably", "durably_cli", "platformdirs", "pydantic", "pydantic_core", "rich", "typer"),
        *("annotated_doc", "annotated_types", "markdown_it", "mdurl", "pygments", "shellingham"),
        *("typing_extensions", "typing_inspection"),
    )
)
"""The modules of what durably depends on, and of what that depends on."""


def prepare(project: Path) -> ProjectFinder:
    """Import the project's modules from now on, as `python -m` does in its folder."""
    folder = str(project)
    sys.path_importer_cache.pop(os.path.join(folder, PACKAGE), None)  # another look may be too old
    if folder not in sys.path[:1]:
        sys.path.insert(0, folder)
    for finder in sys.meta_path[:]:
        if isinstance(finder, ProjectFinder):
            if finder.project == folder:
                return finder
            sys.meta_path.remove(finder)
    made = ProjectFinder(folder)
    at = next((n for n, each in enumerate(sys.meta_path) if each is PathFinder), 0)
    sys.meta_path.insert(at, made)
    return made


def comes_first(name: str) -> bool:
    """Is the module the standard library's, or durably's, whatever file the project has?"""
    return name in OWN_NEEDS or name in sys.stdlib_module_names


class SourceLoader(SourceFileLoader):
    """Compiles the source, reads no compiled file, and leaves none in the project."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of the source as it is now, which `source_of` has from then on."""
        path = self.get_filename(fullname)
        source = _compiled[path] = self.get_data(path)
        code: CodeType = self.source_to_code(source, path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        """Execute it; one that takes itself out of `sys.modules` is put back."""
        super().exec_module(module)
        executed[module.__name__] = module
        sys.modules.setdefault(module.__name__, module)


executed = dict[str, ModuleType]()
"""Modules by name as they were executed: one may put something else into `sys.modules`."""

_compiled = dict[str, bytes]()


def source_of(file: str) -> bytes | None:
    """What a module was compiled from, else what its file has now; None if that cannot be read."""
    try:
        return _compiled[file] if file in _compiled else Path(file).read_bytes()
    except (OSError, ValueError):
        return None


class ProjectFinder:
    """Finds what Python's own finder, before which it stands, would find elsewhere or load stale.

    `unnamed` has the files that no import can name, by the names that they are given.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self.unnamed = dict[str, str]()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the module is; None if the other finders are to say."""
        if (file := self.unnamed.get(name)) is not None:
            return spec_from_file_location(name, file, loader=SourceLoader(name, file))
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            return self._from_source(PathFinder.find_spec(name, path))
        if path is None and comes_first(name):
            others = [each for each in sys.path if each not in ("", self.project)]
            return PathFinder.find_spec(name, others)
        return None

    def _from_source(self, spec: ModuleSpec | None) -> ModuleSpec | None:
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return spec
        if spec.origin.startswith(os.path.join(self.project, PACKAGE, "")):
            spec.loader = SourceLoader(spec.name, spec.origin)
        return spec
