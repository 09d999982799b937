"""Which module was probably wanted by an import that names one that is not there.

Packages are published under names that are nearly those of others, for people who mistype them.
"""

from __future__ import annotations

import difflib
import pkgutil
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_SAME = (
    *("aiohttp", "anthropic", "anyio", "arrow", "attrs", "boto3", "botocore", "celery", "click"),
    *("cryptography", "django", "fastapi", "flask", "httpx", "jinja2", "lxml", "markdown"),
    *("matplotlib", "msgpack", "mypy", "nltk", "numpy", "openai", "openpyxl", "orjson", "pandas"),
    *("paramiko", "plotly", "polars", "psutil", "psycopg", "psycopg2", "pyarrow", "pydantic"),
    *("pymongo", "pytest", "pytz", "redis", "requests", "rich", "scipy", "seaborn", "selenium"),
    *("setuptools", "sqlalchemy", "starlette", "stripe", "structlog", "tensorflow", "toml"),
    *("tomli", "torch", "tqdm", "transformers", "trio", "typer", "ujson", "urllib3", "uvicorn"),
)

PACKAGES = dict(zip(_SAME, _SAME, strict=True)) | {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "git": "GitPython",
    "jose": "python-jose",
    "jwt": "PyJWT",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slack_sdk": "slack-sdk",
    "yaml": "PyYAML",
}
"""Modules that many import, and the packages that have them.

None of these is a typing error, though it may be near to another name; others are near to these.
"""

_NEAR, _NEAR_IF_SHORT, _SHORT = 0.75, 0.66, 4
"""How like two names must be; in a short one, a single letter is much of it."""

_REQUIREMENT = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)"


def near_to(top: str, project: Path) -> list[str]:
    """The nearest names of modules and dependencies; none if this one is known itself."""
    declared = {alike(name) for name in _dependencies(project)}
    names = {alike(name): name for name in sorted({*_importable(project), *PACKAGES})}
    if top in PACKAGES or alike(top) in declared:
        return []
    names = dict.fromkeys(declared, "") | names
    cutoff = _NEAR_IF_SHORT if len(top) <= _SHORT else _NEAR
    found = difflib.get_close_matches(alike(top), names, n=2, cutoff=cutoff)
    return [names[each] or each for each in found]


def alike(name: str) -> str:
    """What a registry of packages makes of a name: it takes these for the same."""
    return re.sub(r"[-_.]+", "_", name.casefold())


def _importable(project: Path) -> Iterator[str]:
    """What an import can name: of Python's own, of what is installed, of the project's."""
    folders = [str(each) for each in (project / "jobs", project / "src", project)]
    yield from (name for name in sys.stdlib_module_names if not name.startswith("_"))
    with suppress(Exception):  # somebody's own finder
        for module in pkgutil.iter_modules([*folders, *sys.path]):
            if not module.name.startswith("_"):
                yield module.name


def _dependencies(project: Path) -> Iterator[str]:
    """The packages that the project says it needs."""
    with suppress(OSError, ValueError):
        yield from _named_in(tomllib.loads((project / "pyproject.toml").read_text("utf-8")))
    for path in sorted(project.glob("requirements*.txt")):
        with suppress(OSError, ValueError):
            for line in path.read_text("utf-8").splitlines():
                yield from _name_of(line)


def _named_in(pyproject: dict[str, Any]) -> Iterator[str]:
    project = _table(pyproject, "project")
    lists = [project.get("dependencies"), *_table(project, "optional-dependencies").values()]
    lists += _table(pyproject, "dependency-groups").values()
    poetry = _table(_table(pyproject, "tool"), "poetry")
    lists += [list(_table(poetry, "dependencies"))]
    for each in lists:
        for line in each if isinstance(each, list) else ():
            yield from _name_of(line)


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _name_of(requirement: object) -> Iterator[str]:
    found = re.match(_REQUIREMENT, requirement) if isinstance(requirement, str) else None
    if found:
        yield found[1]
