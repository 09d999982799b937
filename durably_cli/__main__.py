"""The command `durably`, also as `python -m durably_cli`."""

from __future__ import annotations

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
