"""The command `durably`, also as `python -m durably_cli`."""

from __future__ import annotations

import os
import sys

from durably_cli.system import garbage
from durably_cli.version import NOT_ON_WINDOWS


def main() -> None:
    """Run the command line, and leave."""
    if sys.platform == "win32":
        sys.stderr.write(f"durably: {NOT_ON_WINDOWS}\n")
        sys.exit(78)
    try:
        garbage.collect_rarely()
        from durably_cli import cli  # not before, for it imports Typer
    except KeyboardInterrupt:  # nothing was done yet
        sys.stderr.write("durably: interrupted\n")
        sys.exit(130)
    try:
        cli.run_command_line()
    finally:
        garbage.freeze_loaded()


def _import_nothing_from_here() -> None:
    """Take out the working directory, which `python -m` puts first, for a typer.py may be there."""
    try:
        is_first = not sys.flags.safe_path and sys.path[0] == os.getcwd()
    except OSError:  # it is gone, and was never put there
        return
    if is_first:
        del sys.path[0]


if __name__ == "__main__":
    _import_nothing_from_here()
    main()
