"""The short form of `tests/bench/ordering.py`: it runs, and its table has an order to be found."""

from pathlib import Path

import pytest

from tests.bench import ordering


def test_the_benchmark_of_the_order_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ordering.main(["--rows", "2000", "--columns", "10", "--folder", str(tmp_path)])
    shown = capsys.readouterr().out
    assert all(step in shown for step in ("read ", "choose ", "plan ", "total ", "peak memory"))
    found = ordering.measure(tmp_path, 2000, 10)
    assert found["order"].index("family") < found["order"].index("product")
    assert found["order"].index("region") < found["order"].index("id")
    assert found["choice"].saved > 2 * found["choice"].as_is
