"""Whether a page or a picture is made of our elements alone, with what came from a run as text."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

from tests.harness.payloads import in_full, shown

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


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts, self.text = 0, ""
        self.depth: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OUR_ELEMENTS, tag
        assert {name for name, _ in attrs} <= OUR_ATTRIBUTES, (tag, attrs)
        self.scripts += tag == "script"
        if tag not in ("meta", "input"):
            self.depth.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.depth.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def check_page(page: str, texts: tuple[str, ...]) -> None:
    """Every element is one of ours, and what came from the run is text in them."""
    parser = _Page()
    parser.feed(page)
    parser.close()
    assert (parser.depth, parser.scripts) == ([], 1)
    for text in in_full(texts):
        shown(text, parser.text)


def check_picture(picture: str) -> None:
    """The same, of a picture."""
    found = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(picture).iter()}
    assert found <= {"svg", "style", "rect", "text", "tspan", "line", "title"}, found
