"""Long records and messages lie beside the tables, and come back as they were."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.core.errors import StoreError
from llmbatch.core.exact_json import parse_record
from llmbatch.core.records import Record
from llmbatch.store import long_texts, plans, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.long_texts import LONG
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.snapshots import Row, Source

KEYS = [f"{number:032x}" for number in range(9)]
TEXTS = ["short", "é" * LONG, "\U0001f600" * LONG, "x" * 5 * LONG, "y"]


def records(texts: list[str]) -> list[str]:
    return [orjson.dumps({"n": 1.10, "text": text}).decode() for text in texts]


def fill(db: Database, texts: list[str], digest: str = "d") -> snapshots.Snapshot:
    items = [Row(n, str(n), Record(n, data)) for n, data in enumerate(records(texts), 1)]
    source = Source("in.jsonl", "jsonl", digest, None, ["n", "text"], [], [])
    return snapshots.replace(db, items, lambda: source)


def messages(text: str) -> str:
    return orjson.dumps([["user", text]]).decode()


def plan(db: Database, texts: list[str], keys: list[str] = KEYS) -> plans.Plan:
    rows = [
        RenderedRow(n, key, None, None, messages(text))
        for n, (key, text) in enumerate(zip(keys, texts, strict=False), 1)
    ]
    return plans.replace(db, 1, "d", [rows], None)


def files(db: Database) -> list[str]:
    return sorted(path.name for path in db.path.parent.glob("texts.*"))


def test_records_and_messages_come_back_as_they_were(db: Database) -> None:
    fill(db, TEXTS)
    plan(db, TEXTS)
    assert [data for window in snapshots.windows(db, 2) for _, data in window] == records(TEXTS)
    assert [row["data"] for row in results.in_input_order(db, ["pending"])] == records(TEXTS)
    planned = plans.requests(db, 0, 9)
    assert sorted(request.messages for request in planned) == sorted(map(messages, TEXTS))
    assert plans.first_messages(db) == messages(TEXTS[0])
    assert plans.pending_size(db) == (sum(len(messages(text)) for text in TEXTS), len(TEXTS))


def test_the_tables_hold_only_a_part(db: Database) -> None:
    fill(db, TEXTS)
    plan(db, TEXTS)
    assert db.scalar("SELECT max(length(data)) FROM rows") < LONG
    assert db.scalar("SELECT max(length(messages)) FROM requests") < LONG
    # Costs are divided by short columns: SQL reads them as they stand.
    assert db.execute("SELECT DISTINCT json_extract_string(data, '/n') FROM rows") == [("1.1",)]


def test_short_texts_make_no_file(db: Database) -> None:
    fill(db, ["a", "b"])
    plan(db, ["a", "b"])
    assert files(db) == []


def test_a_file_goes_with_its_snapshot_or_plan(db: Database) -> None:
    fill(db, TEXTS)
    plan(db, TEXTS)
    assert files(db) == ["texts.plan-1", "texts.rows-1"]
    fill(db, TEXTS, "other")
    plan(db, TEXTS)
    assert files(db) == ["texts.plan-2", "texts.rows-2"]
    fill(db, ["a"], "third")
    plan(db, ["a"])
    assert files(db) == []


def test_equal_requests_share_one_text(db: Database) -> None:
    long = "z" * LONG
    fill(db, [long] * 3)
    plan(db, [long] * 3, [KEYS[0]] * 3)
    assert (db.path.parent / "texts.plan-1").stat().st_size == len(messages(long))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"half")])
def test_what_is_gone_is_known_and_told(db: Database, damage: Any) -> None:
    snapshot, made = fill(db, TEXTS), plan(db, TEXTS)
    assert snapshots.has_long_texts(db, snapshot.snapshot)
    assert plans.has_long_texts(db, made.plan)
    for name in files(db):
        damage(db.path.parent / name)
    assert not snapshots.has_long_texts(db, snapshot.snapshot)
    assert not plans.has_long_texts(db, made.plan)
    with pytest.raises(StoreError, match="texts are gone"):
        list(snapshots.windows(db, 10))
    with pytest.raises(StoreError, match="texts are gone"):
        [request.messages for request in plans.requests(db, 0, 9)]


def test_windows_hold_few_bytes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "_WINDOW_BYTES", 3 * LONG)
    fill(db, ["v" * LONG] * 7 + ["w"] * 5)
    sizes = [len(window) for window in snapshots.windows(db, 1000)]
    assert sum(sizes) == 12
    assert max(sizes[:-1]) <= 3


def test_long_messages_that_begin_alike_come_together() -> None:
    ends = [f"{number} " * 9_000 for number in range(4)]
    # Alike for longer than a table holds, then not, in turns.
    texts = [f"{'s' * 20_000}{name * 9_000}{end}" for end in ends for name in "ab"]
    ordered = sorted(texts, key=long_texts.sort_text)
    assert len({text[20_000] for text in ordered[:4]}) == 1
    assert len({text[20_000] for text in ordered[4:]}) == 1


def test_a_record_of_many_long_values_is_cut_to_few() -> None:
    data = orjson.dumps({f"c{n}": "v" * 99 for n in range(1000)}).decode()
    short = long_texts.short_record(data)
    assert len(short) < 2 * LONG
    assert parse_record(short).keys() == parse_record(data).keys()


def test_the_store_is_open_without_its_texts(db: Database, tmp_path: Path) -> None:
    fill(db, TEXTS)
    plan(db, TEXTS)
    path = db.path
    db.close()
    for found in path.parent.glob("texts.*"):
        found.unlink()
    with open_store(path, read_only=True) as again:
        assert results.counts(again).pending == len(TEXTS)
