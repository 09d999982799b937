"""The command `durably`, also as `python -m durably_cli`."""

from __future__ import annotations

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # -m has put the working directory there, and its typer.py is not to be run

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
