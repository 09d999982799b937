"""Pings: a URL is called as a job begins and ends, and whatever comes of it fails nothing."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Project
from tests.harness.ping_server import Server, answering

JOBS = """
@define_job
def album(step: Step, payload: dict) -> None:
    if payload.get("fails"):
        raise ValueError("no photos")
    if payload.get("waits"):
        step.sleep("nap", 3600)

@define_job
def other(step: Step) -> None: ...
"""

SHORT = "from durably_cli.cli import pinging\npinging.PING_SECONDS = 0.5\n"


@pytest.fixture
def server() -> Iterator[Server]:
    with answering() as found:
        yield found


@pytest.fixture
def worked(project: Project) -> Project:
    project.job(JOBS)
    return project


def set_to(project: Project, ping: str) -> None:
    (project.root / "pyproject.toml").write_text(f"[tool.durably]\nping = {ping}\n")


def test_the_begin_and_the_end_of_each_attempt(worked: Project, server: Server) -> None:
    set_to(worked, json.dumps(f"{server.url}/uuid"))
    worked.run("trigger", "album")
    done = worked.runs()[0]["id"]
    worked.run("trigger", "album", "-i", '{"fails": true}', expect=1)
    worked.run("resume", "@last", expect=1)
    failed = worked.runs()[0]["id"]
    assert server.seen == [
        f"/uuid/start?rid={done}",
        f"/uuid?rid={done}",
        *(f"/uuid/start?rid={failed}", f"/uuid/fail?rid={failed}") * 2,
    ]


def test_what_waits_or_has_ended_before_has_no_end(worked: Project, server: Server) -> None:
    set_to(worked, json.dumps(f"{server.url}/uuid"))
    worked.run("trigger", "album", "-i", '{"waits": true}', "--suspend", expect=75)
    worked.run("trigger", "other", "--idempotency-key", "1")
    worked.run("trigger", "other", "--idempotency-key", "1")
    assert [path.partition("?")[0] for path in server.seen] == ["/uuid/start"] * 2 + ["/uuid"]


def test_a_url_for_each_job_by_its_name_or_in_a_table(worked: Project, server: Server) -> None:
    set_to(worked, json.dumps(f"{server.url}/key/{{job}}?create=1"))
    worked.run("trigger", "album")
    run = worked.runs()[0]["id"]
    assert server.seen == [
        f"/key/album/start?create=1&rid={run}",
        f"/key/album?create=1&rid={run}",
    ]
    server.seen.clear()
    set_to(worked, f'{{ album = "{server.url}/a/" }}')
    worked.run("trigger", "other")
    worked.run("trigger", "album")
    assert [path.partition("?")[0] for path in server.seen] == ["/a/start", "/a"]


def test_the_url_may_stand_in_a_variable(worked: Project, server: Server) -> None:
    set_to(worked, '"env:HC_URL"')
    result = worked.run("trigger", "album")
    assert result.err.count("the environment has no HC_URL") == 1
    worked.env["HC_URL"] = "ftp://example.org/s3cret"
    result = worked.run("trigger", "album")
    assert "what its variable holds is no URL of http or https" in result.err
    assert "s3cret" not in result.err
    worked.env["HC_URL"] = f"{server.url}/uuid"
    worked.run("trigger", "album")
    assert len(server.seen) == 2


@contextmanager
def silent() -> Iterator[str]:
    """The URL of a server that takes calls, and never answers one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/s3cret"


def test_a_server_that_hangs_holds_up_for_its_time_only(worked: Project) -> None:
    worked.job(SHORT + JOBS)
    with silent() as url:
        set_to(worked, json.dumps(url))
        result = worked.run("trigger", "album")
    assert result.err.count(" of album failed: it took longer than 0.5 s, and was ended") == 1
    assert "s3cret" not in result.err


def test_a_server_that_refuses_or_answers_badly_is_said(worked: Project, server: Server) -> None:
    set_to(worked, f'"{server.url}/s3cret"')
    server.answers = {"/s3cret/start": (404, ""), "/s3cret": (500, "")}
    result = worked.run("trigger", "album")
    assert "durably: the ping /start of album failed: HTTP status 404\n" in result.err
    assert "durably: the ping of album failed: HTTP status 500\n" in result.err
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/s3cret"
    set_to(worked, json.dumps(url))
    refused = worked.run("trigger", "album")
    assert "the ping /start of album failed: Connection refused" in refused.err
    set_to(worked, '"http://no-such-host.invalid/s3cret"')
    unknown = worked.run("trigger", "album")
    assert "the ping /start of album failed: " in unknown.err
    assert worked.run("trigger", "album", "-q").err == ""
    assert "s3cret" not in result.err + refused.err + unknown.err
    assert {run["status"] for run in worked.runs()} == {"completed"}


