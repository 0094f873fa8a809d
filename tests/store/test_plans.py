"""A plan says which request answers which row, and in which order requests run."""

from collections.abc import Iterator
from typing import Any

import pytest

from llmbatch.core.messages import json_text
from llmbatch.core.records import Record
from llmbatch.store import plans, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.plans import Plan, PlanCounts, PlannedRequest
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.snapshots import Row, Source

A, B, C = "a" * 32, "b" * 32, "c" * 32


def rendered(row: int, key: str, messages: str) -> RenderedRow:
    return RenderedRow(row, key, None, None, messages)


def failed(row: int) -> RenderedRow:
    return RenderedRow(row, None, "template", f"row {row} has no t", None)


def own(key: str, sample: int) -> str:
    """A key for the n-th sample that shows where it comes from."""
    assert len(key) == 32
    return f"{sample:x}" + key[1:]


@pytest.fixture
def planned(db: Database) -> Database:
    """A store with five rows and no plan yet."""
    items = [Row(n, str(n), Record(n, "{}")) for n in range(1, 6)]
    snapshots.replace(db, items, lambda: Source("i", "jsonl", "d", None, []))
    return db


def replace(db: Database, rows: list[RenderedRow], repetition_key: Any = None) -> Plan:
    return plans.replace(db, 1, "digest", [rows[:2], rows[2:]], repetition_key)


def keys_of_rows(db: Database) -> list[str | None]:
    found = db.execute("SELECT row, key FROM planned_rows ORDER BY row")
    return [key and key.hex for _, key in found]


def requests(db: Database) -> list[PlannedRequest]:
    assert set(results.violations(db).values()) == {0}
    return plans.requests(db, 0, 100)


FIVE = [
    rendered(1, C, "prefix z"),
    rendered(2, A, "prefix b"),
    rendered(3, B, "other"),
    rendered(4, A, "prefix b"),
    failed(5),
]


def test_before_the_first_plan_there_is_none(planned: Database) -> None:
    assert plans.current(planned) is None
    assert list(plans.pending(planned).positions) == []
    assert plans.first_messages(planned) is None


def test_requests_that_share_a_prefix_run_together(planned: Database) -> None:
    replace(planned, FIVE)
    assert [request.messages for request in requests(planned)] == ["other", "prefix b", "prefix z"]
    assert [request.position for request in requests(planned)] == [0, 1, 2]


@pytest.mark.parametrize("samples", [1, 2])
def test_requests_of_one_adapter_run_together(planned: Database, samples: int) -> None:
    """Beside it a body may ask for more, by which nothing is put in order."""
    red, blue = "2" * 32, "1" * 32
    asked = ({"adapter": red, "n": 9}, None, {"adapter": blue}, {"adapter": red, "n": 1}, {"n": 1})
    bodies = [json_text(body) if body else None for body in asked]
    rows = [
        RenderedRow(n, own(str(n) * 32, sample), None, None, f"text {n}", body, (), sample, samples)
        for n, body in enumerate(bodies, 1)
        for sample in range(samples)
    ]
    replace(planned, rows)
    found = [request.messages[-1] for request in requests(planned)]
    assert found == [number for number in "25314" for _ in range(samples)]


def test_a_request_keeps_what_it_asks_for_besides(planned: Database) -> None:
    replace(planned, [*FIVE[:3], FIVE[3]._replace(key="d" * 32, body='{"seed":1}'), FIVE[4]])
    asked = {request.key[0]: request.body for request in requests(planned)}
    assert asked == {"a": None, "b": None, "c": None, "d": '{"seed":1}'}
    one = plans.requests_at(planned, [0, 1, 2, 3])
    assert [request.body for request in one] == [request.body for request in requests(planned)]


def test_rows_that_share_a_key_share_a_request(planned: Database) -> None:
    replace(planned, FIVE)
    assert {request.key: request.copies for request in requests(planned)} == {A: 2, B: 1, C: 1}
    assert keys_of_rows(planned) == [C, A, B, A, None]
    counts = plans.counts(planned)
    assert counts == PlanCounts(rows=5, asked=4, samples=1, requests=3, duplicates=1, control=0)


def test_repetitions_get_requests_of_their_own(planned: Database) -> None:
    rows = [rendered(n, A, "same") for n in (1, 2, 3)] + [rendered(4, B, "x"), failed(5)]
    replace(planned, rows, own)
    assert keys_of_rows(planned) == [A, own(A, 1), own(A, 2), B, None]
    assert [request.copies for request in requests(planned)] == [1, 1, 1, 1]


def test_repetitions_are_numbered_by_row_whatever_the_order_of_planning(planned: Database) -> None:
    rows = [rendered(n, A, "same") for n in (3, 1, 5, 2, 4)]
    replace(planned, rows, own)
    assert keys_of_rows(planned) == [A, own(A, 1), own(A, 2), own(A, 3), own(A, 4)]


def test_nothing_is_separated_where_nothing_repeats(planned: Database) -> None:
    rows = [rendered(n, f"{n}" * 32, f"m{n}") for n in range(1, 6)]
    replace(planned, rows, own)
    assert keys_of_rows(planned) == [f"{n}" * 32 for n in range(1, 6)]


def test_a_row_without_a_request_keeps_its_reason(planned: Database) -> None:
    replace(planned, FIVE)
    (row,) = results.in_input_order(planned, ["failed"])
    assert (row["row"], row["kind"], row["message"]) == (5, "template", "row 5 has no t")
    assert (row["attempt"], row["answer"]) == (None, None)


def test_the_current_plan_is_the_newest(planned: Database) -> None:
    assert replace(planned, FIVE) == Plan(1, 1, "digest")
    newer = plans.replace(planned, 1, "other digest", [FIVE], None)
    assert newer == Plan(2, 1, "other digest")
    assert plans.current(planned) == newer
    assert len(requests(planned)) == 3


def test_a_plan_for_a_former_snapshot_is_not_current(planned: Database) -> None:
    replace(planned, FIVE)
    snapshots.replace(planned, [], lambda: Source("i", "jsonl", "e", None, []))
    assert plans.current(planned) is None
    assert results.counts(planned) == results.Counts()


def test_a_plan_that_fails_leaves_the_former(planned: Database) -> None:
    former = replace(planned, FIVE)

    def batches() -> Iterator[list[RenderedRow]]:
        yield [rendered(1, B, "new")]
        raise ValueError("no more rows")

    with pytest.raises(ValueError, match="no more rows"):
        plans.replace(planned, 1, "x", batches(), None)
    assert plans.current(planned) == former
    assert len(requests(planned)) == 3
    assert replace(planned, FIVE) == Plan(2, 1, "digest")


def test_the_first_messages_are_those_of_the_first_row(planned: Database) -> None:
    replace(planned, [failed(1), rendered(2, C, "zzz"), rendered(3, A, "aaa"), failed(4)])
    assert plans.first_messages(planned) == "zzz"


@pytest.mark.parametrize(
    ("first", "last", "positions"),
    [(0, 0, [0]), (1, 2, [1, 2]), (0, 9, [0, 1, 2]), (3, 9, []), (2, 1, [])],
)
def test_a_range_of_requests_has_both_its_ends(
    planned: Database, first: int, last: int, positions: list[int]
) -> None:
    replace(planned, FIVE)
    found = plans.requests(planned, first, last)
    assert [request.position for request in found] == positions


def test_all_requests_are_pending_at_first_in_planned_order(planned: Database) -> None:
    replace(planned, FIVE)
    assert list(plans.pending(planned).positions) == [0, 1, 2]
    assert results.counts(planned) == results.Counts(pending=4, failed=1)
