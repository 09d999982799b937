"""No acknowledged result is lost, and a replay returns what the first run returned: equal."""

from __future__ import annotations

from tests.conftest import Project

JOB = """
import datetime, decimal, uuid
from pathlib import Path

class Point(BaseModel):
    x: int
    names: list[str] = []

VALUES = {
    "none": (None, None), "true": (bool, True), "int": (int, 10**30), "float": (float, 0.1),
    "text": (str, "\\N{SNOWMAN} \\x7f\\n"), "list": (list[int], [1, 2]),
    "dict": (dict[str, float], {"a": 1.0}), "tuple": (tuple[int, str], (1, "b")),
    "set": (set[int], {3, 1, 2}), "bytes": (bytes, b"abc"), "path": (Path, Path("/a/b")),
    "time": (datetime.datetime, datetime.datetime(2026, 11, 27, tzinfo=datetime.UTC)),
    "decimal": (decimal.Decimal, decimal.Decimal("1.10")), "uuid": (uuid.UUID, uuid.UUID(int=7)),
    "model": (Point, Point(x=1, names=["a"])), "large": (str, "x" * 2_000_000),
}

@define_job
def values(step: Step, payload: dict) -> None:
    for name, (kind, value) in VALUES.items():
        back = step.run(name, lambda value=value: value, returns=kind)
        effect(f"{name} {type(back).__name__} {back == value}")
    os.kill(os.getpid(), 9) if not os.environ.get("LIVE") else None
"""


def test_what_was_returned_comes_back_equal_and_of_the_same_type(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "values", expect=-9)
    first = project.effects
    resumed = project.run("resume", "@last", env=project.env | {"LIVE": "1"})
    assert project.effects == first * 2
    assert all(line.endswith("True") for line in first)
    assert f"{len(first)} steps replayed" in resumed.err
