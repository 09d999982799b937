"""Clean up a folder: plan what goes, ask a person, and move it to the trash in a run of its own."""

import os
import time
from functools import partial
from itertools import chain, count
from pathlib import Path

from durably import Approval, Step, define_job
from pydantic import BaseModel, Field, NonNegativeInt

HERE = Path(__file__).resolve().parent


class CleanUp(BaseModel):
    folder: Path = Field(default=HERE.parent / "downloads", description="what is cleaned up")
    days: NonNegativeInt = Field(default=90, description="older files go")
    trash: Path = Field(default=HERE.parent / "trash", description="where they go")


class Plan(BaseModel):
    files: list[Path]
    size: int


class Removal(BaseModel):
    files: list[Path]
    trash: Path


class CleanedUp(BaseModel):
    moved: int
    by: str = ""
    reason: str | None = None


def look(folder: Path, days: int) -> Plan:
    before = time.time() - days * 86_400
    old = [each for each in sorted(folder.glob("*")) if each.is_file()]
    old = [each for each in old if each.stat().st_mtime <= before]
    return Plan(files=old, size=sum(each.stat().st_size for each in old))


def move(trash: Path, file: Path) -> bool:
    """Moved once: a file that is there no more was moved by a call that was killed."""
    trash.mkdir(parents=True, exist_ok=True)
    if file.exists():
        os.rename(file, free_name(trash / file.name))
    return True


def free_name(path: Path) -> Path:
    """The path, or one with a number behind it: what is in the trash already stays."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(each for each in chain([path], numbered) if not each.exists())


@define_job
def remove_files(step: Step, payload: Removal) -> int:
    """Move files to the trash."""
    return sum(step.map("move", partial(move, payload.trash), payload.files))


@define_job
def clean_up(step: Step, payload: CleanUp) -> CleanedUp:
    """Move old files of a folder to the trash, once somebody has said yes."""
    plan = step.run("plan", look, payload.folder, payload.days)
    if not plan.files:
        return CleanedUp(moved=0)
    answer = step.wait_signal(
        "approval",
        Approval,
        prompt=f"Move {len(plan.files)} files, {plan.size:,} bytes, to {payload.trash}?",
        timeout="7d",
        default=Approval(approved=False, reason="nobody has answered"),
    )
    if not answer:
        return CleanedUp(moved=0, by=answer.by, reason=answer.reason)
    removal = Removal(files=plan.files, trash=payload.trash)
    moved = step.run_job("apply", remove_files, removal)
    return CleanedUp(moved=moved, by=answer.by, reason=answer.reason)
