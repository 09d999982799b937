"""What a terminal shows of the bytes that it was sent: as much of a VT100 as durably asks for."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"\x1b\[([0-9]*)([A-Z])|\x1b([D78])|\x1b\[[0-9;?]*[a-z]|([\r\n])|([^\x1b\r\n])")


class Screen:
    """Rows of cells and a cursor, which waits behind the last cell before it wraps."""

    def __init__(self, columns: int, lines: int = 24) -> None:
        self._columns, self._lines = columns, lines
        self._cells = [[" "] * columns for _ in range(lines)]
        self._row = self._column = 0
        self._saved = (0, 0)
        self._gone: list[str] = []

    def feed(self, text: str) -> Screen:
        """Show this as well."""
        at = 0
        while found := _TOKEN.match(text, at):
            number, code, escape, moved, letter = found.groups()
            if letter:
                self._put(letter)
            elif moved == "\r":
                self._column = 0
            elif moved or escape == "D":
                self._down()
            elif escape == "7":
                self._saved = self._row, self._column
            elif escape == "8":
                self._row, self._column = self._saved
            elif code:
                self._control(code, int(number or 0))
            at = found.end()
        assert at == len(text), f"not understood: {text[at : at + 20]!r}"
        return self

    @property
    def rows(self) -> list[str]:
        """All that is shown, and what has gone up, without spaces at ends and empty rows below."""
        text = "\n".join([*self._gone, *("".join(cells).rstrip() for cells in self._cells)])
        return text.rstrip("\n").split("\n")

    def _put(self, letter: str) -> None:
        if self._column == self._columns:
            self._down()
            self._column = 0
        self._cells[self._row][self._column] = letter
        self._column += 1

    def _down(self) -> None:
        if self._row < self._lines - 1:
            self._row += 1
            return
        self._gone.append("".join(self._cells.pop(0)).rstrip())
        self._cells.append([" "] * self._columns)

    def _control(self, code: str, number: int) -> None:
        if code == "A":
            self._row = max(0, self._row - max(1, number))
        elif code == "B":
            self._row = min(self._lines - 1, self._row + max(1, number))
        elif code == "H":
            self._row = self._column = 0
        else:
            assert code in "JK", f"not understood: {code}"
            last = min(self._column, self._columns - 1)  # which it takes from a row that is full
            self._cells[self._row][last:] = [" "] * (self._columns - last)
            for row in range(self._row + 1, self._lines if code == "J" else 0):
                self._cells[row] = [" "] * self._columns
