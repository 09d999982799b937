"""A function that holds up the loop of an async handler is said, with its step and its line."""

from __future__ import annotations

import pytest

from tests.conftest import Project
from tests.harness.quick import some_quick

JOB = """
    import asyncio
    import logging
    from durably import AsyncStep

    {configured}

    def wait() -> bool:
        return any(time.sleep(0.01) or os.path.exists("go") for _ in range(3_000))

    async def blocks(_: str = "") -> bool:
        effect("blocks")
        return wait()

    @define_job
    async def work(step: AsyncStep) -> None:
        await step.run("plain", time.sleep, 2)
        await asyncio.gather({asked}, step.run("beside", asyncio.sleep, 0.01))
        os.unlink("go")
"""

ASKED = {
    'step.run("blocks", blocks)': "step blocks holds up the event loop, at ",
    'step.map("m", blocks, ["one"])': "step m[one] holds up the event loop, at ",
    'step.run("blocks", blocks, timeout=60)': "the event loop is held up, at ",
    'step.run("waits", wait), blocks()': "the event loop is held up, at ",
}


CASES = [(asked, "") for asked in ASKED] + [(next(iter(ASKED)), "logging.basicConfig()")]


@pytest.mark.parametrize("case", some_quick(CASES, 2))
def test_a_loop_that_stands_still_is_said_once_an_attempt(
    project: Project, case: tuple[str, str]
) -> None:
    asked, configured = case
    path = project.job(JOB.format(asked=asked, configured=configured))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "any(" in text)
    with project.start("trigger", "work") as process:
        assert process.stderr is not None
        said = ""
        while "event loop" not in said and (more := process.stderr.readline()):
            said += more
        (project.root / "go").touch()
        said += process.result().err
    assert said.count(ASKED[asked]) == said.count("event loop") == 1
    assert f"at {path}:{line}: no other step goes on meanwhile" in said
    logged = project.run("logs", "@last", "--level", "warn").out.splitlines()
    (found,) = (each.split("\t") for each in logged)
    assert found[1] == "warn"
    assert found[2] == (ASKED[asked].split()[1] if "holds" in ASKED[asked] else "")
