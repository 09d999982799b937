"""The garbage collector, which leaves out what is loaded to stay.

Python looks through all modules again and again while they are imported, and takes them apart one
by one when it ends. Nothing comes of it: `list` takes 75 ms of CPU as it is here and 94 without
this module, `jobs` of one typed job 169 and 205 (medians of 30 each, in turn).

Three calls and not one `with`: Python's way is back once a job is loaded, long before the process
ends, and what is loaded is frozen in front of the job, and again at the end if there was none.
"""

from __future__ import annotations

import gc

_RARELY = 100_000
"""After how many new objects to look for garbage; Python's way is after 700, or 2,000.

With pydantic there are some 52,000 when a job is loaded: half of that would have one look in it.
"""

_USUAL = gc.get_threshold()

_is_frozen = False
"""Was it, once? To count what is frozen would take 100 ns an object, 5 ms with pydantic."""


def collect_rarely() -> None:
    """Look for garbage only after many new objects, until `collect_as_usual`."""
    gc.set_threshold(_RARELY)


def collect_as_usual() -> None:
    """Look for it as any process does, unless a job has said otherwise."""
    if gc.get_threshold()[0] == _RARELY:
        gc.set_threshold(*_USUAL)


def freeze_loaded() -> None:
    """What is there now is never garbage, not even in the end. The first call counts.

    A job must not be there yet: its open files are closed when its module is taken apart.
    """
    global _is_frozen
    if not _is_frozen:
        _is_frozen = True
        gc.freeze()
