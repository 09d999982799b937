"""Kinds of damage to a journal, each with the line and the byte at which it must be refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.harness.sample_journals import resealed


class Damage(NamedTuple):
    """The bytes of a damaged journal, and where the damage begins."""

    data: bytes
    line: int
    byte: int


class Target(NamedTuple):
    """The journal to damage: its lines, the run it is of, and what is random about the damage."""

    run: str
    lines: list[bytes]
    random: random.Random

    def at(self, line: int, lines: list[bytes]) -> Damage:
        """These lines, damaged from this one on (counted from 1)."""
        return Damage(b"".join(lines), line, sum(map(len, self.lines[: line - 1])))

    def any_line(self, first: int = 1, *, but_last: int = 0) -> int:
        """A line at random, counted from 1."""
        return self.random.randint(first, len(self.lines) - but_last)

    def with_line(self, line: int, data: bytes) -> Damage:
        """Other bytes in place of this line."""
        return self.at(line, [*self.lines[: line - 1], data, *self.lines[line:]])


def flipped_bit(target: Target) -> Damage:
    line = target.any_line()
    data = bytearray(target.lines[line - 1])
    data[target.random.randrange(len(data))] ^= 1 << target.random.randrange(8)
    return target.with_line(line, bytes(data))


def overwritten_byte(target: Target) -> Damage:
    line = target.any_line()
    data = bytearray(target.lines[line - 1])
    at = target.random.randrange(len(data) - 1)
    data[at] = target.random.choice([value for value in b'\n"0\xff' if value != data[at]])
    return target.with_line(line, bytes(data))


def zeroed_bytes(target: Target) -> Damage:
    line = target.any_line(but_last=1)
    data = bytearray(target.lines[line - 1])
    start = target.random.randrange(len(data) - 9)
    data[start : start + 8] = bytes(8)
    return target.with_line(line, bytes(data))


def lost_line(target: Target) -> Damage:
    line = target.any_line(but_last=1)
    return target.at(line, target.lines[: line - 1] + target.lines[line:])


def doubled_line(target: Target) -> Damage:
    line = target.any_line()
    return target.at(line + 1, target.lines[:line] + target.lines[line - 1 :])


def swapped_lines(target: Target) -> Damage:
    n = target.any_line(but_last=1)
    one, other = target.lines[n - 1 : n + 1]
    return target.at(n, [*target.lines[: n - 1], other, one, *target.lines[n + 1 :]])


def foreign_line(target: Target) -> Damage:
    line = target.any_line()
    foreign = resealed(target.lines, 0, lambda body: body, run="another")
    return target.with_line(line, foreign[line - 1])


def edited_by_hand(target: Target) -> Damage:
    line = target.any_line()
    return target.with_line(line, target.lines[line - 1].replace(b":", b": ", 1))


def carriage_returns(target: Target) -> Damage:
    return target.at(1, [line.replace(b"\n", b"\r\n") for line in target.lines])


def byte_order_mark(target: Target) -> Damage:
    return target.at(1, [b"\xef\xbb\xbf", *target.lines])


def emptied(target: Target) -> Damage:
    return target.at(1, [])


def all_zero(target: Target) -> Damage:
    return target.at(1, [bytes(sum(map(len, target.lines)))])


def text_behind(target: Target) -> Damage:
    text = target.random.choice([b"x", b"\n", b"{}\n", b"# edited\n"])
    return target.at(len(target.lines) + 1, [*target.lines, text])


def wrong_seq(target: Target) -> Damage:
    line = target.any_line()
    old, new = b'{"seq":%d,' % (line - 1), b'{"seq":%d,' % (line + 6)
    return target.at(line, _resealed(target, line, lambda body: body.replace(old, new, 1)))


def no_object(target: Target) -> Damage:
    line = target.any_line()
    return target.at(line, _resealed(target, line, lambda body: body[1:]))


def lost_field(target: Target) -> Damage:
    line = target.any_line()
    return target.at(line, _resealed(target, line, lambda body: body.replace(b',"at":', b',"a":')))


def _resealed(target: Target, line: int, change: Callable[[bytes], bytes]) -> list[bytes]:
    return resealed(target.lines, line, change, target.run)


KINDS: tuple[Callable[[Target], Damage], ...] = (
    *(flipped_bit, overwritten_byte, zeroed_bytes, edited_by_hand),
    *(lost_line, doubled_line, swapped_lines, foreign_line),
    *(carriage_returns, byte_order_mark, emptied, all_zero, text_behind),
    *(wrong_seq, no_object, lost_field),
)
