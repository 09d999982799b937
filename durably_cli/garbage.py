"""The garbage collector, kept from what is loaded to stay.

Python looks through all modules again and again while they are imported, and takes them apart one
by one when it ends. Of a short command that is a quarter of the work, and nothing comes of it.
"""

from __future__ import annotations

import gc

_RARELY = 50_000
"""After how many new objects to look for garbage; Python's way is after 700."""

_USUAL = gc.get_threshold()


def collect_rarely() -> None:
    """Look for garbage only after many new objects, until `spare_what_is_loaded`."""
    gc.set_threshold(_RARELY)


def spare_what_is_loaded() -> None:
    """What is there now is never garbage, not even in the end; what comes is treated as usual.

    The first call counts: what a job makes after it is taken apart when the process ends.
    """
    if not gc.get_freeze_count():
        gc.freeze()
    gc.set_threshold(*_USUAL)
