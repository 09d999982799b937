"""A job that other commands can look at while it is executed: it ends when a test makes a file."""

from __future__ import annotations

WAITING = """
class Input(BaseModel):
    n: int = 1
    fail: bool = False
    until: str = ""

def wait_for_file(step, payload):
    ends = time.monotonic() + 60  # of a test that failed
    while payload.until and not os.path.exists(payload.until) and time.monotonic() < ends:
        time.sleep(0.01)
    if payload.fail:
        step.run("fails", lambda: 1 / 0)
    return payload.n
"""
"""What stands in its module before the job."""