def test_a_redirect_is_followed_on_the_web_only(worked: Project, server: Server) -> None:
    set_to(worked, f'"{server.url}/a"')
    for elsewhere in ("file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"):
        server.seen.clear()
        server.answers = {"/a/start": (302, f"{server.url}/b"), "/a": (302, elsewhere)}
        result = worked.run("trigger", "album")
        assert "the ping of album failed: it redirects to what is not on the web" in result.err
        assert "/start" not in result.err
    assert [path.partition("?")[0] for path in server.seen] == ["/a/start", "/b", "/a"]


def test_what_makes_no_run_is_a_ping_that_stays_away(worked: Project, server: Server) -> None:
    set_to(worked, f'"{server.url}/uuid"\nnotify_failure = "touch noticed"')
    worked.run("trigger", "album", "-i", "[]", "-q", expect=65)
    worked.run("trigger", "album", "--no-such-option", "-q", expect=2)
    worked.job("import nothing_of_the_kind\n" + JOBS)
    worked.run("trigger", "album", "-q", expect=78)
    assert server.seen == []
    assert not (worked.root / "noticed").exists()
    worked.job(JOBS)
    worked.run("trigger", "album", "-i", '{"fails": true}', "-q", expect=1)
    assert [path.partition("?")[0] for path in server.seen] == ["/uuid/start", "/uuid/fail"]
    assert (worked.root / "noticed").exists()


def test_a_redirect_without_end_is_said_so(worked: Project, server: Server) -> None:
    set_to(worked, f'"{server.url}/s3cret"')
    server.answers = {"/s3cret/start": (302, "/s3cret/start"), "/s3cret": (304, "")}
    result = worked.run("trigger", "album")
    assert "the ping /start of album failed: it redirects without end\n" in result.err
    assert "the ping of album failed: HTTP status 304\n" in result.err


def test_a_password_in_a_url_is_sent_to_its_server_only(worked: Project, server: Server) -> None:
    host = server.url.removeprefix("http://")
    set_to(worked, f'"http://ann:pa%2055@{host}/uuid"')
    server.answers = {"/uuid": (302, f"{server.url}/b")}
    result = worked.run("trigger", "album")
    assert result.err.count("ping") == 0
    signed = "Basic " + b64encode(b"ann:pa 55").decode()
    assert server.signed == [signed, signed, None]
    set_to(worked, '"http://ann:pa55@no-such-host.invalid/uuid"')
    unknown = worked.run("trigger", "album")
    assert "the ping /start of album failed: " in unknown.err
    assert "pa55" not in unknown.err


def test_what_cannot_be_called_is_said_without_its_text(worked: Project, server: Server) -> None:
    set_to(worked, f'"{server.url}/a"')
    server.answers = {"/a/start": (302, "http://127.0.0.1:s3cret/b"), "/a": (302, "http://[s3cret")}
    result = worked.run("trigger", "album")
    assert result.err.count("it, or what it redirects to, is no URL that can be called") == 1
    assert "s3cret" not in result.err


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:s3cret/x",
        "http://[s3cret/x",
        "http://:80/s3cret",
        "http://a/s3cret\\u007f",
    ],
)
def test_what_is_no_url_ends_before_anything_is_done(worked: Project, url: str) -> None:
    set_to(worked, f'"{url}"')
    result = worked.run("trigger", "album", expect=78)
    assert "ping in " in result.err
    assert "no URL of http or https" in result.err
    assert "s3cret" not in result.err
    assert worked.runs() == []


def test_no_more_of_a_url_than_its_host_is_shown(worked: Project) -> None:
    text = '"https://user:pa55@hc-ping.com/s3cret?x=s3cret"'
    (worked.root / "pyproject.toml").write_text(
        f"[tool.durably]\nping = {text}\n"
        "notify_failure = 'curl -d x https://hooks.slack.com/services/s3cret | cat'\n"
    )
    shown = worked.run("info").out + worked.run("info", "--json").out
    assert "https://hc-ping.com/..." in shown
    assert "curl -d x https://hooks.slack.com/... | cat" in shown
    assert "s3cret" not in shown
    assert "pa55" not in shown


def test_what_tick_cannot_take_up_has_failed(worked: Project, server: Server) -> None:
    worked.job("@define_job\ndef dies(step: Step) -> None:\n    os.kill(os.getpid(), 9)\n")
    worked.run("trigger", "dies", expect=-9)
    worked.job("import nothing_of_the_kind")
    set_to(worked, f'"{server.url}/uuid"')
    worked.run("tick", "-q", expect=1)
    assert [path.partition("?")[0] for path in server.seen] == ["/uuid/fail"]
