"""How a secret's value is written by whatever passes it on: languages, shells, encodings.

A form that is an encoding of bytes, base64 or hex, counts only where it is long enough not to stand
in other text by chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from durably_cli.values.strict_json import to_json

SHORTEST_ENCODED = 6
"""How many characters of base64 or hex are enough to know a value by."""

_QUOTES = (("&quot;", "'"), ("&quot;", "&apos;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"))
"""How XML and HTML may write the two quotes, besides `html.escape`."""

_UNSAFE_IN_HTML = "<>&\u2028\u2029"
_UNSAFE_ANYWHERE = _UNSAFE_IN_HTML + "'\"+`"
"""What JSON encoders of Go and of .NET escape, that Python's does not."""


def forms_of(text: str) -> Iterator[str]:
    """The value as languages, JSON, URLs, XML and shells write it, whatever quotes are around."""
    yield text
    yield from _in_json(text)
    yield from _in_urls(text)
    yield from _in_markup(text)
    yield from _in_python(text)
    for quote in ("'\"'\"'", "'\\''"):  # as shlex.quote and as shells write it
        yield text.replace("'", quote)


def encoded_forms_of(text: str) -> Iterator[str]:
    """The value in base64 and in hex, wherever it stands among other bytes."""
    from base64 import b64encode, urlsafe_b64encode  # only runs with secrets pay for it

    data = _bytes_of(text)
    found = [data.hex(), data.hex().upper()]
    for before in range(3):  # its place in a group of three bytes changes all the characters
        first, behind = -(-8 * before // 6), 8 * (before + len(data)) // 6
        for encode in (b64encode, urlsafe_b64encode):
            found.append(encode(bytes(before) + data).decode("ascii")[first:behind])
    return (form for form in found if len(form) >= SHORTEST_ENCODED)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _in_json(text: str) -> Iterator[str]:
    plain, escaped = json.dumps(text, ensure_ascii=False)[1:-1], to_json(text)[1:-1]
    for form in (plain, escaped):
        yield form
        yield form.replace("/", "\\/")
        yield to_json(form)[1:-1]  # JSON in JSON
        yield _spelled(form, _UNSAFE_IN_HTML)
    bare = escaped.replace('\\"', '"')
    for form in (escaped, _spelled(bare, _UNSAFE_ANYWHERE)):
        yield re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), form)


def _spelled(text: str, characters: str) -> str:
    return "".join(f"\\u{ord(one):04x}" if one in characters else one for one in text)


def _in_urls(text: str) -> Iterator[str]:
    from urllib.parse import quote, quote_plus

    data = _bytes_of(text)
    for form in (quote(data), quote(data, safe=""), quote_plus(data)):
        yield form
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form)


def _in_markup(text: str) -> Iterator[str]:
    from html import escape

    yield escape(text)
    bare = escape(text, quote=False)
    yield bare
    for double, single in _QUOTES:
        yield bare.replace('"', double).replace("'", single)


def _in_python(text: str) -> Iterator[str]:
    written = (repr(text)[1:-1], ascii(text)[1:-1], repr(_bytes_of(text))[2:-1])
    for form in (*written, repr(repr(text))[2:-2]):
        yield form
        bare = re.sub(r"(?<!\\)((?:\\\\)*)\\'", r"\1'", form)
        yield bare
        yield bare.replace("'", "\\'")
