"""The pages of `durably help TOPIC`: Markdown files beside this one."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from durably_cli import hints
from durably_cli.cli.commands import COMMANDS
from durably_cli.errors import NotFound

_FOLDER = Path(__file__).parent

TOPICS = (
    *("jobs", "scripts", "steps", "many", "async", "tries", "transactions", "programs", "waiting"),
    *("replay", "again"),
    *("input", "testing", "deploying", "cron", "notices", "environment", "modules"),
    *("exit-codes", "journal", "care", "durability", "engines", "performance", "agents"),
)


def run_help(topic: str | None) -> int:
    """`durably help`; the exit code."""
    if topic is None:
        _show(
            "\n".join(
                [
                    "Topics:",
                    "",
                    *(f"- `{hints.command('help', name)}`: {title(name)}" for name in TOPICS),
                ]
            )
        )
    else:
        _show(page(topic))
    return 0


def _no_topic(topic: str) -> NotFound:
    import difflib  # only after a typing mistake

    what = f"there is no topic {topic!r}"
    if topic in COMMANDS:
        what, hint = f"{what}, but a command", hints.command(topic, "--help")
    elif near := difflib.get_close_matches(topic, TOPICS, n=1):
        what, hint = f"{what}; did you mean {near[0]}?", hints.command("help", near[0])
    else:
        what = f"{what}; there are {', '.join(TOPICS)}"
        hint = f"{hints.command('help')}    (lists them)"
    return NotFound(what, hint=hint, code="no-such-topic")


def page(topic: str) -> str:
    """The page as Markdown; its first line is its title. NotFound if there is none."""
    if topic not in TOPICS:
        raise _no_topic(topic)
    return (_FOLDER / f"{topic}.md").read_text(encoding="utf-8")


def title(topic: str) -> str:
    """What the page is about."""
    return page(topic).split("\n", 1)[0].removeprefix("# ")


def _show(markdown: str) -> None:
    if not sys.stdout.isatty():
        sys.stdout.write(markdown.rstrip("\n") + "\n")
        return
    from rich.console import Console  # only on a terminal
    from rich.markdown import Markdown
    from rich.syntax import Syntax
    from rich.theme import Theme

    console = Console(theme=Theme(_ON_ANY_BACKGROUND))
    prose, *others = _FENCE.split(markdown)
    console.print(Markdown(prose), width=min(console.width, 100))
    for language, code, after in zip(*[iter(others)] * 3, strict=True):
        shown = Syntax(code, language or "text", theme="ansi_dark").highlight(code)
        shown.rstrip()
        console.print("", shown, sep="\n", soft_wrap=True)  # a line to paste is one line
        if after and not after.lstrip().startswith("- "):  # a list brings its own empty line
            console.print()
        console.print(Markdown(after), width=min(console.width, 100))


_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)

_ON_ANY_BACKGROUND = {"markdown.code": "bold cyan", "markdown.code_block": "cyan"}
"""Rich's own styles paint a black box behind what is typed."""
