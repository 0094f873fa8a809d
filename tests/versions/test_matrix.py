"""The table of versions, and how signatures are read out of a source."""

import ast
import json

import pytest

from tests.versions import matrix, ways
from tests.versions.environments import ROOT
from tests.versions.source import takes


def test_the_readme_has_the_table_of_what_was_measured() -> None:
    results = json.loads(matrix.RESULTS.read_text())
    found = matrix.TABLE.search(matrix.README.read_text())
    assert found is not None
    assert found[0] == matrix.table(results)


def test_each_test_of_the_table_is_there() -> None:
    assert [name for name in matrix.TESTS if not (ROOT / name).exists()] == []


def test_a_version_that_was_not_run_is_told_so() -> None:
    rates = {"short": 1234.4, "public": 800.0}
    work = {"short": 150.0, "public": 300.0}
    run = {"passed": 9, "failed": 1, "way": "short", "rows_per_second": rates}
    run["front_end_us_per_row"] = work
    read = {"passed": 3, "failed": 0, "by_source": True}
    lines = matrix.table({"0.33.0": read, "0.9.1": run}).splitlines()
    assert lines[2] == "| 0.9.1 | 9, 1, 0 | short | 1,234, 800 | 150 us, 300 us |"
    assert lines[3] == "| 0.33.0 | 3, 0, 0: its source only, nothing was run | - | - | - |"


def test_the_ratio_is_the_median_over_rounds() -> None:
    seconds = ((1.0, 2.0), (1.0, 4.0), (3.0, 4.0))
    rounds = [{"short": (short, 0.1), "public": (public, 0.2)} for short, public in seconds]
    found = ways.summary(rounds, 100)
    assert found["ratio"] == 0.5
    assert found["rows_per_second"] == {"short": 100.0, "public": 25.0}
    assert found["front_end_us_per_row"] == {"short": 1000, "public": 2000}


@pytest.mark.parametrize(
    ("signature", "by_place", "by_name", "fits"),
    [
        ("self, a, b=1", 1, (), True),
        ("self, a, b=1", 2, (), True),
        ("self, a, b=1", 3, (), False),
        ("self, a, b", 1, (), False),
        ("self, a, b", 1, ("b",), True),
        ("self, a, *, c", 1, ("c",), True),
        ("self, a, **rest", 1, ("c",), True),
        ("self, *rest", 4, (), True),
        ("self, a", 1, ("c",), False),
    ],
)
def test_calls_fit_signatures(
    signature: str, by_place: int, by_name: tuple[str, ...], fits: bool
) -> None:
    (method,) = ast.parse(f"def call({signature}): ...").body
    assert isinstance(method, ast.FunctionDef)
    assert takes(method, by_place, by_name) == fits
