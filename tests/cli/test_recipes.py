"""The recipes of `durably help notices` do what they say, against a server of this machine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from durably_cli.cli.help import page
from tests.conftest import Project

JOB = """
@define_job
def sync(step: Step) -> None:
    if not os.path.exists("mended"):
        raise ValueError('no "disk", größer als %s\\n$HOME')
"""
SUBJECT = 'sync fails: ValueError: no "disk", größer als %s'


class Posted(BaseHTTPRequestHandler):
    """Remembers what is posted."""

    seen: list[tuple[str, dict[str, str], str]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {
            name.lower(): value.encode("latin-1").decode() for name, value in self.headers.items()
        }
        self.seen.append((self.path, headers, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def posted() -> Iterator[tuple[str, list[tuple[str, dict[str, str], str]]]]:
    handler = type("Handler", (Posted,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler.seen
        server.shutdown()
        thread.join()


def recipe(part: str) -> str:
    (found,) = [
        block
        for block in re.findall(r"```toml\n(.*?)```", page("notices"), re.DOTALL)
        if part in block
    ]
    return str(found)


def fail(project: Project, settings: str) -> None:
    project.job(JOB)
    (project.root / "pyproject.toml").write_text(settings)
    result = project.run("trigger", "sync", "-q", expect=1)
    assert "notify_failure" not in result.err


def test_a_mail(project: Project) -> None:
    program = project.root.parent / "sendmail"
    program.write_text('#!/bin/sh\n[ "$*" = -t ] && cat > mail\n')
    program.chmod(0o755)
    fail(project, recipe("sendmail").replace("/usr/sbin/sendmail", str(program)))
    headers, _, text = (project.root / "mail").read_text().partition("\n\n")
    assert headers.splitlines()[:2] == ["To: ops@example.org", f"Subject: {SUBJECT}"]
    assert "$HOME" in text
    assert " resume " in text


def test_ntfy(project: Project, posted: tuple[str, list[tuple[str, dict[str, str], str]]]) -> None:
    url, seen = posted
    fail(project, recipe("ntfy.sh").replace("https://ntfy.sh", url))
    (project.root / "mended").touch()
    project.run("trigger", "sync", "-q")
    (path, headers, text), (_, recovered, _) = seen
    assert (path, headers["title"]) == ("/my-topic", SUBJECT)
    assert " resume " in text
    assert (recovered["title"], recovered["tags"]) == ("sync has recovered", "tada")


def test_slack(project: Project, posted: tuple[str, list[tuple[str, dict[str, str], str]]]) -> None:
    url, seen = posted
    project.env["SLACK_WEBHOOK"] = f"{url}/services/s3cret"
    fail(project, recipe("SLACK_WEBHOOK"))
    ((path, headers, body),) = seen
    assert (path, headers["content-type"]) == ("/services/s3cret", "application/json")
    text = json.loads(body)["text"]
    assert text.startswith(f"{SUBJECT}\nrun ")
    assert "$HOME" in text
