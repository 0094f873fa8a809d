"""One reading of the input becomes rows and rejects, whole or not at all."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from llmbatch.core.records import Record, Reject
from llmbatch.store import plans, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.snapshots import Row, Snapshot, Source


def source(id_column: str | None = None, digest: str = "d1") -> Source:
    return Source("in.jsonl", "jsonl", digest, id_column, ["id", "ü \"'"])


def row(number: int, identity: str | None = None, data: str = "{}") -> Row:
    return Row(number, identity or str(number), Record(number * 10, data))


def replace(db: Database, items: list[Row | Reject], held: Source) -> Snapshot:
    return snapshots.replace(db, items, lambda: held)


def sound(db: Database) -> bool:
    return set(results.violations(db).values()) == {0}


def test_before_the_first_reading_there_is_none(db: Database) -> None:
    assert snapshots.newest(db) is None
    assert list(snapshots.windows(db, 10)) == []
    assert sound(db)


def test_a_reading_is_kept_as_it_was(db: Database) -> None:
    items: list[Row | Reject] = [row(1), Reject(20, "not JSON", "{"), row(3)]
    held = replace(db, items, source())
    assert held == Snapshot(1, source(), 2, 1, 2)
    assert snapshots.newest(db) == held
    assert list(results.rejects(db)) == [Reject(20, "not JSON", "{")]
    assert sound(db)


@pytest.mark.parametrize(
    "data",
    [
        '{"n": 1.10, "big": 12345678901234567890}',
        '{"t": "\\u0000 é 🦆 \\" \\\\"}',
        '{"t": "it\'s"}',
    ],
)
def test_data_keeps_every_byte(db: Database, data: str) -> None:
    replace(db, [row(1, data=data)], source())
    assert list(snapshots.windows(db, 10)) == [[(1, data)]]


def test_an_empty_input_is_a_reading_too(db: Database) -> None:
    assert replace(db, [], source()) == Snapshot(1, source(), 0, 0, 0)
    assert sound(db)


def test_the_description_is_asked_for_after_the_last_item(db: Database) -> None:
    seen: list[int] = []

    def items() -> Iterator[Row]:
        for number in (1, 2):
            seen.append(number)
            yield row(number)

    def describe() -> Source:
        assert seen == [1, 2]
        return source()

    snapshots.replace(db, items(), describe)


def test_a_newer_reading_replaces_rows_rejects_and_plan(db: Database) -> None:
    replace(db, [row(1), row(2), Reject(30, "bad", "")], source())
    plans.replace(db, 1, "p", [[RenderedRow(1, "a" * 32, None, None, "m")]], None)
    newer = replace(db, [row(1)], source(digest="d2"))
    assert newer == Snapshot(2, source(digest="d2"), 1, 0, 1)
    assert list(results.rejects(db)) == []
    assert plans.current(db) is None
    for table in ("planned_rows", "requests"):
        assert db.scalar(f"SELECT count(*) FROM {table}") == 0
    assert sound(db)


@pytest.mark.parametrize("where", ["the items", "the description"])
def test_a_reading_that_fails_leaves_the_former(db: Database, where: str) -> None:
    former = replace(db, [row(1), row(2)], source())

    def items() -> Iterator[Row]:
        yield row(1, data='{"new": 1}')
        if where == "the items":
            raise ValueError("the input broke off")

    def describe() -> Source:
        raise ValueError("the input changed")

    with pytest.raises(ValueError, match="the input"):
        snapshots.replace(db, items(), describe)
    assert snapshots.newest(db) == former
    assert list(snapshots.windows(db, 10)) == [[(1, "{}"), (2, "{}")]]


def test_a_repeated_id_is_a_reject_that_names_the_first_line(db: Database) -> None:
    items: list[Row | Reject] = [
        row(1, "a"),
        row(2, "b"),
        row(3, "a", '{"x": 1}'),
        row(4, "a"),
        row(5, "c"),
    ]
    held = replace(db, items, source("id"))
    assert (held.row_count, held.reject_count) == (3, 2)
    assert list(results.rejects(db)) == [
        Reject(30, "duplicate id 'a' (first on line 10)", '{"x": 1}'),
        Reject(40, "duplicate id 'a' (first on line 10)", "{}"),
    ]
    assert db.execute("SELECT row, id FROM rows ORDER BY row") == [(1, "a"), (2, "b"), (5, "c")]
    assert sound(db)


def test_the_raw_text_of_a_repeated_id_is_cut(db: Database) -> None:
    long = '{"x": "' + "é" * 20_000 + '"}'
    replace(db, [row(1, "a"), row(2, "a", long)], source("id"))
    assert [reject.raw for reject in results.rejects(db)] == [long.replace(": ", ":")[:10_000]]


def test_without_an_id_column_nothing_is_a_repeat(db: Database) -> None:
    assert replace(db, [row(1, "a"), row(2, "a")], source()).row_count == 2


def test_rows_that_are_read_are_not_held_until_the_last_one(db: Database) -> None:
    """Arrow's memory has a batch or two, not the whole reading."""
    held: list[int] = []
    size = 2_000_000

    def items() -> Iterator[Row]:
        for number in range(1, 4001):
            yield row(number, data=f'{{"x":"{number:010000d}"}}')
            held.append(pa.total_allocated_bytes())

    before = pa.total_allocated_bytes()
    snapshots.replace(db, items(), source)
    assert max(held) - before < 3 * size


