"""What durably's API is called with by mistake is answered with how it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from durably_cli import Step
from durably_cli.journal.failures import describe


def fetch(url: str) -> str:
    return url


@pytest.mark.parametrize(
    ("call", "advice"),
    [
        (lambda step: step.run("a", fetch, url="x"), "functools.partial(fetch, url=...)"),
        (lambda step: step.run("a"), 'step.run("fetch", fetch, url)'),
        (lambda step: step.run(fetch), 'step.run("fetch", fetch, url)'),
        (lambda step: step.run(name="a", fn=fetch), 'step.run("fetch", fetch, url)'),
        (lambda step: step("a", fetch), 'step.run("fetch", fetch, url)'),
        (lambda step: step.log("done"), "step.log.info(...)"),
        (lambda step: fetch(), ""),
    ],
)
def test_a_wrong_call_is_answered_below_its_traceback(
    call: Callable[[Any], object], advice: str
) -> None:
    with pytest.raises(TypeError) as caught:
        call(Step())
    shown, _, below = describe(caught.value).traceback.partition(f"TypeError: {caught.value}")
    assert shown.startswith("Traceback")
    assert advice in below if advice else below == ""
