"""Editions: what the last runs that came to their end have published, and what has changed since.

An edition is a digest of every row, of its answer and of the input that it was made of, so that it
can be compared with although the input and the plan were replaced, the output was moved away, or
the answers were forgotten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.store import arrow_columns, long_texts, snapshots, statements
from llmbatch.store.database import Database
from llmbatch.store.snapshots import Snapshot

_STEP = 1_000_000
_LONG_ROWS = 200
# The newest one, and the one before it.
_KEPT = 2
_ANSWERS = {
    "text": "answer",
    # Properties stand in the order of the schema: only the white space may differ.
    "json": "CASE WHEN json_valid(answer) THEN CAST(json(answer) AS VARCHAR) ELSE answer END",
    "label": "json_extract_string(answer, '/response')",
    "score": "printf('%.6g', CAST(json_extract_string(answer, '/response') AS DOUBLE))",
}
AnswerKind = Literal["text", "json", "label", "score"]


@dataclass(frozen=True, slots=True)
class Edition:
    """The rows that a run left. `stamp`: see the table; `columns`: those that the prompt used."""

    edition: int
    run: int
    kept_at: datetime
    stamp: str
    id_column: str | None
    columns: list[str]


@dataclass(frozen=True, slots=True)
class RowChanges:
    """The rows of now against those of an edition.

    Of the rows that both have, `changed_input_rows` have another input, as far as the prompt uses
    it, and `same_input_rows` the same. Of these, `compared_rows` are answered on both sides,
    `changed_answers` of them otherwise; `newly_failed` were answered, `newly_answered` had failed.
    """

    new_rows: int
    gone_rows: int
    changed_input_rows: int
    same_input_rows: int
    compared_rows: int
    changed_answers: int
    newly_failed: int
    newly_answered: int


@dataclass(frozen=True, slots=True)
class FieldValue:
    """The rows that have a value in a field of their answers (None: all of an answer)."""

    field: str | None
    value: str
    rows: int


def stamp(db: Database) -> str:
    """A name for all that rows and answers are now."""
    return str(db.scalar(_query("stamp")))


def kept(db: Database) -> list[Edition]:
    """The editions that are kept, the newest first."""
    found = db.mappings(_query("newest_editions"))
    return [Edition(**record | {"columns": orjson.loads(record["columns"])}) for record in found]


def take(db: Database, columns: Sequence[str], kind: AnswerKind) -> None:
    """Take the rows of now, for the functions below. `columns`: those that the prompt uses;
    `kind`: of the answers."""
    snapshot = snapshots.newest(db)
    assert snapshot is not None, "a run that came to its end has read its input"
    db.execute(_query("stage_present"))
    _stage_long(db)
    wanted = _input(columns, snapshot)
    statement = _query("stage_present_part").format(input=wanted, answer=_ANSWERS[kind])
    has_ids = snapshot.source.id_column is not None
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows"))
    for first in range(1, end + 1, _STEP):
        window = {"first": first, "last": first + _STEP - 1, "has_ids": has_ids}
        db.execute(statement, window)


def _input(columns: Sequence[str], snapshot: Snapshot) -> str:
    """SQL of the text of the input that a prompt with these columns uses."""
    if set(columns) >= set(snapshot.source.columns):
        return "data"
    return f"CAST(json_extract(data, [{_pointers(columns)}]) AS VARCHAR)"


def plan_as(db: Database, edition: Edition) -> None:
    """Let this connection see the rows of now with the requests that answered them in an edition;
    those that it does not have with the same input have none."""
    snapshot = snapshots.newest(db)
    assert snapshot is not None, "an edition is of an input"
    _stage_long(db)
    has_id = snapshot.source.id_column is not None
    has_id = has_id and snapshot.source.id_column == edition.id_column
    statement = _query("stage_former_keys").format(
        edition=edition.edition,
        input=_input(edition.columns, snapshot),
        same_id=" AND former.id = present.id" if has_id else "",
    )
    db.execute(statement)
    db.execute(_query("former_plan"))


def _pointers(columns: Sequence[str]) -> str:
    """SQL literals of JSON pointers to columns; without any, one that finds all."""
    pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in columns]
    return ", ".join("'" + pointer.replace("'", "''") + "'" for pointer in pointers or [""])


def _stage_long(db: Database) -> None:
    """The digests of the rows of which the table has only a part."""
    db.execute(_query("stage_long_digests"))
    after = 0
    while found := db.execute(_query("long_rows"), {"after": after, "most": _LONG_ROWS}):
        digests = [
            long_texts.digest_of(snapshots.whole(db, data, *place)) for _, data, *place in found
        ]
        rows = [row for row, *_ in found]
        db.insert(
            _query("stage_long_digest"), arrow_columns.table({"row": rows, "digest": digests})
        )
        after = rows[-1]


def compare(db: Database, before: Edition, columns: Sequence[str]) -> RowChanges:
    """The rows that were taken against those of an edition. They are matched by their ids, where
    both have the same id column, and else by their input: `columns` of it, if the prompt used the
    same before, or all."""
    snapshot = snapshots.newest(db)
    id_column = snapshot.source.id_column if snapshot else None
    same = "input" if list(columns) == before.columns else "data"
    if id_column is not None and id_column == before.id_column:
        changed = f"before.{same} <> present_rows.{same}"
        statement = _query("changes_by_id").format(is_changed=changed)
    else:
        statement = _query("changes_by_content").format(name=same)
    (found,) = db.values(RowChanges, statement, {"edition": before.edition})
    return found


def size(db: Database, edition: Edition) -> tuple[int, int]:
    """The rows of an edition, and those of them that are answered."""
    ((rows, answered),) = db.execute(_query("edition_size"), {"edition": edition.edition})
    return rows, answered


def values(db: Database, edition: Edition) -> list[FieldValue]:
    """The values of labels that the rows of an edition had."""
    return db.values(FieldValue, _query("published_values"), {"edition": edition.edition})


def keep(
    db: Database, run: int, columns: Sequence[str], found: Sequence[FieldValue], changes: str | None
) -> None:
    """Make what was taken the newest edition, with its values of labels, and `changes` (JSON) what
    this run changed."""
    newest = kept(db)
    snapshot = snapshots.newest(db)
    edition = newest[0].edition + 1 if newest else 1
    table = arrow_columns.table(
        {
            "field": [each.field for each in found],
            "value": [each.value for each in found],
            "rows": [each.rows for each in found],
        }
    )
    record = {
        "edition": edition,
        "run": run,
        "kept_at": utc(clock.now()),
        "stamp": stamp(db),
        "id_column": snapshot.source.id_column if snapshot else None,
        "columns": orjson.dumps(list(columns)).decode(),
    }
    with db.transaction():
        for name in ("forget_rows", "forget_values", "forget_editions"):
            db.execute(_query(name), {"first": edition - _KEPT + 1})
        db.execute(_query("keep_rows"), {"edition": edition})
        if found:
            db.insert(_query("keep_values"), table, {"edition": edition})
        db.execute(_query("keep_edition"), record)
        _keep_changes(db, run, changes)


def keep_changes(db: Database, run: int, changes: str) -> None:
    """Make `changes` (JSON) what this run changed; the newest edition stays."""
    with db.transaction():
        _keep_changes(db, run, changes)


def _keep_changes(db: Database, run: int, changes: str | None) -> None:
    db.execute(_query("forget_changes"))
    if changes is not None:
        db.execute(_query("keep_changes"), {"run": run, "found": changes})


def changes_of(db: Database, run: int) -> str | None:
    """The changes of a run, as JSON; None where it had nothing to compare with, or is not the last
    one that came to its end."""
    found = db.scalar(_query("changes_of_run"), {"run": run})
    return None if found is None else str(found)


def _query(name: str) -> str:
    return statements.load("editions.sql")[name]
