"""`import durably`: the names that users import, by the name that they installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import durably

import durably_cli


def test_it_has_the_names_of_durably_cli_and_no_others() -> None:
    assert durably.__all__ == durably_cli.__all__
    assert dir(durably) == dir(durably_cli) == sorted(durably_cli.__all__)
    for name in durably.__all__:
        assert getattr(durably, name) is getattr(durably_cli, name)
    assert not hasattr(durably, "errors")


def test_it_is_typed() -> None:
    assert Path(durably.__file__).with_name("py.typed").exists()


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
