"""The lines of code that a step's function executes: at each of them it may be killed.

Those of the project, and those of the standard library that write files for it: `write_text` opens
a file in one line of its own, and fills it in another.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from durably_cli.steps.scope import inside_of

_STANDARD = os.path.join(sysconfig.get_paths()["stdlib"], "")
_PARTS = tuple(_STANDARD + name for name in ("pathlib", "shutil.py"))
_WRITERS = ("write_", "copy", "_copy", "_fastcopy", "move", "rmtree", "_rmtree")
"""How their functions are called that do more than one thing to files."""
_ELSEWHERE = ("/site-packages/", "/dist-packages/")
_DEEPEST = 6

_VISITS = 2
"""A loop is killed in its first round, and between that and the second one."""

Met = Callable[[str, str, int, int, str], object]


class Lines:
    """Calls `met` with step, file, line, visit, and the line of the project that led there.

    `passed` is called with each line of the project that has been executed, in a step or not.
    """

    def __init__(self, project: str, met: Met, passed: Callable[[str], object]) -> None:
        self._project, self._met, self._passed = os.path.join(project, ""), met, passed
        self._visits = Counter[tuple[str, str, int]]()
        self._known = dict[str, bool]()
        self._process = os.getpid()
        self._last = dict[int, str]()

    def begin(self) -> None:
        """Trace this thread, and those to come."""
        threading.settrace(self._called)
        sys.settrace(self._called)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code
        is_library = code.co_filename.startswith(_PARTS)
        if is_library and not code.co_name.startswith(_WRITERS):
            return None
        return self._at_line if self._place_in_project(frame) else None

    def _at_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "opcode" or os.getpid() != self._process:
            return self._at_line
        place = self._place_in_project(frame)
        self._pass(place)
        if event == "line":
            self._last[threading.get_ident()] = place
            inside = inside_of(self._process)
            if inside is not None:
                self._meet(inside.name, frame, place)
        return self._at_line

    def _pass(self, place: str) -> None:
        last = self._last.pop(threading.get_ident(), None)
        if last is not None and self._visits["", last, 0] < 2 * _VISITS:
            self._visits["", last, 0] += 1
            self._passed(last)

    def _meet(self, step: str, frame: FrameType, place: str) -> None:
        file, line = frame.f_code.co_filename, frame.f_lineno
        self._visits[step, file, line] += 1
        visit = self._visits[step, file, line]
        if visit <= _VISITS:
            self._met(step, file, line, visit, place)

    def _place_in_project(self, frame: FrameType | None) -> str:
        """Where the project's code is that this frame works for, if it is to be traced."""
        for _ in range(_DEEPEST):
            if frame is None:
                break
            file = frame.f_code.co_filename
            if self._is_of_project(file):
                return f"{file[len(self._project) :]}:{frame.f_lineno}"
            if not file.startswith(_PARTS):
                break
            frame = frame.f_back
        return ""

    def _is_of_project(self, file: str) -> bool:
        found = self._known.get(file)
        if found is None:
            is_inside = file.startswith(self._project) and not file.startswith(_STANDARD)
            found = is_inside and not any(part in file for part in _ELSEWHERE)
            found = self._known[file] = found and not file.startswith(_OWN)
        return found


_OWN = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "")
"""durably's own code, which may lie in a project that is tested from its source."""
