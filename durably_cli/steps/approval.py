"""`Approval`: what a person says to a question of a run."""

from __future__ import annotations

from pydantic import BaseModel


class Approval(BaseModel):
    """The answer of `durably approve` or `durably deny`; it is true if it was approved.

    `by` is who has answered, and `reason` what they say to that.
    """

    approved: bool
    by: str = ""
    reason: str | None = None

    def __bool__(self) -> bool:
        return self.approved
