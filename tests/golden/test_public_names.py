"""What `from durably_cli import ...` gives, and what can be called how."""

from __future__ import annotations

import durably_cli
from tests.golden import public_names
from tests.golden.test_commands import REWRITE


def test_the_public_names_take_and_give_what_they_always_did() -> None:
    assert public_names.as_text() == public_names.PATH.read_text("utf-8"), REWRITE


def test_all_public_names_are_there_and_no_other_name_is() -> None:
    for name in durably_cli.__all__:
        getattr(durably_cli, name)
    assert not hasattr(durably_cli, "nothing_of_that_name")
