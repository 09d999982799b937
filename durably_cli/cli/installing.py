"""Where a schedule is installed: the user's crontab, or systemd. What changes is shown before."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from durably_cli import hints
from durably_cli.cli.asking import confirm, say
from durably_cli.errors import UsageError
from durably_cli.render.scheduled import MARK, Scheduled, UnitFile, crontab_line, plist, units
from durably_cli.render.without_secrets import without_secrets
from durably_cli.system import files, user_crontab, user_units
from durably_cli.values.visible import visible

if TYPE_CHECKING:
    from durably_cli.render.part_types import ScheduleState

By = Literal["cron", "systemd", "launchd"]


class ScheduleChange(NamedTuple):
    """What became of the wish to install or remove; `diff` has what was, or would be, changed."""

    state: ScheduleState
    diff: str


class Scheduler:
    """Where a schedule of this name is to be; `files` is what it is to have."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: list[UnitFile] = []

    def fill(self, what: Scheduled) -> None:
        """Have what is scheduled. UsageError if it cannot be said there."""
        try:
            self.files = self.made_of(what)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def path_of(self, file: UnitFile) -> str | None:
        """Where a file of it is to be; None of a line."""
        raise NotImplementedError

    def made_of(self, what: Scheduled) -> list[UnitFile]:
        """The files of what is scheduled. ValueError if it cannot be said there."""
        raise NotImplementedError

    def there(self) -> dict[str, str]:
        """What is there now, by what it is called."""
        raise NotImplementedError

    def wanted(self, there: Mapping[str, str]) -> dict[str, str]:
        """What is to be there instead: with the files, or without if there are none."""
        raise NotImplementedError

    def write(self, wanted: Mapping[str, str]) -> None:
        """Bring that about."""
        raise NotImplementedError


class _Crontab(Scheduler):
    """One line of the user's crontab, which is known by what it ends with."""

    def path_of(self, file: UnitFile) -> str | None:
        return None

    def made_of(self, what: Scheduled) -> list[UnitFile]:
        return [UnitFile("", crontab_line(what) + "\n")]

    def there(self) -> dict[str, str]:
        self._title = f"crontab of {files.user_name(os.getuid())}"
        return {self._title: os.fsdecode(user_crontab.read_crontab())}

    def wanted(self, there: Mapping[str, str]) -> dict[str, str]:
        before = os.fsencode(there[self._title])
        return {self._title: os.fsdecode(user_crontab.with_line(before, *self._change()))}

    def write(self, wanted: Mapping[str, str]) -> None:
        user_crontab.replace_line(*self._change())  # others may have changed other lines since

    def _change(self) -> tuple[bytes, bytes | None]:
        """What its line ends with, and that line; None if there is to be none."""
        line = os.fsencode(self.files[0].text.rstrip("\n")) if self.files else None
        return os.fsencode(MARK + self.name), line


class _Systemd(Scheduler):
    """A service and its timer among the user's own units; of a tick, only the service."""

    def path_of(self, file: UnitFile) -> str | None:
        return str(user_units.units_folder() / file.name)

    def made_of(self, what: Scheduled) -> list[UnitFile]:
        return units(what)

    def there(self) -> dict[str, str]:
        user_units.refuse_without_systemd()
        names = [f"{self.name}.service", f"{self.name}.timer"]
        folder, found = user_units.units_folder(), user_units.read_units(names)
        return {str(folder / name): text for name, text in found.items()}

    def wanted(self, there: Mapping[str, str]) -> dict[str, str]:
        return {str(self.path_of(each)): each.text for each in self.files}

    def write(self, wanted: Mapping[str, str]) -> None:
        if wanted:
            begins = self.files[-1].name  # the timer, or a service that is always there
            user_units.install_units(dict(self.files), begins)
            if not user_units.starts_with_the_machine():
                say("it runs while you are logged in; from the start of the machine on, type:")
                say("loginctl enable-linger")
            return
        names = [f"{self.name}.timer", f"{self.name}.service"]
        there = user_units.read_units(names)
        user_units.remove_units(list(there), next(name for name in names if name in there))


class _Launchd(Scheduler):
    """An agent of the user's, of which launchctl is to hear from a person."""

    def path_of(self, file: UnitFile) -> str | None:
        return str(Path.home() / "Library" / "LaunchAgents" / file.name)

    def made_of(self, what: Scheduled) -> list[UnitFile]:
        log = Path.home() / "Library" / "Logs" / f"{what.name}.log"
        return [plist(what, str(log))]

    def there(self) -> dict[str, str]:
        path = hints.quoted(str(self.path_of(UnitFile(f"{self.name}.plist", ""))))
        agent = f"gui/{os.getuid()}"
        raise UsageError(
            "an agent of launchd is not installed from here: put the file there that is printed",
            hint=f"launchctl bootstrap {agent} {path}    (begins it)\n"
            f"launchctl bootout {agent}/{self.name}    (ends it)",
        )


def scheduler_of(by: By, name: str) -> Scheduler:
    """Where a schedule of this name is."""
    return {"cron": _Crontab, "systemd": _Systemd, "launchd": _Launchd}[by](name)


def install_it(place: Scheduler, *, yes: bool, as_json: bool) -> ScheduleChange:
    """Put the files of the place there, once the change was shown and agreed to."""
    there = place.there()
    wanted = place.wanted(there)
    diff = _diff(there, wanted)
    if not diff:
        if isinstance(place, _Systemd):  # it may be there, and not enabled
            place.write(wanted)
        _say_unless(as_json, "it is installed already; nothing was changed")
        return ScheduleChange("unchanged", "")
    if not _may(diff, "Install it?", yes=yes, as_json=as_json):
        return ScheduleChange("would-install", diff)
    place.write(wanted)
    _say_unless(as_json, "installed")
    return ScheduleChange("installed", diff)


def remove_it(place: Scheduler, *, yes: bool, as_json: bool) -> ScheduleChange:
    """Take out what the place has, once the change was shown and agreed to."""
    there = place.there()
    wanted = place.wanted(there)
    diff = _diff(there, wanted)
    if not diff:
        _say_unless(as_json, f"nothing of the name {place.name} is installed")
        return ScheduleChange("unchanged", "")
    if not _may(diff, "Remove it?", yes=yes, as_json=as_json):
        return ScheduleChange("would-remove", diff)
    place.write(wanted)
    _say_unless(as_json, "removed")
    return ScheduleChange("removed", diff)


def _may(diff: str, question: str, *, yes: bool, as_json: bool) -> bool:
    """May it be done? To a program without --yes it is only said what would be."""
    if as_json:
        return yes
    sys.stderr.writelines(f"{visible(line)}\n" for line in diff.splitlines())
    how = f"{hints.command('schedule', '--help')}    (says how to answer beforehand)"
    if not confirm(question, yes=yes, hint=f"call it on a terminal\n{how}"):
        say("nothing was changed")
        return False
    return True


def _say_unless(as_json: bool, text: str) -> None:
    if not as_json:
        say(text)


def _diff(there: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """What changes, without the lines that stay, and without secrets."""
    found = list[str]()
    for name in sorted({*there, *wanted}):
        before, after = there.get(name, ""), wanted.get(name, "")
        lines = difflib.unified_diff(
            before.split("\n"), after.split("\n"), name, name, n=0, lineterm=""
        )
        found += [without_secrets(line) for line in lines if not line.startswith("@@")]
    return "".join(f"{line}\n" for line in found)
