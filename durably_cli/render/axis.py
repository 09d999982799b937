"""The round times of an axis of seconds, for every picture that has one."""

from __future__ import annotations

from collections.abc import Iterator

from durably_cli.values.durations import span

_FACTORS = (1, 2, 5)


def round_times(total: float, most: int = 6) -> Iterator[tuple[float, str]]:
    """The times to mark, from 0 on and not more than `most` and one, each with its label."""
    step = _round_up(total / most)
    for number in range(int(total / step + 1e-9) + 1):
        yield number * step, "0" if number == 0 else span(number * step)


def _round_up(seconds: float) -> float:
    """The next round number of seconds: 1, 2 or 5 times a power of ten; or of minutes and hours."""
    unit = 0.001
    for larger in (60.0, 3600.0, 86400.0):
        if seconds > larger / 2:
            unit = larger
    while True:
        for factor in _FACTORS:
            if factor * unit >= seconds:
                return factor * unit
        unit *= 10
