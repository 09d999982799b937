"""Run a command: watched.py COMMAND... prints {"code", "seconds", "cpu", "mib"} of it.

The memory is the most that one process of it had at once. A small process starts it, for a child
begins with the memory of its parent in the kernel's account.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

begun = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(child.pid, 0)
print(
    json.dumps(
        {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": time.perf_counter() - begun,
            "cpu": used.ru_utime + used.ru_stime,
            "mib": used.ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20),
        }
    )
)
