"""What a terminal, a page or a picture must never take for an instruction."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser

_RAW = (
    # escape sequences, in seven bits and in eight
    *("\x1b[8mhidden", "\x1b[5A", "\x1b[3;1H", "\x1b[2J", "\x1b[?1049h", "\x1b[6n", "\x1bc"),
    *("\x9b8mhidden", "\x9b2J", "\x1b]0;title\x07", "\x1b]0;title\x1b\\", "\x9d0;title\x9c"),
    *("\x1b]8;;http://a.example\x1b\\click\x1b]8;;\x1b\\", "\x1b]52;c;ZXZpbA==\x07", "\x1b(0"),
    *("\x1bP+q544e\x1b\\", "\x90+q544e\x9c", "\x1b_Gf=24;AAAA\x1b\\", "\x1b^pm\x1b\\", "\x1b#8"),
    # single controls
    *("\x07", "ab\x08\x08cd", "good\rfake", "\x00", "\x7f", "\x85", "a\x0bb\x0cc", "\x0e\x0f"),
    *("tab\ttab", "line\nline", "\x1b", "\x9b", "\x1a\x04"),
    # what turns text around, hides it or breaks its line
    *("\u202egnp.exe", "\u202d\u202c", "\u2066a\u2067b\u2068c\u2069", "\u200e\u200f\u061c"),
    *("zero\u200bwidth", "a\u200cb\u200dc\ufeffd", "\u2028line\u2029", "so\u00adft", "\u2060"),
    *("tag\U000e0041\U000e007f", "\ufff9a\ufffab\ufffb", "e" + "\u0301" * 300),
    # markup of rich
    *("[bold]b[/bold]", "[/x]", "[link=http://a.example]l[/link]", "[", "]", "[[", "\\[", "\\"),
    *("[red", "[@click=app.bell]x[/]", ":smile:", ":pile_of_poo: :x:", "[not blink]", "[/]"),
    # markup of pages and pictures
    *("<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", "<b>", "&lt;&amp;&"),
    *("\"'><svg onload=alert(1)>", "</text></svg><script/>", "]]><x/>", "<!--", "--><i>", "$title"),
    *("' onmouseover='alert(1)", '" style="position:fixed', "</style><h1>", "javascript:x", "`"),
    # size, scripts and formats
    *("w" * 10_000, "日本語テキスト", "\N{PILE OF POO}\N{ZERO WIDTH JOINER}", "%s %(x)s {0} {x}"),
)

PAYLOADS = tuple(f"P{number:02}{raw}Q" for number, raw in enumerate(_RAW))
"""Each between a mark of its own and a Q, so that it can be found again."""

SURROGATES = ("P90\udc9b8mQ", "P91\udcff\udcfeQ", "P92\ud800Q")
"""As an argument has them whose bytes are not UTF-8."""

_LONG = 500

_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_OUR_COLOURS = re.compile(r"\x1b\[(?:(?:[0-2]|3[0-7]|9[0-7])(?:;(?:[12]|3[0-7]|9[0-7]))*)?m")
_LIVE = re.compile(r" *\r\x1b\[J|\x1b\[J|\x1bD\x1b\[A\x1b7\x1b\[B\r|\x1b8")


def in_full(texts: tuple[str, ...]) -> Iterator[str]:
    """Those that a screen can show without cutting them."""
    return (text for text in texts if len(text) < _LONG)


def spelled(text: str) -> str:
    """How a text must stand on a screen: in place of what cannot be seen, its escape."""
    return "".join(
        each.encode("unicode_escape").decode() if is_invisible(each) else each for each in text
    )


def is_invisible(character: str) -> bool:
    """Would it not be seen, or change what is seen around it?"""
    return unicodedata.category(character) in _INVISIBLE


def plain(out: bytes, *, terminal: bool = False, live: bool = False) -> str:
    """The text, if there is nothing in it but text, and on a terminal our colours.

    `live` allows what draws the live line. AssertionError with what else there is.
    """
    text = out.decode("utf-8")
    if live:
        text = _LIVE.sub("", text)
    if terminal:
        text = _OUR_COLOURS.sub("", text)
    for place, character in enumerate(text):
        if character not in "\n\t" and is_invisible(character):
            around = text[max(0, place - 60) : place + 40]
            raise AssertionError(f"{character!r} reached the screen: {around!r}")
    return text


def shown(payload: str, text: str) -> None:
    """AssertionError if the payload does not stand in the text as it is, made visible.

    In JSON its escapes are JSON's; what is long may be cut.
    """
    as_json = json.dumps(payload)[1:-1]
    in_json = "".join(
        json.dumps(character)[1:-1] if is_invisible(character) or character in '"\\' else character
        for character in payload
    )
    forms = {spelled(payload), as_json, in_json, *map(spelled, payload.split("\n"))}
    assert any(form in text for form in forms), f"{payload[:60]!r} is not shown: {text[:3000]!r}"


OUR_ELEMENTS = frozenset(
    (
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "code", "span", "dl", "dt"),
        *("dd", "div", "section", "pre", "p", "input", "select", "option", "table", "thead"),
        *("tbody", "tr", "th", "td", "details", "summary", "i", "script", "main"),
    )
)
OUR_ATTRIBUTES = frozenset(
    (
        *("lang", "charset", "name", "content", "class", "id", "hidden", "type", "placeholder"),
        *("aria-label", "aria-live", "value", "data-kind", "title", "style", "scope", "http-equiv"),
    )
)


class Page(HTMLParser):
    """A page of our elements only, each closed, and one script; `text` is what is in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts, self.text, self._open = 0, "", list[str]()
        self.feed(page)
        self.close()
        assert (self._open, self.scripts) == ([], 1)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OUR_ELEMENTS, tag
        assert {name for name, _ in attrs} <= OUR_ATTRIBUTES, (tag, attrs)
        self.scripts += tag == "script"
        if tag not in ("meta", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")
