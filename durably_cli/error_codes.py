"""What errors are called for programs."""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    "usage",
    "no-such-job",
    "no-such-run",
    "no-such-step",
    "no-such-topic",
    "key-conflict",
    "has-ended",
    "has-not-ended",
    "invalid-input",
    "busy",
    "timed-out",
    "waiting",
    "no-such-signal",
    "signal-conflict",
    "run-failed",
    "run-cancelled",
    "crash-faults",
    "interrupted",
    "journal-unreadable",
    "journal-damaged",
    "journal-too-new",
    "journal-lost",
    "io",
    "unreachable",
    "forbidden",
    "config",
    "job-module",
    "bug",
]
"""The names of errors for programs."""
