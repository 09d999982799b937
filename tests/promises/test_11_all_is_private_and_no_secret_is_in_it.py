"""Folders 0700, files 0600. No secret in clear in any of them."""

from __future__ import annotations

import os

from tests.conftest import Project
from tests.harness.snapshots import snapshot

SECRET = "hunter2-and-more"
JOB = """
from durably_cli import Secret

class Input(BaseModel):
    token: Secret

@define_job
def job(step: Step, payload: Input) -> None:
    token = payload.token.get_secret_value()
    step.log.info(f"with {token}", token=token)
    step.progress(1, 2, token)
    step.run("one", lambda: len(token))
    raise ValueError(f"no {token}")
"""


def test_of_a_run_that_spreads_its_secret(project: Project) -> None:
    project.job(JOB)
    before = os.umask(0)
    try:
        env = project.env | {"TOKEN": SECRET}
        failed = project.run("trigger", "job", "--token", "env:TOKEN", env=env, expect=1)
    finally:
        os.umask(before)
    for path, (mode, data) in snapshot(project.data, project.cache).items():
        assert mode == (0o700 if os.path.isdir(path) else 0o600), path
        assert SECRET.encode() not in data, path
    assert SECRET not in failed.out + failed.err
