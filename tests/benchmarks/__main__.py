"""Measure durably beside what bounds it from below, and beside its peers.

    python -m tests.benchmarks                    all parts, without the peers
    python -m tests.benchmarks --peers --save     with them, installed into a folder of their own

The second one is what the figures of the documentation come from.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec

from tests.benchmarks import parts, results
from tests.benchmarks.bench import bench
from tests.benchmarks.measuring import Part
from tests.benchmarks.peers import PEERS, install, version_of
from tests.benchmarks.peers.packages import DEFAULT_FOLDER
from tests.benchmarks.picture import picture
from tests.harness.examples import REPOSITORY

PICTURE = REPOSITORY / ".github" / "performance.svg"
PAGE = REPOSITORY / "durably_cli" / "cli" / "help" / "performance.md"


def main() -> int:
    """Measure, print the table; 1 if a limit is missed."""
    words = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    words.formatter_class = argparse.RawDescriptionHelpFormatter
    words.add_argument("--peers", action="store_true", help="measure the peers as well")
    words.add_argument("--save", action="store_true", help="keep the results, and draw them")
    words.add_argument("--rounds", type=int, default=9, help="how often each is measured")
    words.add_argument("--only", nargs="*", choices=[part.__name__ for part in parts.PARTS])
    asked = words.parse_args()
    if asked.save and not asked.peers:
        words.error("--save is for results with --peers: the documentation shows both")
    if asked.save and find_spec("matplotlib") is None:
        words.error("--save draws the results: pip install -e '.[bench]'")

    missing = install(DEFAULT_FOLDER) if asked.peers else {}
    for name, reason in missing.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    peers = [peer for peer in PEERS if asked.peers and peer.name not in missing]
    versions = {f"{peer.name}, {peer.settings}": version_of(peer, DEFAULT_FOLDER) for peer in peers}

    found: list[Part] = []
    with bench(tuple(peers), DEFAULT_FOLDER, asked.rounds) as made:
        for part in parts.PARTS:
            if asked.only and part.__name__ not in asked.only:
                continue
            for each in part(made):
                found.append(each)
                print("\n".join(list(results.table([each]))[2:]), file=sys.stderr, flush=True)
    print("\n".join(results.table(found)))
    if asked.save:
        command = "python -m tests.benchmarks --peers --save"
        kept = results.now(found, command, versions)
        if asked.only:
            kept = results.merged(kept, results.load())
        results.save(kept)
        PICTURE.write_text(picture(kept), encoding="utf-8")
        PAGE.write_text(results.page(kept, PAGE.read_text("utf-8")), encoding="utf-8")
    return 0 if all(part.is_kept(name) for part in found for name in part.figures) else 1


if __name__ == "__main__":
    sys.exit(main())
