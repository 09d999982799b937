"""Measuring side by side: what is compared runs in turns, and medians of the turns are told."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

BoundHandler = Callable[[], float]
"""Something that is measured: done once, it says how long it took, in seconds or any unit."""


class Part(NamedTuple):
    """What one kind of work takes of durably, named OURS, and of what it is compared with.

    `limits` says of some of these what share of theirs ours may be at the most; at least, where
    `more_is_better`.
    """

    work: str
    unit: str
    figures: dict[str, float]
    limits: dict[str, float] = {}
    more_is_better: bool = False

    def ratio(self, name: str) -> float:
        """How many times another's figure ours is."""
        return self.figures[OURS] / self.figures[name]

    def is_kept(self, name: str) -> bool:
        """Is the limit kept, if there is one?"""
        limit = self.limits.get(name)
        if limit is None:
            return True
        return self.ratio(name) >= limit if self.more_is_better else self.ratio(name) <= limit


OURS = "durably"


def in_turns(works: Mapping[str, BoundHandler], rounds: int) -> dict[str, float]:
    """The median of each work, done once a round, in another order every time."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name in random.sample(list(works), len(works)):
            found[name].append(works[name]())
    return {name: median(figures) for name, figures in found.items()}


def run(command: Sequence[str], **options: Any) -> str:
    """Run a command to its good end; what it wrote."""
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def process(command: Sequence[str], **options: Any) -> BoundHandler:
    """How long a command takes as a process, from its start to its end, in a pipe."""

    def work() -> float:
        begun = time.perf_counter()
        run(command, **options)
        return time.perf_counter() - begun

    return work


def told(command: Sequence[str], name: str = "seconds", **options: Any) -> BoundHandler:
    """The figure that a command gives by this name in the JSON that it prints."""
    return lambda: float(json.loads(run(command, **options))[name])


def peak_mib(command: Sequence[str], **options: Any) -> BoundHandler:
    """The most memory that a command takes, as the kernel counts it, in MiB."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL,"
        " stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)\n"
    )
    return lambda: float(run([sys.executable, "-c", program, *command], **options))


_SYNCS = "trace=fsync,fdatasync,msync,sync_file_range"


def syncs_of(command: Sequence[str], **options: Any) -> int | None:
    """How often a command and its children sync, counted by strace; None without it."""
    if not shutil.which("strace"):
        return None
    with NamedTemporaryFile("r") as counted:
        # by a filter of the kernel's, so that nothing else is slower
        strace = ["strace", "-f", "--seccomp-bpf", "-c", "-e", _SYNCS, "-o", counted.name]
        run([*strace, *command], **options)
        total = re.search(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+).*total$", counted.read(), re.M)
    return int(total[1]) if total else 0
