"""The order of a record's fields, and when a job keeps the one that it had."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job, record_order
from llmbatch.pipeline.rows import ingest, input_file
from llmbatch.store import field_groups
from llmbatch.store.field_groups import KnownOrder
from llmbatch.store.opening import open_store

ROWS: list[dict[str, Any]] = [
    {"id": number, "shop": "north" if number % 2 else "south", "kind": "a constant text"}
    for number in range(8)
]
BEST = ("kind", "shop", "id")
ANSWERED = KnownOrder(("shop",), answered=True)


def spec(folder: Path, **changes: Any) -> JobSpec:
    table = {"input": str(folder / "in.jsonl"), "output": "o.jsonl", "model": "m"}
    return JobSpec.model_validate(table | {"prompt": "{{ record }}"} | changes)


def decided(folder: Path, held: KnownOrder, rows: list[dict[str, Any]], **changes: Any) -> Any:
    (folder / "in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    job = ready_job.make(spec(folder, **changes))
    with open_store(folder / "job.duckdb") as db:
        snapshot = ingest.ingest(db, job.input, folder / "spool")
        return record_order.decide(db, job, snapshot, held)


@pytest.mark.parametrize(
    ("changes", "held", "order"),
    [
        ({}, field_groups.NO_ORDER, BEST),
        ({"system": "{{ record }}", "prompt": "{{ id }}"}, field_groups.NO_ORDER, BEST),
        ({"prompt": "{{ row }} {{ id }}"}, field_groups.NO_ORDER, None),
        ({"record_order": "input"}, field_groups.NO_ORDER, ()),
        ({"record_order": "input"}, ANSWERED, ()),
        ({"record_order": "shop, id"}, field_groups.NO_ORDER, ("shop", "id")),
        ({"record_order": ["id"]}, ANSWERED, ("id",)),
        ({"record_order": ["id"], "prompt": "{{ id }}"}, ANSWERED, None),
        # The job's order is kept once there are answers that it made.
        ({}, ANSWERED, ("shop",)),
        ({}, KnownOrder((), answered=True), ()),
        ({}, KnownOrder(("shop",)), BEST),
        # An older version answered these very prompts, in the input's order.
        ({}, KnownOrder(None, True, frozenset({("{{ record }}", None)})), ()),
        ({}, KnownOrder(None, False, frozenset({("{{ record }}", None)})), BEST),
        ({}, KnownOrder(None, True, frozenset({("{{ record }}", "s"), ("{{ id }}", None)})), BEST),
    ],
)
def test_the_order_by_what_is_asked_and_held(
    tmp_path: Path, changes: dict[str, Any], held: KnownOrder, order: Any
) -> None:
    assert decided(tmp_path, held, ROWS, **changes) == order


def test_without_rows_nothing_is_decided(tmp_path: Path) -> None:
    assert decided(tmp_path, field_groups.NO_ORDER, [], record_order=["nosuch"]) is None


def test_a_column_named_record_is_a_column(tmp_path: Path) -> None:
    rows = [row | {"record": "mine"} for row in ROWS]
    assert decided(tmp_path, field_groups.NO_ORDER, rows) is None


def test_rows_may_lack_fields(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": number} for number in range(6)]
    rows += [{"id": number, "note": "the same long note"} for number in range(6, 9)]
    assert decided(tmp_path, field_groups.NO_ORDER, rows) == ("note", "id")


def test_values_are_told_apart_as_they_came(tmp_path: Path) -> None:
    """1.1 and 1.10 are one number and two texts; of the objects only the second repeats."""
    (tmp_path / "in.jsonl").write_text(
        '{"n": 1.10, "o": {"a": 1.0}, "t": "x"}\n{"n": 1.1, "o": {"a": 1}, "t": "x"}\n'
    )
    with open_store(tmp_path / "job.duckdb") as db:
        ingest.ingest(db, input_file.make(spec(tmp_path), tmp_path), tmp_path / "spool")
        choice = record_order.measured(db, ["n", "o", "t"])
    assert (choice.order, choice.saved, choice.as_is) == ((2, 0, 1), len('"t":"x",'), 0)


def test_where_nothing_is_gained_the_inputs_order_stays(tmp_path: Path) -> None:
    rows = [{"id": number, "text": f"text {number}"} for number in range(5)]
    assert decided(tmp_path, field_groups.NO_ORDER, rows) == ("id", "text")
    rows = [{"kind": "a", "id": number} for number in range(5)]
    assert decided(tmp_path, field_groups.NO_ORDER, rows) == ("kind", "id")


def test_of_very_many_columns_none_is_chosen(tmp_path: Path) -> None:
    rows = [{f"c{place}": place or number for place in range(300)} for number in range(3)]
    assert decided(tmp_path, field_groups.NO_ORDER, rows) == tuple(rows[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"record_order": ["id", "shp"]},
            r"record_order: no column 'shp' in .*in.jsonl \(did you mean 'shop'\?\); "
            "columns: id, shop, kind",
        ),
        ({"prompt": "{{ recrd }} {{ record }}"}, "prompt: no column 'recrd'"),
    ],
)
def test_what_is_no_column_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        decided(tmp_path, field_groups.NO_ORDER, ROWS, **changes)


def test_a_store_in_use_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with open_store(tmp_path / "mine/job.duckdb", beside=tmp_path) as db:
        nothing = record_order.known_order_of(db, tmp_path / "nosuch.duckdb")
        assert nothing == field_groups.NO_ORDER
        with open_store(tmp_path / "job.duckdb") as other:
            field_groups.keep(other, ["a"])
        assert record_order.known_order_of(db, tmp_path / "job.duckdb").order == ("a",)
