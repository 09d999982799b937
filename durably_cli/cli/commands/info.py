"""`durably info`: every setting and folder, and where each of them comes from."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

import typer

from durably_cli import hints, version
from durably_cli.cli import document
from durably_cli.cli.app import as_command
from durably_cli.cli.parameters import (
    AsJson,
)
from durably_cli.engines.local.store import Store
from durably_cli.errors import DurablyError
from durably_cli.journal.events import FORMAT
from durably_cli.project import naming, places, stores
from durably_cli.project.engine import engine_of_workers, open_engine
from durably_cli.project.script_files import is_script
from durably_cli.project.settings import engine_settings, given_settings
from durably_cli.render.rows import row, write_json
from durably_cli.system import folders
from durably_cli.values.quantities import plural, size
from durably_cli.version import __version__

if TYPE_CHECKING:
    from durably_cli.render.part_types import SettingFields


@as_command()
def info(context: typer.Context, as_json: AsJson = False) -> int:
    """Show every setting and folder, and where each comes from.

    \b
    Examples:
      durably info
      durably info --json | jq -r .info.data.value
    """
    return run_info(context.find_root().params.get("project"), as_json=as_json)


class Setting(NamedTuple):
    """One thing that is set, what it is set to, and by what."""

    name: str
    value: str | None
    source: str


def run_info(given_project: str | None, *, as_json: bool) -> int:
    """`durably info`; the exit code."""
    found = list(settings(given_project))
    out = sys.stdout
    if as_json:
        info: dict[str, SettingFields] = {
            each.name: {"value": each.value, "source": each.source} for each in found
        }
        document.suggest(hints.command("jobs"))
        write_json({"info": info}, document.on(out))
    elif out.isatty():
        _show(found, out)
    else:
        out.writelines(row(*each) for each in found)
    return 0


def settings(given_project: str | None) -> Iterator[Setting]:
    """All settings. What cannot be had has no value, and the reason for its source."""
    yield Setting("version", __version__, str(Path(version.__file__).parent))
    yield Setting("python", sys.version.split()[0], sys.executable)
    yield Setting("journal format", str(FORMAT), "written, and the newest that can be read")
    project: Path | None = None
    try:
        project, source, _ = places.locate_project(given_project)
        yield Setting("project", str(project), source)
    except DurablyError as error:
        yield Setting("project", None, error.what)
    yield _name(project)
    if project is not None:
        yield _jobs(project)
    for name, folder, variable in (
        ("data", folders.data_folder, folders.DATA_VARIABLE),
        ("cache", folders.cache_folder, folders.CACHE_VARIABLE),
    ):
        is_set = bool(os.environ.get(variable))
        try:
            yield Setting(name, str(folder()), variable if is_set else "this platform's default")
        except DurablyError as error:
            yield Setting(name, None, error.what)
    if project is not None:
        yield _engine(project)
        yield _store(project)
        yield from _set(project)
    quiet = os.environ.get("DURABLY_QUIET")
    yield Setting("quiet", quiet or "0", "DURABLY_QUIET" if quiet else "default")


def _name(project: Path | None) -> Setting:
    try:
        name = naming.project_name(project or Path())
    except DurablyError as error:
        return Setting("name", None, error.what)
    if name is None:
        if project is not None and (named := engine_settings(project).name):
            return Setting("name", named, "name below [tool.durably]")
        return Setting("name", None, f"the project is known by its path: no {naming.NAME_VARIABLE}")
    return Setting("name", name, naming.NAME_VARIABLE)


def _jobs(project: Path) -> Setting:
    try:
        files = list(places.job_files(project))
    except DurablyError as error:
        return Setting("jobs", None, error.what)
    where = project if is_script(project) else project / "jobs"
    return Setting("jobs", str(where), plural(len(files), "module"))


def _engine(project: Path) -> Setting:
    """What executes runs: of a database its URL, without what is secret in that."""
    try:
        elsewhere = engine_of_workers(project)
    except DurablyError as error:
        return Setting("engine", None, error.what)
    if elsewhere is None:
        return Setting("engine", "local", "journals in the store")
    return Setting("engine", "dbos", elsewhere.runs.place)


def _store(project: Path) -> Setting:
    try:
        store = stores.open_store(project)
    except DurablyError as error:
        return Setting("store", None, error.what)
    return Setting("store", str(store.root), _contents(store))


def _contents(store: Store) -> str:
    runs = list(store.run_ids())
    sizes = (os.path.getsize(path) for path in map(store.path_of, runs) if path.is_file())
    return f"{plural(len(runs), 'run')}, {size(sum(sizes))}"


def _set(project: Path) -> Iterator[Setting]:
    """What [tool.durably] says, and what fails of what there are notices of."""
    from durably_cli.render.settings import as_shown  # few commands show them

    try:
        given = given_settings(project)
    except DurablyError as error:
        yield Setting("settings", None, error.what)
        return
    for name, value in as_shown(given.settings).items():
        source = given.place if name in given.values else "default" if value else "not set"
        yield Setting(name, value, source)
    with suppress(DurablyError, OSError):
        for failing, _ in open_engine(project).noted().failing():
            said = failing.said and f"; its notice was not sent: {failing.said}"
            key = failing.key and f" ({failing.key})"
            yield Setting("fails", f"{failing.job}{key}", f"since {failing.since}{said}")


def _show(found: list[Setting], out: TextIO) -> None:
    from rich.text import Text  # only on a terminal

    from durably_cli.render.tables import console_on
    from durably_cli.values.visible import visible

    console = console_on(out)
    for each in found:
        value = ("none", "yellow") if each.value is None else visible(each.value)
        source = f"  ({visible(each.source)})"
        line = Text.assemble((f"{each.name:16}", "dim"), value, (source, "dim"))
        console.print(line, soft_wrap=True)
