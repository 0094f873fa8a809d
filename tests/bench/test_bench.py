"""The short form of `make bench`: both sides run and do the same work."""

from pathlib import Path

import pytest

from tests.bench import bench


@pytest.mark.engine
def test_both_sides_of_the_benchmark_do_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In one process each: half the start-up time. The figures are not looked at here.
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    [(ours, theirs)] = bench.compare(tmp_path, rows=40, rounds=1)
    assert ours.tokens == theirs.tokens > 40
    assert ours.seconds > 0
    assert theirs.seconds > 0
