"""A server on this machine that pings are sent to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Remembers the paths that it is asked for, and answers by what `answers` says of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[str] = []
        self.signed: list[str | None] = []
        self.answers: dict[str, tuple[int, str]] = {}
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        self.server.signed.append(self.headers["Authorization"])
        code, to = self.server.answers.get(self.path.partition("?")[0], (200, ""))
        self.send_response(code)
        if to:
            self.send_header("Location", to)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def answering() -> Iterator[Server]:
    """One that answers, inside."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
