"""The fields of the rows: their recorded order in prompts, and groups of rows by their values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pyarrow as pa

from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.core.stored import json_table
from llmbatch.store import arrow_columns, own_store
from llmbatch.store.database import Database
from llmbatch.store.statements import query

_NEWEST = "SELECT columns FROM {}.field_orders ORDER BY rowid DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """The recorded facts on which the order of fields depends.

    `order` is the newest that was recorded, if any. `answered`: there are answers, which are of no
    use with another order. `prompts`: the templates (prompt, system) of all runs.
    """

    order: tuple[str, ...] | None = None
    answered: bool = False
    prompts: frozenset[tuple[str, str | None]] = frozenset()


NO_ORDER = KnownOrder()


def known_order(db: Database) -> KnownOrder:
    """The order that the store has recorded."""
    return _read_order(db, "job")


def known_order_in(db: Database, store: Path) -> KnownOrder:
    """The order that another store has recorded. Raises LockedError while a run holds it."""
    with own_store.attached(db, store):
        return _read_order(db, "own_store")


def _read_order(db: Database, name: str) -> KnownOrder:
    answered = bool(db.scalar(f"SELECT EXISTS (FROM {name}.attempts)"))
    specs = [json_table(spec) for (spec,) in db.execute(f"SELECT spec FROM {name}.runs")]
    prompts = frozenset((spec["prompt"], spec.get("system")) for spec in specs if "prompt" in spec)
    # A store of an older version has no such table.
    known = name == "job" or db.scalar(query("has_field_orders"), [name])
    newest = db.scalar(_NEWEST.format(name)) if known else None
    return KnownOrder(tuple(orjson.loads(newest)) if newest else None, answered, prompts)


def keep(db: Database, order: Sequence[str]) -> None:
    """Record the order that the job's prompts have from now on; an empty one is the input's."""
    columns = orjson.dumps(list(order)).decode()
    if columns != db.scalar(_NEWEST.format("job")):
        db.record({"field_orders": {"columns": [columns], "chosen_at": [utc(clock.now())]}})


@dataclass(frozen=True, slots=True)
class Groups:
    """The rows by the values of some fields: how many groups there are, and by field the bytes
    that it has in one row of each."""

    count: int
    lengths: Mapping[int, int]


class FieldTable:
    """A hash and a length for each field of each row, to be grouped by."""

    def __init__(self, db: Database, names: Sequence[str]) -> None:
        self._db = db
        self._names = names

    @property
    def rows(self) -> int:
        return int(self._db.scalar("SELECT count(*) FROM field_values"))

    @property
    def totals(self) -> list[int]:
        """The bytes of each field in all rows."""
        sums = ", ".join(f"coalesce(sum(l{n}), 0)::BIGINT" for n in range(len(self._names)))
        return list(self._db.execute(f"SELECT {sums} FROM field_values")[0])

    def groups(self, fields: frozenset[int]) -> Groups:
        """Group the rows by these fields (their indices)."""
        indices = sorted(fields)
        sums = ", ".join(f"coalesce(sum(l{n}), 0)::BIGINT" for n in indices)
        lengths = ", ".join(f"any_value(l{n}) AS l{n}" for n in indices)
        keys = ", ".join(f"h{n}" for n in indices)
        grouped = f"SELECT {lengths} FROM field_values GROUP BY {keys}"
        count, *found = self._db.execute(f"SELECT count(*), {sums} FROM ({grouped})")[0]
        return Groups(count, dict(zip(indices, found, strict=True)))


@contextmanager
def table(
    db: Database, names: Sequence[str], batches: Iterable[list[list[str | None]]]
) -> Iterator[FieldTable]:
    """A table of the fields `names` of all rows; it exists inside the block.

    A batch holds a list for each field: its value in each row as JSON text, None where the row
    has no such field. The length of a field is that of its member, name and comma included.
    """
    columns = ", ".join(f"h{n} UBIGINT, l{n} UINTEGER" for n in range(len(names)))
    db.execute(f"CREATE OR REPLACE TEMP TABLE field_values ({columns})")
    # A member also has two quotes, a colon and a comma.
    extra = [len(orjson.dumps(name)) + 2 for name in names]
    parts = ", ".join(
        f"hash(f{n}), coalesce(strlen(f{n}) + {more}, 0)" for n, more in enumerate(extra)
    )
    schema = pa.schema([(f"f{n}", pa.string()) for n in range(len(names))])
    try:
        for batch in batches:
            db.insert(
                f"INSERT INTO field_values SELECT {parts} FROM batch",
                arrow_columns.typed_table(batch, schema),
            )
        yield FieldTable(db, names)
    finally:
        db.execute("DROP TABLE field_values")
