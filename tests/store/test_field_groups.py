"""The order of a record's fields is kept for the job; what groups of rows share is counted."""

from pathlib import Path

import pytest

from llmbatch.store import field_groups, recovery
from llmbatch.store.database import Database
from llmbatch.store.field_groups import Groups, KnownOrder
from llmbatch.store.opening import open_store
from tests.store.older import make_older


def test_a_new_store_holds_no_order(db: Database) -> None:
    assert field_groups.known_order(db) == field_groups.NO_ORDER


def test_the_newest_order_counts(db: Database) -> None:
    for order in (["b", "a"], [], ["a", "ü"]):
        field_groups.keep(db, order)
        assert field_groups.known_order(db) == KnownOrder(tuple(order))


def test_the_same_order_is_recorded_once(db: Database) -> None:
    for order in (["b"], ["b"], [], [], ["b"]):
        field_groups.keep(db, order)
    assert db.scalar("SELECT count(*) FROM field_orders") == 3


def test_an_order_outlives_its_store(db: Database, tmp_path: Path) -> None:
    field_groups.keep(db, ["b", "a"])
    db.close()
    (tmp_path / "job.duckdb").unlink()
    with open_store(tmp_path / "job.duckdb") as again:
        assert field_groups.known_order(again).order == ("b", "a")


def test_an_order_is_forgotten_with_the_answers(healthy: Database) -> None:
    field_groups.keep(healthy, ["t"])
    assert field_groups.known_order(healthy) == KnownOrder(("t",), answered=True)
    recovery.forget_runs(healthy)
    assert field_groups.known_order(healthy) == field_groups.NO_ORDER


def test_the_templates_of_runs_are_told(healthy: Database) -> None:
    healthy.execute("""UPDATE runs SET spec = '{"prompt": "{{ record }}", "system": null}'""")
    assert field_groups.known_order(healthy).prompts == {("{{ record }}", None)}


def test_another_store_is_asked(healthy: Database, tmp_path: Path) -> None:
    field_groups.keep(healthy, ["t"])
    healthy.close()
    (tmp_path / "other").mkdir()
    with open_store(tmp_path / "other/job.duckdb", beside=tmp_path) as other:
        assert field_groups.known_order_in(other, tmp_path / "job.duckdb") == KnownOrder(
            ("t",), answered=True
        )
        assert field_groups.known_order(other) == field_groups.NO_ORDER


def test_an_older_store_is_asked_too(healthy: Database, tmp_path: Path) -> None:
    healthy.close()
    make_older(tmp_path / "job.duckdb", 2)
    (tmp_path / "other").mkdir()
    with open_store(tmp_path / "other/job.duckdb", beside=tmp_path) as db:
        field_groups.keep(db, ["mine"])
        assert field_groups.known_order_in(db, tmp_path / "job.duckdb") == KnownOrder(
            None, answered=True
        )


def test_an_older_store_is_upgraded(healthy: Database, tmp_path: Path) -> None:
    healthy.close()
    make_older(tmp_path / "job.duckdb", 2)
    with open_store(tmp_path / "job.duckdb") as db:
        assert field_groups.known_order(db) == KnownOrder(None, answered=True)
        field_groups.keep(db, ["t"])
    (tmp_path / "job.duckdb").unlink()
    with open_store(tmp_path / "job.duckdb") as db:
        assert field_groups.known_order(db) == KnownOrder(("t",), answered=True)


def test_rows_are_grouped_by_their_values(db: Database) -> None:
    # {"a":1,"b":"x"}, {"a":1.0,"b":"x"}, {"b":"ü"}, {"a":1,"b":"x"}, {"a":null,"b":"x"}
    batches: list[list[list[str | None]]] = [
        [["1", "1.0", None], ['"x"', '"x"', '"ü"']],
        [["1", "null"], ['"x"', '"x"']],
    ]
    with field_groups.table(db, ["a", "b"], batches) as table:
        assert table.rows == 5
        # A member is `"a":`, its value and a comma; lengths are those of UTF-8.
        assert table.totals == [5 * 4 + 9 - 4 + 4, 5 * 5 + 4 * 3 + 4]
        assert table.groups(frozenset({0})) == Groups(4, {0: (5 + 1) + (5 + 3) + 0 + (5 + 4)})
        assert table.groups(frozenset({1})) == Groups(2, {1: 8 + 9})
        both = table.groups(frozenset({0, 1}))
        assert (both.count, both.lengths[1]) == (4, 3 * 8 + 9)
    assert db.scalar("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'field_values'") == 0


def test_a_failure_leaves_no_table(db: Database) -> None:
    with pytest.raises(ValueError, match="no more"), field_groups.table(db, ["a"], [[["1"]]]):
        raise ValueError("no more")
    assert db.scalar("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'field_values'") == 0
