"""`import durably`: the names that users import, by the name that they installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import durably
import pytest

import durably_cli


def test_it_has_the_names_of_durably_cli_and_no_others() -> None:
    assert durably.__all__ == durably_cli.__all__
    assert dir(durably) == dir(durably_cli) == sorted(durably_cli.__all__)
    for name in durably.__all__:
        assert getattr(durably, name) is getattr(durably_cli, name)
    assert not hasattr(durably, "errors")


def test_it_is_typed() -> None:
    assert Path(durably.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize(
    ("program", "code"),
    [("from durably_cli.__main__ import main; main()", 78), ("from durably import Step", 1)],
)
def test_on_windows_it_says_where_it_runs(program: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.platform = 'win32'; {program}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == code
    assert "on Windows use it in WSL" in done.stderr.splitlines()[-1]


def test_to_import_it_loads_nothing_but_the_version() -> None:
    program = "import sys; before = {*sys.modules}; import durably; print(*{*sys.modules} - before)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert {*done.stdout.split()} <= {
        "durably",
        "durably_cli",
        "durably_cli.version",
        "__future__",
    }
