"""The program that calls a URL: it reads it from its standard input, and says what went wrong.

A process of its own has a time limit that holds, whatever looks up names or drips an answer.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from base64 import b64encode
from http.client import HTTPException, HTTPMessage, InvalidURL
from typing import IO
from urllib.parse import unquote, urlsplit

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
        opener.open(_request(url)).close()
    except urllib.error.HTTPError as error:
        return _refusal(error)
    except urllib.error.URLError as error:
        reason = error.reason
        return str(getattr(reason, "strerror", None) or reason)
    except (InvalidURL, ValueError):  # their texts quote it
        return "it, or what it redirects to, is no URL that can be called"
    except OSError as error:
        return str(error) or type(error).__name__
    except HTTPException:
        return "its answer is no HTTP"
    return ""


def _request(url: str) -> urllib.request.Request:
    """Of a URL with a name and a password these are a header, which no redirect passes on."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())
    if user:
        basic = b64encode(unquote(user).encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    return request


def _refusal(error: urllib.error.HTTPError) -> str:
    if not (300 <= error.code < 400 and error.headers.get("Location")):
        return f"HTTP status {error.code}"
    is_endless = str(error.msg).startswith(_OnTheWeb.inf_msg)
    return "it redirects without end" if is_endless else _ELSEWHERE


if __name__ == "__main__":
    said = call_url(sys.stdin.read())
    print(said)
    sys.exit(1 if said else 0)
