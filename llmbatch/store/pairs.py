"""The answers of two sides in a database of their own, where their rows are matched and compared.

It lies in memory as far as that may go, and else in a temporary folder, so that millions of rows
can be compared.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from llmbatch.store import arrow_columns, statements
from llmbatch.store.database import Database

_SETTINGS = (
    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
    "SET enable_progress_bar = false; SET memory_limit = '500MB'; SET threads = 2;"
    "SET preserve_insertion_order = true;"
)
_LOCK = "SET enable_external_access = false; SET lock_configuration = true;"
_WINDOW = 20_000
_SHAPE = pa.schema(
    [
        ("side", pa.int64()),
        ("place", pa.int64()),
        ("name", pa.string()),
        ("data", pa.string()),
        ("state", pa.string()),
        ("kind", pa.string()),
        ("answer", pa.string()),
        ("fields", pa.string()),
    ]
)
BY_PLACE = "place"
"""In place of columns: rows are matched by their places."""


class ComparedRow(NamedTuple):
    """A row of a side. `data`: its input; `answer`: all of its answer in the form by which it is
    compared; `fields`: its parts, a JSON object."""

    place: int
    name: str
    data: str
    state: str
    kind: str | None
    answer: str | None
    fields: str | None


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """`matched`: pairs of rows, `other_input` of them with another input, and `ambiguous` ones that
    only the order of rows with one identity has chosen; `only_a`, `only_b`: rows of one side."""

    matched: int
    only_a: int
    only_b: int
    ambiguous: int
    other_input: int


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """Pairs with the same input that are answered on both sides (`compared`), those of them with
    another answer (`changed`), and those of another input with another answer; pairs that only the
    one side answered, while the other failed."""

    compared: int
    changed: int
    changed_of_other_input: int
    newly_failed: int
    newly_answered: int
    failed_in_both: int


@dataclass(frozen=True, slots=True)
class KindCount:
    """The failed rows of a kind on each side."""

    kind: str
    a_rows: int
    b_rows: int


@dataclass(frozen=True, slots=True)
class FieldInAll:
    """The values of a field in the compared pairs: how many pairs, those with another value, the
    different values of each side, values that are no numbers, and values at all."""

    rows: int
    changed: int
    a_kinds: int
    b_kinds: int
    no_numbers: int
    filled: int


class Move(NamedTuple):
    """Pairs whose field has these values, JSON texts, on the two sides."""

    a: str
    b: str
    rows: int


class SideValue(NamedTuple):
    """The answered rows of each side that have a value, a JSON text."""

    value: str
    a_rows: int
    b_rows: int


@dataclass(frozen=True, slots=True)
class ChangedPair:
    """A pair with another answer, or another state. The answers are None where there is none."""

    pair: int
    name: str
    data: str
    a_state: str
    a_answer: str | None
    b_state: str
    b_answer: str | None
    same_input: bool


@dataclass(frozen=True, slots=True)
class RightCounts:
    """Pairs with a right answer that is known: those that are right on each side, and those that
    are right on one side alone."""

    rows: int
    a_right: int
    b_right: int
    only_a: int
    only_b: int


@contextmanager
def opened() -> Iterator["Pairs"]:
    """A new comparison, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="llmbatch-compare-") as folder:
        connection = duckdb.connect(":memory:")
        connection.execute(_SETTINGS)
        connection.execute("SET temp_directory = ?", [folder])
        connection.execute(_LOCK)
        with Database(connection, Path("the comparison")) as db:
            for name in ("answers", "right_rows"):
                db.execute(_query(name))
            yield Pairs(db)


