"""The profiles of the inputs of a job's runs: taken of the rows in the store, and kept."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.core.errors import LockedError
from llmbatch.core.stored import json_table
from llmbatch.store import own_store, statements
from llmbatch.store.database import Database

# Characters of a value that are looked at.
_MOST_CHARACTERS = 2_000
# Bytes of the rows whose values are taken at a time, all of them or one: while DuckDB parses their
# JSON it holds it several times over, 2,048 rows for each thread, and can spill none of it.
_ALL_BYTES = 8_000_000
_FEW_BYTES = 32_000_000
# Bytes of the values that are held at a time, and of one beside its text.
_HELD_BYTES = 100_000_000
_VALUE_BYTES = 30


@dataclass(frozen=True, slots=True)
class KeptProfile:
    """The profile of an input that a run had, and what was found when it was compared, both as
    JSON. `digest` names its content, `scope` the choice of its rows."""

    taken_at: datetime
    digest: str
    scope: str
    profile: Mapping[str, Any]
    drift: Mapping[str, Any]


def kept(db: Database, store: str = "job") -> list[KeptProfile]:
    """Those in the store that is attached as `store`, the oldest first."""
    # Only the store of another job may be of an older version.
    if store != "job" and not db.scalar(_query("has_profiles"), {"store": store}):
        return []
    found = db.reread(_query("kept_profiles").format(store=store))
    return [
        KeptProfile(at, digest, scope, json_table(profile), json_table(drift))
        for at, digest, scope, profile, drift in map(dict.values, found)
    ]


def kept_in(db: Database, store: Path) -> list[KeptProfile]:
    """Those of another store; none where there is no store, and while a run holds it."""
    if store.is_file():
        with suppress(LockedError), own_store.attached(db, store):
            return kept(db, "own_store")
    return []


def keep(
    db: Database, digest: str, scope: str, profile: Mapping[str, Any], drift: Mapping[str, Any]
) -> None:
    """Keep the profile of an input that a run has, and what was found."""
    record = {
        "taken_at": utc(clock.now()),
        "digest": digest,
        "scope": scope,
        "profile": orjson.dumps(profile).decode(),
        "drift": orjson.dumps(drift).decode(),
    }
    db.record({"input_profiles": {name: [value] for name, value in record.items()}})


class RowFigures:
    """Figures of the rows in the store, by the place of a column among `columns`. One of `every`
    so many rows is looked at. Figures are those of the columns that are held (`hold`), as long as
    this context manager is open.

    The rows may not be committed yet, so their own connection reads them. A second one holds the
    values: within a transaction DuckDB would keep those that were let go of until its end.
    """

    def __init__(self, db: Database, columns: Sequence[str], every: int) -> None:
        self._rows = db
        self._values = db.cursor()
        self._pointers = [_pointer(name) for name in columns]
        self._every = every
        self._held: list[int] = []
        # First and last row of a part of the rows, and its bytes.
        self._sizes: list[tuple[int, int, int]] = []

    def __enter__(self) -> "RowFigures":
        self._sizes = [
            (first, last, size) for first, last, size in self._rows.execute(_query("row_sizes"))
        ]
        return self

    def __exit__(self, *exc: object) -> None:
        self._values.close()

    def parts(self) -> list[list[int]]:
        """All columns, in parts that can be held at a time: the wider the rows, the more."""
        places = list(range(len(self._pointers)))
        values = len(places) * (self._sizes[-1][1] if self._sizes else 0)
        whole = sum(size for _, _, size in self._sizes) + values * _VALUE_BYTES
        parts = max(1, math.ceil(whole / self._every / _HELD_BYTES))
        each = max(1, math.ceil(len(places) / parts))
        return [places[first : first + each] for first in places[::each]]

    def hold(self, places: Sequence[int]) -> None:
        """Hold the values of these columns, and let go of others, unless these are held already."""
        if self._held and set(places) <= set(self._held):
            return
        self._held = list(places)
        self._values.execute(_query("profile_values"))
        pointers = [self._pointers[place] for place in places]
        staged = {"places": self._held, "pointers": pointers, "every": self._every}
        for window in self._windows(_ALL_BYTES * self._every):
            more = {"most": _MOST_CHARACTERS}
            batch = self._rows.arrow(_query("row_values"), staged | window | more)
            self._values.fill("profile_values", batch)

    def let_go(self) -> None:
        """Hold no values."""
        self._held = []
        self._values.execute(_query("drop_values"))

    def counts(self) -> list[dict[str, int]]:
        """Of each column: rows, nulls, blanks, ..."""
        return self._values.mappings(_query("column_counts"))

    def lengths(self) -> dict[int, dict[str, int]]:
        """The rows by class of length."""
        return self._by_place("column_lengths")

    def amounts(self) -> dict[int, dict[str, int]]:
        """The rows by class of number."""
        return self._by_place("column_amounts")

    def values(self, places: Sequence[int], kept: int, most: int) -> dict[int, dict[str, int]]:
        """The rows by value, of the most frequent ones; `most`: characters of a value."""
        which = {"places": list(places), "kept": kept, "most": most}
        return self._by_place("column_values", which)

    def words(self, places: Sequence[int], kept: int, every: int) -> dict[int, dict[str, int]]:
        """The rows that have a word, of the most frequent words, in one of `every` so many."""
        which = {"places": list(places), "kept": kept, "every": every}
        return self._by_place("column_words", which)

    def rows_with_words(self, places: Sequence[int], every: int) -> dict[int, int]:
        """The rows in which words were looked for."""
        which = {"places": list(places), "every": every}
        return dict(self._values.execute(_query("rows_with_words"), which))

    def texts(self, place: int, least: int, most: int) -> list[str]:
        """Some of the values, of at least so many characters."""
        which = {"place": place, "least": least, "most": most}
        return [text for (text,) in self._values.execute(_query("column_texts"), which)]

    def repeated(self, places: Sequence[int], every: int) -> dict[int, tuple[int, int]]:
        """Rows, and those of them whose value an earlier one has, of each of these columns: of all
        rows with some of the values, one of `every` so many."""
        pointers = [self._pointers[place] for place in places]
        which = {"places": list(places), "pointers": pointers, "every": every}
        self._values.execute(_query("profile_hashes"))
        for window in self._windows(_FEW_BYTES):
            batch = self._rows.arrow(_query("row_hashes"), which | window)
            self._values.fill("profile_hashes", batch)
        found = self._values.execute(_query("repeated_values"))
        self._values.execute(_query("drop_hashes"))
        return {place: (rows, repeated) for place, rows, repeated in found}

    def _windows(self, most: int) -> Iterator[dict[str, int]]:
        """The first and last rows of windows of about so many bytes."""
        first, held = None, 0
        for begin, end, size in self._sizes:
            first, held = begin if first is None else first, held + size
            if held >= most:
                yield {"first": first, "last": end}
                first, held = None, 0
        if first is not None:
            yield {"first": first, "last": self._sizes[-1][1]}

    def _by_place(
        self, name: str, parameters: Mapping[str, Any] | None = None
    ) -> dict[int, dict[str, int]]:
        found: dict[int, dict[str, int]] = {}
        for place, key, rows in self._values.execute(_query(name), parameters or ()):
            held = found.setdefault(place, {})
            held[str(key)] = held.get(str(key), 0) + rows
        return found


def _pointer(column: str) -> str:
    """The JSON pointer to a column (RFC 6901)."""
    return "/" + column.replace("~", "~0").replace("/", "~1")


def _query(name: str) -> str:
    return statements.load("input_profiles.sql")[name]
