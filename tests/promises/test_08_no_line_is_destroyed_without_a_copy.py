"""No complete line of a journal is destroyed without a synced copy."""

from __future__ import annotations

from tests.conftest import Project

JOB = """
@define_job
def job(step: Step, payload: dict) -> None:
    step.run("one", int)
    step.run("two", int)
    if not os.environ.get("MENDED"):
        raise ValueError("to be resumed")
"""


def test_a_repair_leaves_the_original(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "job", expect=1)
    journal = project.journal()
    damaged = journal.read_bytes().replace(b'"name":"two"', b'"name":"tow"')
    journal.write_bytes(damaged)
    project.run("repair", "@last", "--yes")
    (copy,) = journal.parent.glob("*.damaged-1")
    assert copy.read_bytes() == damaged
    assert damaged.startswith(journal.read_bytes().split(b"\n")[0])


def test_a_resume_leaves_whole_lines_that_a_power_cut_tore(project: Project) -> None:
    project.job(JOB)
    project.run("trigger", "job", expect=1)
    journal = project.journal()
    lines = journal.read_bytes().splitlines(keepends=True)
    log = b'{"seq":%d,"type":"log.written"' % len(lines[:-1])
    torn = b"".join(lines[:-1]) + log + b"\0" * 2048 + b"\n" + log
    journal.write_bytes(torn)
    project.run("resume", "@last", env=project.env | {"MENDED": "1"})
    (copy,) = journal.parent.glob("*.torn-1")
    assert copy.read_bytes() == torn
