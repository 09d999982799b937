"""Folders 0700, files 0600. No secret in clear in any of them."""

from __future__ import annotations

import os

import pytest

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


WAITS = """
from durably_cli import Secret

class Input(BaseModel):
    token: Secret
    how: str

class Given(BaseModel):
    text: str

class Login(BaseModel):
    user: str
    password: list[pydantic.SecretStr]

@define_job
def kid(step: Step, payload: Given) -> str:
    return os.environ["TOKEN"] if payload.text == "leak" else payload.text

@define_job
def work(step: Step, payload: Input) -> object:
    token = payload.token.get_secret_value()
    if payload.how in ("secret", "model"):
        return step.wait_signal("pw", {"secret": pydantic.SecretStr, "model": Login}[payload.how])
    if payload.how == "generic":
        return step.wait_signal("pw", pydantic.Secret[int], timeout=20, default=None)
    if payload.how == "prompt":
        return step.wait_signal("ok", Literal["yes", token], prompt=f"Use {token}?")
    if payload.how == "default":
        return step.wait_signal("ok", str, timeout=0.1, default=f"by {token}")
    if payload.how == "signal":
        return step.wait_signal("ok", dict)
    if payload.how == "input":
        return step.run_job("kid", kid, Given(text=token))
    if payload.how == "label":
        return step.run_job("kid", kid, Given(text="a"), labels={"a": token})
    return step.run_job("kid", kid, Given(text="leak"))
"""

REFUSED = {
    "secret": (1, "is a secret, or has one"),
    "model": (1, "is a secret, or has one"),
    "default": (1, "step 'ok': its default holds the secret token"),
    "input": (1, "step 'kid': the input holds the secret token, at $.text"),
    "label": (1, "step 'kid': the label 'a' holds the secret token"),
    "output": (1, "it holds the secret token, which no journal may"),
    "prompt": (75, "Use **********?"),
}


def spread(project: Project, how: str, expect: int) -> str:
    """What is said of a run that puts its secret into a wait, or into a child, in this way."""
    project.env["TOKEN"] = SECRET
    project.job("import pydantic\nfrom typing import Literal\n" + WAITS)
    trigger = ("trigger", "work", "--token", "env:TOKEN", "--how", how, "--suspend")
    return project.run(*trigger, expect=expect).err


def nowhere(project: Project, *, but_in: str = "") -> bool:
    """Is the secret in no file, but for the journals of this job?"""
    files = snapshot(project.data, project.cache)
    return not [
        path
        for path, (_, data) in files.items()
        if SECRET.encode() in data and not (but_in and f'"job":"{but_in}"'.encode() in data)
    ]


@pytest.mark.parametrize("how", REFUSED)
def test_of_waits_and_of_children(project: Project, how: str) -> None:
    code, said = REFUSED[how]
    err = spread(project, how, code)
    assert said in err
    assert SECRET not in err
    # The child knows nothing of its parent's secrets, and has read this one by itself.
    assert nowhere(project, but_in="kid" if how == "output" else "")


def test_a_signal_that_holds_one_is_refused_before_it_is_received(project: Project) -> None:
    spread(project, "signal", 75)
    project.run("signal", "@last", "ok", "-i", f'{{"a": ["x{SECRET}"]}}')
    suspended = project.run("resume", "@last", "--suspend", expect=75)
    assert "is not taken: it holds the secret token" in suspended.err
    assert nowhere(project)
    project.run("signal", "@last", "ok", "-i", '{"a": 1}')
    assert project.run("resume", "@last").out == '{"a":1}\n'


def test_a_signal_is_refused_that_is_a_secret_of_which_its_schema_says_nothing(
    project: Project,
) -> None:
    spread(project, "generic", 75)
    project.run("signal", "@last", "pw", "-i", "77123")
    suspended = project.run("resume", "@last", "--suspend", expect=75)
    assert "is not taken: it is a secret, or has one" in suspended.err
    assert b"77123" not in b"".join(data for _, data in snapshot(project.data).values())
