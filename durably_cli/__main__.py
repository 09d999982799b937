"""`python -m durably_cli`, the same as `durably`."""

from durably_cli.cli import main

main()
