"""What Python imports at its start if this folder is on PYTHONPATH: it seeds the named bug."""

from __future__ import annotations

import os
import sys

try:
    from tests.harness.seeded_bugs import bug_named

    bug_named(os.environ["SEEDED_BUG"]).install()
except Exception as error:  # of which Python would say a word, and go on
    sys.exit(f"the seeded bug cannot be seeded: {error!r}")
