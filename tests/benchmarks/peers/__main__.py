"""Install the peers, and see that each of them does each workload.

python -m tests.benchmarks.peers [FOLDER]   in tests/benchmarks/.peers, unless told another folder

The times that it prints tell that something was done, no more: they are of one small run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.peers import PEERS, install, version_of
from tests.benchmarks.peers.packages import DEFAULT_FOLDER
from tests.benchmarks.peers.trials import syncs_per_step, trials

_STEPS = 200


def main(folder: str = str(DEFAULT_FOLDER)) -> int:
    """The command line; it exits with 1 if a workload failed, though not if a peer is missing."""
    home, failed = Path(folder).resolve(), False
    missing = install(home)
    for peer in PEERS:
        print(f"{peer.name}, {peer.settings}")
        if peer.name in missing:
            print(f"  not installed: {missing[peer.name]}")
            continue
        print(f"  {version_of(peer, home)}")
        for workload, outcome in trials(peer, home, _STEPS):
            failed |= outcome.startswith("FAILED")
            print(f"  {workload:8} {outcome}", flush=True)
        syncs = syncs_per_step(peer, home, _STEPS)
        print("  syncs    need strace" if syncs is None else f"  syncs    {syncs:.2f} a step")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
