"""Fetch 2,000 pages of a server on this machine, in each form, to the end and through a kill.

    python -m tests.benchmarks.scraper           print the table
    python -m tests.benchmarks.scraper --save    and put it into `durably help performance`

It takes GNU parallel and curl, of Debian packages of these names; DBOS is installed into a folder
of its own, as for the other benchmarks. The forms take turns, in another order every time.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import defaultdict

from tests.benchmarks.peers import install
from tests.benchmarks.peers.packages import DEFAULT_FOLDER
from tests.benchmarks.scraper import results
from tests.benchmarks.scraper.forms import FORMS, missing
from tests.benchmarks.scraper.trials import PAGES, Failed, Trial, tried


def main() -> int:
    """Try each form, print the table; 1 if one did not come to its end."""
    words = argparse.ArgumentParser(prog="python -m tests.benchmarks.scraper", description=__doc__)
    words.formatter_class = argparse.RawDescriptionHelpFormatter
    words.add_argument("--rounds", type=int, default=3, help="how often each goes to its end")
    words.add_argument("--kills", type=int, default=5, help="how often each is killed")
    words.add_argument("--pages", type=int, default=PAGES)
    words.add_argument("--save", action="store_true", help="keep the results, and show them")
    asked = words.parse_args()
    left_out = missing(install(DEFAULT_FOLDER))
    for name, reason in left_out.items():
        print(f"{name} is left out: {reason}", file=sys.stderr)
    if asked.save and left_out:
        words.error("--save is for results of all forms")

    forms = [form for form in FORMS if form.name not in left_out]
    found: dict[bool, dict[str, list[Trial]]] = {k: defaultdict(list) for k in (False, True)}
    has_failed = False
    for killed in [False] * asked.rounds + [True] * asked.kills:
        for form in random.sample(forms, len(forms)):
            try:
                trial = tried(form, DEFAULT_FOLDER, killed=killed, pages=asked.pages)
            except Failed as failed:
                print(failed, file=sys.stderr)
                has_failed = True
                continue
            found[killed][form.name].append(trial)
            what = "killed" if killed else "whole"
            print(f"{form.name}, {what}: {trial}", file=sys.stderr, flush=True)
    rows = [
        results.row_of(form, found[False][form.name], found[True][form.name])
        for form in forms
        if found[False][form.name] and found[True][form.name]
    ]
    print("\n".join(results.table(rows, asked.pages)))
    if asked.save and not has_failed:
        results.save(results.now(rows, asked.pages, asked.rounds, asked.kills))
        results.PAGE.write_text(results.page(results.load(), results.PAGE.read_text("utf-8")))
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
