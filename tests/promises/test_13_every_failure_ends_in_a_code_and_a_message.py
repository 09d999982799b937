"""Every failure ends in an exit code of the table and a message, never a traceback of ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import durably_cli
from tests.conftest import Project

FAILURES = {
    "trigger": 2,
    "trigger nothing": 4,
    "trigger job -i {": 65,
    'trigger job -i {"n":"x"}': 65,
    "trigger job --nope 1": 2,
    "resume ffffffff": 4,
    "inspect @last": 4,
    "inspect @nobody": 2,
    "list --since never": 2,
    "list --status odd": 2,
    "import /nothing": 78,
    "import /dev/null": 65,
    "delete @last": 4,
    "help nothing": 4,
    "nothing": 2,
    "-C /nothing list": 78,
}


@pytest.mark.parametrize(("words", "code"), FAILURES.items())
def test_of_what_is_typed_wrongly(project: Project, words: str, code: int) -> None:
    project.job(
        """
        class Input(BaseModel):
            n: int = 1

        @define_job
        def job(step: Step, payload: Input) -> int:
            return payload.n
        """
    )
    failed = project.run(*words.split(), expect=code)
    assert failed.err.strip()
    assert os.path.dirname(durably_cli.__file__) not in failed.err
    assert "Traceback" not in failed.err


def test_of_a_data_folder_that_cannot_be_made(project: Project, tmp_path: Path) -> None:
    project.job("@define_job\ndef job(step: Step, payload: dict) -> int:\n    return 1\n")
    (tmp_path / "file").write_text("")
    env = project.env | {"DURABLY_DATA_DIR": str(tmp_path / "file" / "data")}
    failed = project.run("trigger", "job", env=env, expect=78)
    assert str(tmp_path / "file") in failed.err
    assert "Traceback" not in failed.err
