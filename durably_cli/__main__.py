"""The command `durably`, also as `python -m durably_cli`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not sys.flags.safe_path and os.path.isdir(sys.path[0]):
    # -m has put the working directory in front, unless that is gone: run no typer.py of it
    sys.path[:1] = [] if os.path.samefile(sys.path[0], ".") else sys.path[:1]

from durably_cli.system import garbage


def main() -> None:
    """Run the command line, and leave."""
    garbage.collect_rarely()
    from durably_cli import cli  # not before, for it imports Typer

    try:
        cli.run_command_line()
    finally:
        garbage.freeze_loaded()


if __name__ == "__main__":
    main()
