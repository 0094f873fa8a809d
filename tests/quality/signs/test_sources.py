"""Values of answers are found in their rows in other forms, and what is not there is told."""

from typing import Any

import pytest

from llmbatch.job.signs import SignsSpec
from llmbatch.quality.signs import ungrounded
from llmbatch.quality.signs.sources import Source
from tests.quality.signs.subjects import subject

ROW = (
    "Order A-1042 of 3 March 2024 by Zoë Müller-Lang: 1,234.50 USD, net 1.000,00 EUR, "
    "due 2024-05-01, paid le 7 avril 2024, 12 500 points, seit 5. Mai 2023."
)


@pytest.mark.parametrize(
    "value",
    [
        "A-1042", "a1042", "A 1042", "zoe muller lang", "Müller-Lang", "1234.50", "1234.5",
        "1,234.5", "1000", "1000.00", "2024-03-03", "03.03.2024", "March 3, 2024", "1 May 2024",
        "05/01/2024",
        "2024-04-07", "12500", "12,500", "2023-05-05", "", "USD",
    ],
)  # fmt: skip
def test_a_value_is_found(value: str) -> None:
    assert Source(ROW).has(value)


@pytest.mark.parametrize(
    "value",
    ["A-1043", "104", "1234.51", "2024-03-04", "4 March 2024", "Zoe Miller", "10", "1235", "EU"],
)
def test_a_value_is_not_found(value: str) -> None:
    assert not Source(ROW).has(value)


def found(answer: Any, *grounded: str) -> str | None:
    return ungrounded.look(subject(answer, settings=SignsSpec(grounded=grounded), text=ROW))


def test_fields_are_looked_at_where_the_job_says() -> None:
    answer = {"order": "A-1043", "kind": "refund", "person": {"name": "Zoë Müller-Lang"}}
    assert found(answer) is None
    assert found(answer, "order") == "A-1043"
    assert found(answer, "name") is None
    assert found(answer, "all") == "A-1043, refund"
    assert found({"items": [{"order": "B-7"}, {"order": "A-1042"}]}, "order") == "B-7"


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        ("The order A-1042 was paid on 7 April by Zoë.", None),
        ("The order A-1042 was paid on 8 April by Anna.", "8, Anna"),
        ("Die Bestellung von Zoë kostet den Kunden 1.234,50 Dollar.", None),
        ("Die Bestellung kostet den Kunden 999 Dollar.", "999"),
        ("La commande de Zoë a été payée par Pierre.", "Pierre"),
    ],
)
def test_numbers_and_names_of_texts(answer: str, missing: str | None) -> None:
    assert found(answer, "all") == missing
