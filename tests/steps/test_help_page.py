"""`durably help steps` has all that a handler may ask of its step."""

from __future__ import annotations

from durably_cli.cli.help import page
from durably_cli.steps.logger import Logger
from durably_cli.steps.step import Step

NOT_FOR_HANDLERS = {
    *("emit", "is_replayed", "masked", "raise_refused", "running"),
    *("shell", "end_programs"),
}


def test_the_page_about_steps_has_every_method() -> None:
    text = page("steps")
    code = text.partition("```python")[2]
    for name in {name for name in vars(Step()) | vars(Step) if name[0] != "_"} - NOT_FOR_HANDLERS:
        assert f"step.{name}" in code.partition("```")[0], name
    for name in (name for name in vars(Logger) if name[0] != "_"):
        assert f"step.log.{name}" in text, name
