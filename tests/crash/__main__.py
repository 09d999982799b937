"""Try the campaign with a bug in durably.

python -m tests.crash                    lists the seeded bugs, and what catches them
python -m tests.crash NAME               runs the parts that are to catch it
python -m tests.crash NAME pytest args   runs pytest so, with the bug
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.harness.seeded_bugs import SEEDED_BUGS, bug_named
from tests.harness.seeding import run_tests


def main(name: str = "", *args: str) -> int:
    """The command line."""
    if not name:
        for bug in SEEDED_BUGS:
            print(f"{bug.name:40} {', '.join(bug.caught_by)}")
        return 0
    try:
        bug = bug_named(name)
    except LookupError as error:
        print(f"{error}; python -m tests.crash lists them", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        done = run_tests(bug, Path(folder), *(args or bug.caught_by))
    print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
