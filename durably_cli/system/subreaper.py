"""Orphans of this process's tree become its children, on Linux: so it can find and end them."""

from __future__ import annotations

import os

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Be the parent of orphans of our tree. False where the system has no such thing."""
    if not os.path.exists("/proc/self/stat"):  # none of them would be found
        return False
    try:
        import _ctypes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return not _ctypes.call_function(prctl, (_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    except (ImportError, OSError, AttributeError):  # a Python that has no ctypes
        return False
