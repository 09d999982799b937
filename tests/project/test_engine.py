"""Which engine a project has, and what is said where something of it is missing."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.conftest import Project

URL = "postgresql://ann:s3cret@localhost:1/runs"


def with_settings(project: Project, lines: str) -> Project:
    (project.root / "pyproject.toml").write_text(f"[tool.durably]\n{lines}\n")
    return project


@pytest.mark.parametrize(
    "lines, said",
    [
        ('engine = "temporal"', "no engine"),
        ('engine = "dbos"', "has none"),
        ('engine = "dbos"\nname = "Big Name"', "no name"),
        (f'engine = "dbos"\nname = "x"\ndatabase = "{URL}"', "not where the URL is"),
        ('engine = "dbos"\nname = "x"', "no DURABLY_DATABASE_URL"),
        ('engine = "dbos"\nname = "x"\ndatabase = "env:PG"', "no PG"),
        ('engine = "dbos"\nname = "x"\ndatabase = "env:PG"', "export PG=postgresql://"),
        ('engine = "dbos"\nname = "x"\ndatabase = "file:/nowhere"', "/nowhere cannot be read"),
    ],
)
def test_a_setting_that_does_not_fit_is_said_and_no_secret_is(
    project: Project, lines: str, said: str
) -> None:
    refused = with_settings(project, lines).run("list", expect=78)
    assert said in refused.err
    assert "s3cret" not in refused.err


@pytest.mark.parametrize("place", ["", "env:PG", "file:{}/url", "file:url"])
def test_the_url_is_where_the_setting_says_and_info_too(project: Project, place: str) -> None:
    """A path of a file is as seen from the project, wherever durably is called."""
    (project.root / "url").write_text(URL + "\n")
    project.env["PG"] = project.env["DURABLY_DATABASE_URL"] = URL
    database = place.format(project.root)
    set_there = f'\ndatabase = "{database}"' if place else ""
    with_settings(project, f'engine = "dbos"\nname = "x"{set_there}')
    below = project.root / "jobs"
    assert "ann@localhost:1" in project.run("list", cwd=below, expect=69).err
    info = json.loads(project.run("info", "--json").out)["info"]
    assert info["database"]["value"] == (database or "env:DURABLY_DATABASE_URL")
    assert "ann@localhost:1" in info["engine"]["source"]


def test_what_is_wrong_with_the_environment_does_not_stop_info(project: Project) -> None:
    with_settings(project, 'database = "env:PG"')
    project.env["DURABLY_ENGINE"] = "other"
    info = json.loads(project.run("info", "--json").out)["info"]
    assert "no engine" in info["engine"]["source"]
    assert info["database"]["value"] == "env:PG, which is not set here"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///s3cret.db",
        "mysql://ann:s3cret@localhost:1/runs",
        "postgresql://ann:s3%zzcret@localhost:1/runs",
        "postgresql://ann:s3 cret@localhost:1/runs",
        "postgresql://ann:12/s3cret@localhost:1/runs",
        "postgresql://ann:p@s3cret@localhost:1/runs",
        "host=localhost port=1 password=a://s3cret",
        "host=localhost port=1 password='s3cret' user=ann",
    ],
)
def test_no_password_is_shown_of_a_url_however_it_is_wrong(project: Project, url: str) -> None:
    project.env["PG"] = url
    with_settings(project, 'engine = "dbos"\nname = "x"\ndatabase = "env:PG"')
    refused = project.run("list", expect=None)
    assert refused.code in (69, 78) and "durably info" in refused.err
    said = refused.err + project.run("info").out
    assert not re.search("s3(%zz| )?cret|zzcret", said), said


def test_what_is_not_installed_is_said_with_the_command(project: Project) -> None:
    with_settings(project, 'engine = "dbos"\nname = "x"')
    project.starts_interpreters = True
    hidden = project.root.parent / "hidden"
    hidden.mkdir()
    (hidden / "psycopg.py").write_text("raise ModuleNotFoundError('no', name='psycopg')\n")
    project.env["PYTHONPATH"] = f"{hidden}:{project.env['PYTHONPATH']}"
    project.env["DURABLY_DATABASE_URL"] = URL
    refused = project.run("list", expect=78)
    assert "pip install 'durably[dbos]'" in refused.err, sys.version


def test_the_environment_names_the_engine_of_a_call(project: Project) -> None:
    with_settings(project, 'engine = "dbos"\nname = "x"')
    project.env["DURABLY_ENGINE"] = "local"
    project.run("list")
    project.env["DURABLY_ENGINE"] = "other"
    project.run("list", expect=78)


@pytest.mark.parametrize("command", ["worker", "engine status"])
def test_what_is_of_workers_is_refused_of_a_local_project(project: Project, command: str) -> None:
    assert 'engine = "dbos"' in project.run(*command.split(), expect=2).err
