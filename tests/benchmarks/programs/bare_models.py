"""A script that imports Typer and pydantic and makes two models: what a typed job must cost."""

from __future__ import annotations

import typer
from pydantic import BaseModel, TypeAdapter


class SyncInput(BaseModel):
    """What the job takes."""

    org_id: str
    force: bool = False


class SyncOutput(BaseModel):
    """What the job gives."""

    synced: int


def main() -> None:
    """Read an input and write an output."""
    given = TypeAdapter(SyncInput).validate_json('{"org_id": "org_123"}')
    print(TypeAdapter(SyncOutput).dump_json(SyncOutput(synced=len(given.org_id))).decode())


if __name__ == "__main__":
    typer.run(main)
