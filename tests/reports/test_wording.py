"""The words that all forms of a report share."""

import pytest

from llmbatch.accounting.costs import Listed
from llmbatch.accounting.usage import RunResources
from llmbatch.reports import wording
from llmbatch.store.results import SettledRows


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0 % of this cost"),
        (0.082, "8.2 % of this cost"),
        (0.606, "39 % less than this cost"),
        (0.999, "as much as this cost"),
        (1.24, "24 % more than this cost"),
        (2.9, "2.9 times this cost"),
        (1234.5, "1,234 times this cost"),
    ],
)
def test_a_cost_beside_another(ratio: float, text: str) -> None:
    assert wording.compared(ratio) == text


def test_a_listed_price_names_itself_and_its_parts() -> None:
    listed = Listed("x", 1.5, 6.0, 0.1, 0.005, 0.05)
    assert wording.listed(listed, "EUR") == (
        "EUR 0.005000 for the same tokens at x, 1.5/6/0.1 a million: 5.0 % of this cost"
    )
    assert wording.listed(None, "EUR") == ""


def test_attempts_are_told_if_some_rows_needed_several() -> None:
    once = SettledRows(1, 8, 1)
    assert wording.attempts([SettledRows(0, 0, 1), once]) == ""
    assert wording.attempts([once, SettledRows(3, 0, 2)]) == "9 after 1, 2 after 3"


def test_the_use_of_a_machine_names_what_was_measured() -> None:
    assert wording.resources(None) == {}
    text = wording.resources(RunResources(12.5, 1, 3 * 2**29, None, None, None))
    assert text == {"CPU time": "12.5 s", "peak memory": "1.5 GiB"}
