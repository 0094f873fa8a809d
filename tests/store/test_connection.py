"""An instance of DuckDB serves one opening of a store after the other, with no file between."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from llmbatch.store import connection, results
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store


@pytest.fixture
def instances(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The instances that are made from here on."""
    made: list[Any] = []
    connect = duckdb.connect

    def counted(*given: Any, **named: Any) -> Any:
        made.append(connect(*given, **named))
        return made[-1]

    monkeypatch.setattr(duckdb, "connect", counted)
    return made


@pytest.fixture
def store(tmp_path: Path, healthy: Database) -> Iterator[Path]:
    """A closed store."""
    healthy.close()
    yield tmp_path / "job.duckdb"
    assert not open_files(tmp_path)


def open_files(folder: Path) -> list[str]:
    """The files in the folder that this process has open."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            names.append(str(descriptor.readlink()))
        except FileNotFoundError:  # the folder of the descriptors itself
            continue
    return [name for name in names if name.startswith(str(folder))]


def test_a_new_store_needs_one_instance(tmp_path: Path, instances: list[Any]) -> None:
    open_store(tmp_path / "job.duckdb").close()
    assert len(instances) == 1
    assert not open_files(tmp_path)


def test_the_next_opening_uses_the_instance_of_the_last(store: Path, instances: list[Any]) -> None:
    with connection.kept():
        with open_store(store) as db:
            db.execute("CREATE TEMP TABLE mine AS SELECT 1")
            answered = results.counts(db).answered
        assert not open_files(store.parent)
        with open_store(store, read_only=True) as db:
            assert results.counts(db).answered == answered
            with pytest.raises(duckdb.Error, match="read-only"):
                db.execute("DELETE FROM rows")
            with pytest.raises(duckdb.Error, match="mine does not exist"):
                db.execute("SELECT * FROM mine")
        assert len(instances) == 1
    open_store(store).close()
    assert len(instances) == 2


def test_between_two_openings_others_may_have_the_store(store: Path) -> None:
    with connection.kept():
        open_store(store).__exit__(None)
        other = duckdb.connect(str(store))
        other.execute("DELETE FROM rejects")
        other.close()
        with open_store(store) as db:
            assert results.counts(db).rejected == 0


@pytest.mark.parametrize("beside", [None, "here"])
def test_an_instance_serves_no_other_store(
    store: Path, instances: list[Any], tmp_path: Path, beside: str | None
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with connection.kept():
        open_store(store).__exit__(None)
        if beside:
            open_store(store, beside=other).close()
        else:
            open_store(other / "job.duckdb").close()
    assert len(instances) == 2


def test_an_instance_with_which_something_went_wrong_serves_no_other_opening(
    store: Path, instances: list[Any]
) -> None:
    with connection.kept():
        with pytest.raises(ZeroDivisionError), open_store(store):
            raise ZeroDivisionError
        with open_store(store):
            pass
    assert len(instances) == 2


def test_a_store_that_is_left_alone_keeps_its_settings(store: Path) -> None:
    outside = store.parent / "outside.csv"
    outside.write_text("a\n1\n")
    with connection.kept():
        open_store(store).__exit__(None)
        with open_store(store) as db:
            with pytest.raises(duckdb.Error, match="disabled by configuration"):
                db.execute(f"SELECT * FROM read_csv('{outside}')")
            with pytest.raises(duckdb.Error, match="configuration has been locked"):
                db.execute("SET threads = 4")
