"""Bytes that nobody thought of: the reader refuses them, or keeps what can be written again."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.harness import fuzz_reader, fuzzer

Count = Callable[[int], None]

SECONDS = 60


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good journal with some values or bytes of it replaced by tokens."""
    data = draw(st.sampled_from(fuzz_reader.seeds()))
    for _ in range(draw(st.integers(0, 3))):
        token = draw(st.sampled_from(fuzz_reader.TOKENS) | st.binary(max_size=4))
        if draw(st.booleans()):
            data = fuzz_reader.with_value(data, draw(st.integers(0, 99)), token)
            continue
        at = draw(st.integers(1, len(data)))
        data = data[:at] + token + data[at + draw(st.integers(0, 20)) :]
    return data


def test_mutated_journals_are_refused_or_read_as_what_can_be_written_again(count: Count) -> None:
    tried = 0

    @settings(
        max_examples=200,
        deadline=None,
        derandomize=False,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated() | st.binary(max_size=300))
    def try_one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        fuzz_reader.check(data)

    try_one()
    count(tried)


@pytest.mark.campaign
def test_a_fuzzer_finds_no_bytes_that_the_reader_does_wrong_with(
    tmp_path: Path, count: Count
) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.fail(f"this test needs atheris: {fuzzer.INSTALL}", pytrace=False)
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    options = (
        f"-max_total_time={SECONDS}",
        "-timeout=10",
        "-max_len=8192",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={tmp_path}/",
    )
    done = subprocess.run(
        (sys.executable, "-m", "tests.harness.fuzzer", corpus, *options),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=4 * SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    runs = re.search(r"Done (\d+) runs", done.stderr)
    assert runs, done.stderr[-3000:]
    assert int(runs[1]) > 10_000
    count(int(runs[1]))
