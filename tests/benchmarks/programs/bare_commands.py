"""A bare Typer application with as many commands as durably: what a command line costs at least."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def bare() -> None:
    """Do nothing."""


def add(name: str) -> None:
    """Add a command of this name, with an argument and two options."""

    @app.command(name)
    def command(
        what: Annotated[str, typer.Argument()] = "",
        number: Annotated[int, typer.Option()] = 0,
        as_json: Annotated[bool, typer.Option("--json")] = False,
    ) -> None:
        """Do nothing."""
        print("done")


for each in (
    *("trigger", "resume", "verify", "repair", "delete", "prune", "export", "import"),
    *("list", "inspect", "logs", "jobs", "init", "info", "help"),
):
    add(each)

if __name__ == "__main__":
    app()
