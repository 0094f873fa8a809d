"""Older stores are upgraded step by step, newer ones are refused."""

import re
from pathlib import Path

import pytest

from llmbatch.core.errors import StoreError
from llmbatch.store import opening, results, statements
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from tests.store import new_tables

FURTHER = """
-- name: rows_note
ALTER TABLE rejects ADD COLUMN note VARCHAR;

-- name: notes
CREATE VIEW notes AS SELECT note FROM rejects;
"""

KNOWN = list(range(1, len(opening.MIGRATIONS) + 1))
NEXT = KNOWN[-1] + 1


@pytest.fixture
def old(tmp_path: Path, healthy: Database) -> Path:
    """A store as this version writes it, closed."""
    healthy.close()
    return tmp_path / "job.duckdb"


@pytest.fixture
def newer(tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From here on llmbatch knows a further schema version; returns its file."""
    path = tmp_path / "further.sql"
    path.write_text(FURTHER)
    monkeypatch.setattr(opening, "MIGRATIONS", (*opening.MIGRATIONS, (str(path),)))
    return path


def versions(store: Path) -> list[int]:
    with open_store(store, read_only=True) as db:
        return [version for (version,) in db.execute("SELECT version FROM migrations ORDER BY 1")]


@pytest.mark.usefixtures("newer")
def test_an_older_store_is_upgraded_with_its_content(old: Path) -> None:
    with open_store(old) as db:
        assert db.execute("SELECT note FROM notes") == [(None,)]
        assert results.counts(db).answered == 2
    assert versions(old) == [*KNOWN, NEXT]


@pytest.mark.usefixtures("newer")
def test_an_upgrade_happens_once(old: Path) -> None:
    for _ in range(2):
        open_store(old).close()
    assert versions(old) == [*KNOWN, NEXT]


@pytest.mark.usefixtures("newer")
def test_a_new_store_gets_every_version(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    open_store(tmp_path / "new/job.duckdb").close()
    assert versions(tmp_path / "new/job.duckdb") == [*KNOWN, NEXT]


def test_a_new_store_is_what_the_migrations_make(db: Database) -> None:
    """If it is not: `make tables`, and say so in `opening.NEW_TABLES`."""
    assert new_tables.declared(db) == new_tables.migrated()
    assert len(opening.MIGRATIONS) == opening.NEW_TABLES


@pytest.mark.usefixtures("newer")
def test_reading_upgrades_nothing(old: Path) -> None:
    before = old.read_bytes()
    older = f"has the older schema {KNOWN[-1]}; run the job once to upgrade it"
    with pytest.raises(StoreError, match=older):
        open_store(old, read_only=True)
    assert old.read_bytes() == before


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(
    old: Path, newer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer.write_text(FURTHER + "\n-- name: broken\nSELECT no_such_column FROM rows;\n")
    with pytest.raises(Exception, match="no_such_column"):
        open_store(old)
    monkeypatch.setattr(opening, "MIGRATIONS", opening.MIGRATIONS[:-1])
    assert versions(old) == KNOWN
    with open_store(old) as db:
        assert "note" not in db.mappings("SELECT * FROM rejects")[0]


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_store_is_refused(old: Path, read_only: bool) -> None:
    with open_store(old) as db:
        db.execute(f"INSERT INTO migrations VALUES ({KNOWN[-1] + 1}, now()::TIMESTAMP)")
    with pytest.raises(StoreError) as caught:
        open_store(old, read_only=read_only)
    assert str(caught.value) == (
        f"{old}: was written by a newer llmbatch (schema {KNOWN[-1] + 1}, this one knows "
        f"{KNOWN[-1]}); upgrade llmbatch"
    )


def test_added_columns_have_literals_as_defaults() -> None:
    """Not FALSE, which DuckDB takes for a cast: see findings/duckdb-added-column-sets-an-option."""
    steps = [statement for names in opening.MIGRATIONS for name in names
             for statement in statements.load(name).values()]  # fmt: skip
    added = re.compile(r"ADD COLUMN \w+ \w+ DEFAULT (?P<default>.*?);", re.DOTALL)
    defaults = [found["default"] for step in steps for found in added.finditer(step)]
    assert len(defaults) > 5
    assert [text for text in defaults if not re.fullmatch(r"\d+|'\w*'", text)] == []
