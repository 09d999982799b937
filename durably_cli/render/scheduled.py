"""What is scheduled, as cron, systemd and launchd read it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from durably_cli.hints import quoted
from durably_cli.values.calendars import calendar_intervals, on_calendar
from durably_cli.values.cron_expression import CronExpression
from durably_cli.values.strict_json import is_text
from durably_cli.values.visible import visible

MARK = "# "
"""What stands before its name at the end of a crontab line: a shell takes it for a comment."""

_LONGEST = 998
"""Of the bytes of a command, for the crons of Debian and the BSDs."""


class Scheduled(NamedTuple):
    """A command that is called on a schedule; of a tick, `due` is None.

    `name` is its name among those of the user. The words are called with these variables besides,
    in `folder` if that is not empty. In a crontab each slot has a key that begins with `key`, if it
    is not None, and so one run. Its secrets are read from the variables of `secrets`, which who
    starts it has to have.
    """

    name: str
    about: str
    due: CronExpression | None
    variables: dict[str, str]
    words: list[str]
    folder: str
    key: str | None
    secrets: tuple[str, ...] = ()


class UnitFile(NamedTuple):
    """A file for systemd or launchd: its name, and what is in it."""

    name: str
    text: str


def crontab_line(what: Scheduled) -> str:
    """The line of a crontab. ValueError for what none can hold."""
    command = ["cd", _quoted(what.folder), "&&"] if what.folder else []
    command += [f"{name}={_quoted(value)}" for name, value in what.variables.items()]
    command += map(_quoted, what.words)
    if what.key is not None and what.due is not None:
        command.append(f'--idempotency-key "{what.key}$(date +{_slot(what.due)})"')
    text = " ".join((*command, MARK + what.name)).replace("%", r"\%")
    _refuse_others((what.folder, *what.variables.values(), *what.words), "a crontab line")
    if (length := len(text.encode())) > _LONGEST:
        raise ValueError(
            f"the command takes {length:,} bytes, and cron reads {_LONGEST}; input has room in a "
            "file: --input @/path/of/the/file"
        )
    return f"{what.due.text if what.due else '* * * * *'}  {text}"


def _quoted(word: str) -> str:
    """A word for a shell, in which cron finds no backslash in front of a %, and takes none away."""
    return "".join(map(quoted, re.split(r"(?<=\\)(?=%)", word)))


def _slot(due: CronExpression) -> str:
    """The format of `date` that names the minute in which cron starts a line.

    A day would not do: what cron makes up for after a sleep, 23:59 at 00:30, would take the key of
    the next day's work. Where an hour comes twice, a daily line has one key for both, and others,
    by the offset, two.
    """
    is_daily = len(due.minutes) == len(due.hours) == 1
    return "%FT%H:%M" if is_daily else "%FT%H:%M%z"


def units(what: Scheduled, always: Iterable[str] = ()) -> list[UnitFile]:
    """A service of systemd and its timer; without a time, one that runs `always`, as is said so.

    ValueError for what none can hold.
    """
    _refuse_others((what.folder,), "a unit")
    _refuse_others((*what.variables.values(), *what.words), "a unit", lines=True)
    program, *words = what.words
    start = " ".join((_word(program), *(_word(word).replace("$", "$$") for word in words)))
    about = f"Description={_plain(f'durably: {visible(what.about)}')}"
    service = [
        *(f"Environment={_word(f'{name}={value}')}" for name, value in what.variables.items()),
        *([f"WorkingDirectory={_plain(what.folder)}"] if what.folder else []),
        f"ExecStart={start}",
    ]
    if what.due is None:
        always = [*always, "Restart=always", "RestartSec=1"]
        begin = _unit([about, "StartLimitIntervalSec=0"], "Service", [*service, *always])
        return [UnitFile(f"{what.name}.service", begin + _install("default.target"))]
    timer = [f"OnCalendar={each}" for each in on_calendar(what.due)]
    timer += ["AccuracySec=1s", "Persistent=true"]
    one_shot = ["Type=oneshot", "SuccessExitStatus=75 143", *service]
    return [
        UnitFile(f"{what.name}.service", _unit([about], "Service", one_shot)),
        UnitFile(f"{what.name}.timer", _unit([about], "Timer", timer) + _install("timers.target")),
    ]


def _unit(about: Iterable[str], section: str, lines: Iterable[str]) -> str:
    return "\n".join(("[Unit]", *about, "", f"[{section}]", *lines, ""))


def _install(target: str) -> str:
    return f"\n[Install]\nWantedBy={target}\n"


def _word(word: str) -> str:
    """A word as systemd splits and unquotes it."""
    escaped = "".join(map(_escaped, word)).replace("%", "%%")
    is_plain = re.fullmatch(r"[\w@+:,./=%-]+", word, re.ASCII) is not None
    return escaped if is_plain else f'"{escaped}"'


def _escaped(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def _plain(text: str) -> str:
    """A text that systemd does not split."""
    return text.replace("%", "%%")


def plist(what: Scheduled, log: str) -> UnitFile:
    """An agent of launchd, whose reports go to that log. ValueError for what none can hold."""
    import plistlib  # only for macOS

    _refuse_others((what.folder, *what.variables.values(), *what.words), "a plist", lines=True)
    agent: dict[str, object] = {"Label": what.name, "ProgramArguments": what.words}
    if what.variables:
        agent["EnvironmentVariables"] = what.variables
    if what.folder:
        agent["WorkingDirectory"] = what.folder
    if what.due is None:
        agent["KeepAlive"] = True
    else:
        agent["StartCalendarInterval"] = calendar_intervals(what.due)
    agent["StandardErrorPath"] = log
    text = plistlib.dumps(agent, sort_keys=False).decode()
    return UnitFile(f"{what.name}.plist", text)


def _refuse_others(words: Iterable[str], place: str, *, lines: bool = False) -> None:
    """ValueError for a word that cannot stand there: no UTF-8, or control characters."""
    for word in words:
        others = word.replace("\n", "").replace("\t", "") if lines else word
        if not is_text(word):
            raise ValueError(f"{word!r} is not UTF-8, and {place} is to be text")
        if not others.isprintable() and re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", others):
            what = "line breaks" if "\n" in others else "control characters"
            raise ValueError(
                f"{word!r} has {what}, which {place} cannot hold; input has room in a file: "
                "--input @/path/of/the/file"
            )
