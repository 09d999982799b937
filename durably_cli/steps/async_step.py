"""`AsyncStep`: what an async handler receives.

It is one class with `Step`, with other types, which async_step.pyi declares: what takes time gives
a coroutine, and what calls a function takes async ones too.
"""

from durably_cli.steps.loop_step import AsyncStep

__all__ = ["AsyncStep"]
