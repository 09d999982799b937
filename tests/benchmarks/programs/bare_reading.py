"""A bare reader: bare_reading.py JOURNAL prints how long `json.loads` of many lines takes."""

from __future__ import annotations

import json
import sys
import time


def main(path: str) -> None:
    """Print how long it took."""
    begun = time.perf_counter()
    with open(path, "rb") as file:
        while lines := file.readlines(1 << 18):
            json.loads(b"[" + b",".join(lines) + b"]")
    print(json.dumps({"seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(sys.argv[1])