def test_a_reading_stages_nothing_outside_of_the_store(db: Database) -> None:
    """Rows go into the file of the store as they come: a second copy would fill the memory."""

    def items() -> Iterator[Row]:
        for number in range(1, 30_001):
            yield row(number, data=f'{{"x":"{number:01000d}"}}')
        used = "SELECT sum(temporary_storage_bytes + memory_usage_bytes) FROM duckdb_memory()"
        staged = f"{used} WHERE tag IN ('IN_MEMORY_TABLE', 'TEMPORARY_STORAGE')"
        assert db.scalar(staged) < 25_000_000, "of 30 MB"

    assert snapshots.replace(db, items(), source).row_count == 30_000


def test_a_new_reading_may_take_what_the_former_one_has(db: Database) -> None:
    """While it is taken the rows of both are there, and what fails then leaves the former."""
    former = replace(db, [row(1), row(2)], source())

    def carry(held: Database, number: int) -> None:
        counts = "SELECT snapshot, count(*) FROM rows GROUP BY snapshot ORDER BY snapshot"
        assert held.execute(counts) == [(former.snapshot, 2), (number, 1)]
        raise ValueError("cannot be taken")

    with pytest.raises(ValueError, match="cannot be taken"):
        snapshots.replace(db, [row(1), Reject(20, "bad", "")], source, carry=carry)
    assert snapshots.newest(db) == former
    assert list(snapshots.windows(db, 10)) == [[(1, "{}"), (2, "{}")]]
    assert list(results.rejects(db)) == []
    assert sound(db)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_windows_hold_all_rows_in_order(db: Database, size: int) -> None:
    numbers = [7, 1, 2, 4, 9]
    items: list[Any] = [row(number) for number in sorted(numbers)]
    replace(db, items, source())
    windows = list(snapshots.windows(db, size))
    assert all(0 < len(window) <= size for window in windows)
    assert [number for window in windows for number, _ in window] == sorted(numbers)


def test_more_rows_than_one_batch_are_all_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_BATCH", 7)
    items: list[Any] = [row(n) if n % 3 else Reject(n * 10, "r", "") for n in range(1, 100)]
    held = replace(db, items, source())
    assert (held.row_count, held.reject_count) == (66, 33)
    assert sound(db)


def test_rejects_come_by_line_however_many(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_WINDOW", 4)
    items: list[Any] = [Reject(line, f"r{line}", "") for line in (9, 3, 7, 1, 5, 2, 8, 4, 6)]
    replace(db, items, source())
    assert [reject.line for reject in results.rejects(db)] == list(range(1, 10))
