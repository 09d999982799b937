"""The program that calls a URL: it reads it from its standard input, and says what went wrong.

A process of its own has a time limit that holds, whatever looks up names or drips an answer.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO

_ELSEWHERE = "it redirects to what is not on the web"


class _OnTheWeb(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: HTTPMessage, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        kind = newurl.partition(":")[0].lower()
        if kind not in ("http", "https"):
            raise urllib.error.URLError(_ELSEWHERE)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def call_url(url: str) -> str:
    """Call it; empty if that was answered well, else what came of it, without the URL."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        _OnTheWeb(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "durably")]
    try:
        opener.open(url).close()
    except urllib.error.HTTPError as error:
        return _ELSEWHERE if 300 <= error.code < 400 else f"HTTP status {error.code}"
    except urllib.error.URLError as error:
        reason = error.reason
        return str(getattr(reason, "strerror", None) or reason)
    except (OSError, HTTPException, ValueError) as error:
        return str(error).replace(url, "the URL") or type(error).__name__
    return ""


if __name__ == "__main__":
    said = call_url(sys.stdin.read())
    print(said)
    sys.exit(1 if said else 0)
