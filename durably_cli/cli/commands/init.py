"""`durably init`: a folder with a job that works and shows what durably is for, and its test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from durably_cli import hints
from durably_cli.cli import document
from durably_cli.cli.app import as_command
from durably_cli.cli.asking import say
from durably_cli.cli.parameters import AsJson
from durably_cli.project.places import is_found_from_here, job_files
from durably_cli.render.rows import write_json

if TYPE_CHECKING:
    from durably_cli.render.part_types import MadeProject


@as_command()
def init(
    folder: Annotated[
        Path, typer.Argument(help="Where; here by default.", metavar="DIR", file_okay=False)
    ] = Path("."),
    as_json: AsJson = False,
) -> int:
    """Make a project: a job that works, and its test.

    What is there already is left alone.

    \b
    Examples:
      durably init
      durably init nightly
    """
    return run_init(folder, as_json=as_json)


JOB = '''\
"""A first job. Start it, press Ctrl-C half way, and go on with `durably resume @last`."""

import time

from pydantic import BaseModel, Field

from durably import Step, define_job


class Greeting(BaseModel):
    name: str = Field(default="world", description="who is greeted")
    times: int = Field(default=5, ge=1, description="how often")


@define_job
def hello(step: Step, payload: Greeting) -> list[str]:
    """Greet somebody, a step a greeting."""
    return [step.run(f"greet-{n}", greet, payload.name, n) for n in range(1, payload.times + 1)]


def greet(name: str, n: int) -> str:
    time.sleep(1)  # the work
    return f"{n}: hello {name}"
'''

TEST = '''\
"""A job is a function, and Step() a step in memory. Run this with `pytest`."""

from durably import Step
from jobs.hello import Greeting, hello


def test_somebody_is_greeted() -> None:
    assert hello(Step(), Greeting(name="Ann", times=1)) == ["1: hello Ann"]
'''
"""Beside the folder `jobs`, where plain pytest finds that too."""


def run_init(folder: Path, *, as_json: bool) -> int:
    """`durably init`; the exit code."""
    made = [str(path.absolute()) for path in _made(folder)]
    is_here = folder == Path(".")
    if is_here:
        project = folder.resolve()
        hints.called(project, finds_project=is_found_from_here(project))
    words = ("trigger", "hello", "--name", "Ann") if made else ("jobs",)
    command = hints.command(*words) if is_here else hints.command_in(folder, *words)
    if made:
        say(f"try: {command}")
    if as_json:
        document.suggest(command)
        fields: MadeProject = {"folder": str(folder.absolute()), "made": made}
        write_json({"project": fields}, document.on(sys.stdout))
    return 0


def _made(folder: Path) -> Iterator[Path]:
    """The files of a new project, as they are made; none if it is one already."""
    if (folder / "jobs").is_dir() and any(job_files(folder)):
        say(f"{folder.absolute()} is a project already; nothing was changed")
        return
    path = folder / "jobs" / "hello.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JOB, encoding="utf-8")
    package = path.with_name("__init__.py")
    has_package = package.exists()
    package.touch()  # without it an installed package `jobs` comes first
    say(f"made {path}, a job to begin with{'' if has_package else f', and {package}'}")
    yield path
    if not has_package:
        yield package
    test = folder / "test_hello.py"
    if not test.exists():
        test.write_text(TEST, encoding="utf-8")
        say(f"made {test}, its test, for pytest")
        yield test
