"""A coverage-guided fuzzer of the reader, as a program.

python -m tests.harness.fuzzer CORPUS [libFuzzer options]
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

INSTALL = "pip install -e '.[campaign]'"


def main() -> None:
    """The command line."""
    try:
        import atheris
    except ImportError:
        sys.exit(f"the fuzzer needs atheris: {INSTALL}")
    with atheris.instrument_imports(
        include=["durably_cli.journal.codec", "durably_cli.journal.reader"]
    ):
        from tests.harness.fuzz_reader import TOKENS, check, seeds, with_value
    corpus = Path(sys.argv[1])
    for number, seed in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, max_size))
        changed = with_value(data, chance.randrange(100), chance.choice(TOKENS))
        return changed[:max_size]

    atheris.Setup(sys.argv, check, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
