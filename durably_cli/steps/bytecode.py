"""A hash of what a function does, of its code object and no source: the same however its text is
laid out.

Bytecode tells where lines end: a NOP stands for a line that has nothing to do, two loads of one
line are one instruction, and a jump to a jump of another line stays one. So what is hashed has none
of the three. And it has constants themselves, not their numbers, which a docstring moves. What
remains are chains of `and` and `or` that go over lines, in Python 3.11: of the 2,600 functions of
the standard library that were tried with all lines joined, 2 had another hash there, and none of
those of 3.12 and 3.13.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import accumulate, compress, count
from marshal import dumps
from opcode import hasconst, hasjrel, opmap
from types import CodeType
from typing import Any
from zlib import crc32

COMPILER = f"{sys.implementation.cache_tag}{f'.opt-{n}' if (n := sys.flags.optimize) else ''}"
"""What compiles in this process, as in the name of a compiled file: `cpython-311`.

Hashes of two such do not compare: `-O` leaves asserts out, and each Python has instructions of its
own. Nor does that of a module compare whose asserts pytest has rewritten.
"""

_NUMBERS = {name: number for name, number in opmap.items() if number < 256}
_PREFIX, _LOAD, _RETURN = (_NUMBERS[n] for n in ("EXTENDED_ARG", "LOAD_CONST", "RETURN_VALUE"))
_RETURN_CONST = _NUMBERS.get("RETURN_CONST")
_CONSTANTS = frozenset(hasconst)
_BACK = frozenset(number for name, number in _NUMBERS.items() if "JUMP_BACKWARD" in name)
_FAST = ("LOAD_FAST", "STORE_FAST", "LOAD_FAST_BORROW")
_PAIRS = {
    _NUMBERS[f"{one}_{two}"]: (_NUMBERS[one], _NUMBERS[two])
    for one in _FAST
    for two in _FAST
    if f"{one}_{two}" in _NUMBERS
}
"""What is two instructions in one, from Python 3.13 on."""


def _without_way(name: str) -> str:
    """The name of a jump without its direction, which its target says."""
    for way in ("_NO_INTERRUPT", "_BACKWARD", "_FORWARD"):
        name = name.replace(way, "")
    return name


_JUMPS = {number: _without_way(name) for name, number in _NUMBERS.items() if number in hasjrel}
_INVERSE = {
    f"POP_JUMP_IF_{one}": f"POP_JUMP_IF_{other}"
    for pair in (("TRUE", "FALSE"), ("NONE", "NOT_NONE"))
    for one, other in (pair, pair[::-1])
}

_UNSEEN = {0, *(_NUMBERS.get(name, 0) for name in ("NOP", "NOT_TAKEN"))}  # 0 is in a cache
_SINGLE = {number for pair in _PAIRS.values() for number in pair}
_SPECIAL = {*_CONSTANTS, *_JUMPS, *_PAIRS, *_SINGLE, _PREFIX}
_IS_JUMP = bytes(number in _JUMPS for number in range(256))
_IS_OTHER = bytes(number in _SPECIAL and number not in _JUMPS for number in range(256))
_IS_PLAIN = bytes(number not in _SPECIAL | _UNSEEN for number in range(256))
_NOT_PLAIN = bytes(number for number in range(256) if not _IS_PLAIN[number])
_WEIGHTS = bytes(
    0
    if number in _UNSEEN or number == _PREFIX or _JUMPS.get(number) == "JUMP"
    else 1 + (number in _PAIRS or number == _RETURN_CONST)
    for number in range(256)
)
"""How many instructions each counts as. A jump counts as none: it may be part of another one."""

_FLAGS = 0x2FF
"""Not those of `from __future__`, which bytecode shows, nor the one that types.coroutine sets."""

_LONGEST = 8
"""How many jumps to jumps are followed: `while True: pass` is an endless chain of them."""


def fingerprint(code: CodeType) -> str:
    """Eight hex digits of what the code does, the same in every process of this `COMPILER`."""
    return f"{crc32(dumps(_parts(code), 2)):08x}"  # later versions say which objects are one


def _parts(code: CodeType) -> tuple[Any, ...]:
    """What decides what the code does; a frozenset is put in order by marshal."""
    operations, arguments = code.co_code[::2], code.co_code[1::2]
    places = [*accumulate(operations.translate(_WEIGHTS), initial=0)]
    plain = compress(arguments, operations.translate(_IS_PLAIN))
    table = code.co_exceptiontable
    return (
        *(operations.translate(None, _NOT_PLAIN), bytes(plain)),
        *(_others(code, operations, arguments, places), _jumps(operations, arguments, places)),
        _handlers(table, places) if table else None,
        *(code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        *(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        code.co_flags & _FLAGS,
    )


def _others(code: CodeType, operations: bytes, arguments: bytes, places: list[int]) -> list[object]:
    """Place, number and argument of what is neither plain nor a jump, in turn."""
    found, constants = list[object](), code.co_consts
    for at in compress(count(), operations.translate(_IS_OTHER)):
        number, place = operations[at], places[at]
        if number in _SINGLE:
            found += (place, number, _argument(operations, arguments, at))
        elif number in _CONSTANTS:
            value = constants[_argument(operations, arguments, at)]
            if type(value) in _REPLACED:
                value = _constant(value, code, place)
            if number == _RETURN_CONST:
                found += (place, _LOAD, value, place + 1, _RETURN, 0)
            else:
                found += (place, number, value)
        elif number in _PAIRS:
            one, two = _PAIRS[number]
            found += (place, one, arguments[at] >> 4, place + 1, two, arguments[at] & 15)
        elif not _IS_OTHER[operations[at + 1]] and not _IS_JUMP[operations[at + 1]]:
            found += (place, number, _argument(operations, arguments, at))
    return found


def _argument(operations: bytes, arguments: bytes, at: int) -> int:
    """The argument of an instruction: its own byte, and those of the prefixes before it."""
    value, shift = arguments[at], 0
    while at and operations[at - 1] == _PREFIX:
        at, shift = at - 1, shift + 8
        value |= arguments[at] << shift
    return value


def _jumps(operations: bytes, arguments: bytes, places: list[int]) -> list[object]:
    """Place, name and target of each jump in turn; none leads to one that leads elsewhere."""
    found, always = list[tuple[int, str, int]](), dict[int, int]()
    for at in compress(count(), operations.translate(_IS_JUMP)):
        number, target, end = operations[at], _argument(operations, arguments, at), at + 1
        while end < len(operations) and not operations[end]:
            end += 1
        target = end - target if number in _BACK else end + target
        name = _JUMPS[number]
        if name == "JUMP":
            always[at] = target
            if found and found[-1][2] == end and found[-1][1] in _INVERSE:
                place, over, _ = found[-1]  # which jumps over this one, and nothing else
                if place + 1 == places[at]:
                    found[-1] = (place, _INVERSE[over], target)
                    continue
        found.append((places[at], name, target))
    return [
        part
        for place, name, target in found
        for part in (place, name, places[_landing(operations, target, always)])
    ]


def _landing(operations: bytes, target: int, always: dict[int, int]) -> int:
    """Where a jump leads in the end."""
    for _ in range(_LONGEST):
        while target < len(operations) and operations[target] in _PASSED:
            target += 1
        if target not in always:
            break
        target = always[target]
    return target


_PASSED = {*_UNSEEN, _PREFIX}
_REPLACED = frozenset((CodeType, tuple, slice, int))


def _constant(value: Any, code: CodeType, place: int) -> Any:
    """What stands for a constant: for code its parts; for the line of a class, nothing."""
    kind = type(value)
    if kind is CodeType:
        return _parts(value)
    if kind is tuple:
        return tuple(_constant(each, code, place) for each in value)
    if kind is slice:  # which marshal's version 2 does not know
        return "slice", value.start, value.stop, value.step
    if kind is int and value == code.co_firstlineno and place < 9 and not code.co_flags & 1:
        return None  # the body of a class begins with `__firstlineno__ = ...`, from Python 3.13 on
    return value


def _handlers(table: bytes, places: list[int]) -> list[int]:
    """The exception table: begin, end, handler and depth in turn, without holes that are empty."""
    found, numbers = list[int](), _numbers(table)
    for start, size, target, depth in zip(numbers, numbers, numbers, numbers, strict=True):
        begin, end, handler = places[start], places[start + size], places[target]
        if found and found[-3:] == [begin, handler, depth]:
            found[-3] = end
        else:
            found += (begin, end, handler, depth)
    return found


def _numbers(table: bytes) -> Iterator[int]:
    """The numbers of an exception table: six bits a byte, the highest first."""
    value = 0
    for byte in table:
        value = value << 6 | byte & 63
        if not byte & 64:
            yield value
            value = 0