class Pairs:
    """The rows of two sides: added, then matched, then looked at."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, side: int, windows: Iterable[Sequence[ComparedRow]]) -> None:
        """Add the rows of side 0 or 1."""
        for window in windows:
            columns = [[side] * len(window), *map(list, zip(*window, strict=True))]
            self._db.insert(_query("add"), arrow_columns.typed_table(columns, _SHAPE))

    def match(self, by: Sequence[str] | str, shared: Sequence[str]) -> MatchCounts:
        """Match the rows by the values of these columns, or BY_PLACE. `shared`: the input columns
        that both sides have."""
        match = "CAST(place AS VARCHAR)" if isinstance(by, str) else _values(by)
        self._db.execute(_query("identify").format(match=match, input=_values(shared)))
        for name in ("count_matches", "several", "equal", "others", "matched", "pairs"):
            self._db.execute(_query(name))
        return self._db.values(MatchCounts, _query("match_counts"))[0]

    def match_counts(self) -> MatchCounts:
        """The counts of the pairs."""
        return self._db.values(MatchCounts, _query("match_counts"))[0]

    def answer_counts(self) -> AnswerCounts:
        """The counts of their answers."""
        return self._db.values(AnswerCounts, _query("answer_counts"))[0]

    def states(self, side: int) -> dict[str, int]:
        """The rows of a side by state."""
        found = self._db.execute(_query("state_counts"))
        return {state: rows for of, state, rows in found if of == side}

    def failures(self) -> list[KindCount]:
        """The failed rows by kind, that of most rows first."""
        return self._db.values(KindCount, _query("failure_kinds"))

    def fields(self, most: int) -> list[str]:
        """The fields of the answers, as they are first met."""
        return [name for (name,) in self._db.execute(_query("field_names"), {"most": most})]

    def take_field(self, name: str) -> FieldInAll:
        """Take a field of the compared pairs, for the methods below."""
        self._db.execute(_query("take_field"), {"pointer": _pointer(name)})
        return self._db.values(FieldInAll, _query("field_in_all"))[0]

    def changed_values(self) -> Iterator[tuple[str | None, str | None]]:
        """The values, JSON texts, of the pairs where they differ."""
        after = 0
        while found := self._db.execute(_query("field_window"), {"after": after, "most": _WINDOW}):
            yield from ((a, b) for _, a, b in found)
            after = found[-1][0]

    def sampled_values(self, most: int) -> list[tuple[str, str]]:
        """Those of `most` such pairs that have both, chosen by a digest of their number."""
        return [(a, b) for a, b in self._db.execute(_query("field_sample"), {"most": most})]

    def moves(self) -> list[Move]:
        """The pairs by their two values, those of most first."""
        return [Move(*found) for found in self._db.execute(_query("field_moves"))]

    def numbers(self) -> tuple[Any, Any]:
        """The values of pairs that are numbers on both sides, two arrays."""
        table = self._db.arrow(_query("field_numbers"))
        a, b = (table.column(name).to_numpy() for name in ("a", "b"))
        return a, b

    def side_values(self, name: str, most: int) -> list[SideValue]:
        """The values of a field in all answered rows, `most` at most."""
        given = {"pointer": _pointer(name), "most": most}
        return [SideValue(*found) for found in self._db.execute(_query("side_values"), given)]

    def changed_vectors(self) -> Iterator[list[tuple[int, str, str]]]:
        """(pair, answer, answer) of the compared pairs whose vectors differ in any bit."""
        after = 0
        while found := self._db.execute(_query("vector_window"), {"after": after, "most": 1_000}):
            yield [(pair, a, b) for pair, a, b in found]
            after = found[-1][0]

    def count_as_unchanged(self, pairs: Sequence[int]) -> None:
        """Let the answers of these pairs be the same."""
        if pairs:
            self._db.insert(_query("mark_unchanged"), arrow_columns.table({"pair": pairs}))

    def changed(self) -> Iterator[ChangedPair]:
        """The pairs with another answer or another state, in the order of side 1."""
        after = 0
        while found := self._db.execute(
            _query("changed_window"), {"after": after, "most": _WINDOW}
        ):
            for pair, name, data, a_state, _, a, b_state, _, b, same in found:
                yield ChangedPair(pair, name, data, a_state, a, b_state, b, same)
            after = found[-1][0]

    def add_right(self, side: int, places: Sequence[int], is_right: Sequence[bool]) -> None:
        """Add which rows of a side are right."""
        if places:
            columns = {"side": [side] * len(places), "place": places, "is_right": is_right}
            self._db.insert(_query("add_right"), arrow_columns.table(columns))

    def right_counts(self) -> RightCounts:
        """The pairs whose right answer is known, by the sides that have it."""
        return self._db.values(RightCounts, _query("right_counts"))[0]


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _values(columns: Sequence[str]) -> str:
    """SQL of one text of the values of these columns, whatever the types in a file of texts are."""
    if not columns:
        return "''"
    each = ", ".join("'" + _pointer(name).replace("'", "''") + "'" for name in columns)
    return f"CAST(json_extract_string(data, [{each}]) AS VARCHAR)"


def _query(name: str) -> str:
    return statements.load("pairs.sql")[name]
