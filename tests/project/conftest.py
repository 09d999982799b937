"""A project whose jobs are imported into the process of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durably_cli.project import importing

JOB = """
from durably_cli import Step, define_job

@define_job(name="{name}")
def job(step: Step, payload: dict) -> str:
    return "{name}"
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """The project's folder; what was imported of it is forgotten again."""
    (tmp_path / "jobs").mkdir()
    path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
    yield tmp_path
    sys.path[:], sys.meta_path[:] = path, finders
    importing.executed.clear()
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(root: Path, file: str, text: str) -> Path:
    """Write a file in jobs/."""
    path = root / "jobs" / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path
