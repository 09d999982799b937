"""Try the campaign on a copy of the project with a bug in it.

python -m tests.crash                    lists the seeded bugs, and what catches them
python -m tests.crash NAME               runs the parts that are to catch it
python -m tests.crash NAME pytest args   runs pytest so, on the copy
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.crash.mutants import parts_of, run_tests
from tests.crash.seeded_bugs import MUTANTS


def main(name: str = "", *args: str) -> int:
    """The command line."""
    if not name:
        for mutant in MUTANTS:
            print(f"{mutant.name:40} {', '.join(mutant.caught_by)}")
        return 0
    mutant = next((each for each in MUTANTS if each.name == name), None)
    if mutant is None:
        print(f"there is no seeded bug {name!r}; python -m tests.crash lists them", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        done = run_tests(mutant.copy(Path(folder) / "copy"), *(args or parts_of(mutant)))
    print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
