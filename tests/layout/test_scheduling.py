"""The engine that tests share ends after the last file that uses it."""

import pytest

from tests import scheduling

ASKS = "tests/contracts/test_asks.py"


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (f"{ASKS}::a", f"{ASKS}::b", False),
        (f"{ASKS}::a", "tests/engines/vllm/test_ways.py::b", False),
        (f"{ASKS}::a", "tests/cli/test_run.py::b", True),
        (f"{ASKS}::a", "", True),
        ("tests/cli/test_run.py::a", "tests/cli/test_run.py::b", False),
    ],
)
def test_it_ends_with_the_last_file_that_uses_it(before: str, after: str, left: bool) -> None:
    assert scheduling.is_left(before, after) == left
