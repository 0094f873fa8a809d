"""The rules of a job as one query over some rows, on a connection that can reach nothing else.

The connection has no file and no table but the rows that it is given, opens no file, reaches no
network and loads no extension, whatever the rules say (see also `rule_syntax`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from llmbatch.core.errors import UsageError, nearest
from llmbatch.store import query_errors, rule_syntax
from llmbatch.store.query_errors import QueryError
from llmbatch.store.rule_syntax import ParsedRule

_SETTINGS = (
    "SET enable_external_access = false; SET autoinstall_known_extensions = false;"
    "SET autoload_known_extensions = false; SET allow_community_extensions = false;"
    "SET python_enable_replacements = false; SET enable_progress_bar = false;"
    "SET memory_limit = '500MB'; SET max_temp_directory_size = '0B'; SET threads = 1;"
    "SET TimeZone = 'UTC'; SET errors_as_json = true;"
    # A group is small: to optimise its query takes longer than to run it. And no rule is computed
    # for other rows than it would be by itself.
    "PRAGMA disable_optimizer;"
    "SET lock_configuration = true;"
)
ROWS = "checked_rows"
_LONGEST = 300
_NO_COLUMN = re.compile(r'[Cc]olumn "([^"]+)" not found')
_NO_FIELD = re.compile(r'Could not find key "([^"]+)" in struct')


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule, by its place, that a row (by its place) breaks; `error`: why it could not be
    computed, None if it was and does not hold."""

    row: int
    rule: int
    error: str | None = None


def connect() -> duckdb.DuckDBPyConnection:
    """A connection for rules."""
    connection = duckdb.connect(":memory:")
    connection.execute(_SETTINGS)
    return connection


def read(rules: Sequence[tuple[str, str]]) -> list[ParsedRule]:
    """The rules (name, text), parsed. Raises UsageError that names one that cannot be used."""
    found = []
    with connect() as connection:
        aggregates = rule_syntax.aggregates(connection)
        for name, text in rules:
            try:
                found.append(rule_syntax.parsed(connection, text, aggregates))
            except (QueryError, duckdb.Error) as error:
                raise UsageError(f"check {name}: {_line(error, text)}") from error
    return found


def bind(rules: Sequence[tuple[str, str]], shape: pa.Schema) -> None:
    """Raise UsageError for a rule (name, text) that is no condition over columns of this shape."""
    with connect() as connection:
        connection.register(ROWS, shape.empty_table())
        for name, text in rules:
            try:
                ((_, kind, *_),) = connection.execute(
                    f"DESCRIBE SELECT (\n{text}\n) AS rule FROM {ROWS}"
                ).fetchall()
            except duckdb.Error as error:
                raise UsageError(f"check {name}: {_bound(error, text, shape)}") from error
            if kind not in ("BOOLEAN", '"NULL"', "NULL"):
                raise UsageError(
                    f"check {name}: is a value of type {kind}, and neither true nor false: write "
                    "a condition, such as response <> ''"
                )


class RuleQuery:
    """Rules that were parsed and bound, to be computed for one group of rows after the other."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._connection = connect()
        self._texts = texts

    def broken(self, rows: pa.Table, only: Sequence[int] | None = None) -> list[Broken]:
        """The rules, of all or of `only` these, that rows break, by row and then by rule. A rule
        that is unknown for a row (NULL), as SQL has it, is not broken."""
        places = range(len(self._texts)) if only is None else only
        try:
            found = self._at_once(rows, places)
        except duckdb.Error:
            found = [one for rule in places for one in self._apart(rows, rule, 0)]
        return sorted(found, key=lambda one: (one.row, one.rule))

    def _at_once(self, rows: pa.Table, rules: Sequence[int]) -> list[Broken]:
        chosen = ", ".join(f"(\n{self._texts[rule]}\n) AS r{rule}" for rule in rules)
        self._connection.register(ROWS, rows)
        try:
            made = self._connection.execute(f"SELECT {chosen} FROM {ROWS}").fetchnumpy()
        finally:
            self._connection.unregister(ROWS)
        return [
            Broken(row, rule)
            for rule in rules
            for row in _false(made[f"r{rule}"])
        ]  # fmt: skip

    def _apart(self, rows: pa.Table, rule: int, first: int) -> list[Broken]:
        """The same of one rule, which may fail to be computed for some rows: found by halving."""
        try:
            return [Broken(first + one.row, rule) for one in self._at_once(rows, [rule])]
        except duckdb.Error as error:
            if len(rows) == 1:
                return [Broken(first, rule, _line(error, self._texts[rule]))]
        half = len(rows) // 2
        return [
            *self._apart(rows.slice(0, half), rule, first),
            *self._apart(rows.slice(half), rule, first + half),
        ]


def _false(values: Any) -> list[int]:
    """The places of false values; numpy masks those that are NULL."""
    if values.dtype != bool:  # a column of nothing but NULL
        return []
    is_false = ~values
    if hasattr(is_false, "filled"):
        is_false = is_false.filled(False)
    places: list[int] = is_false.nonzero()[0].tolist()
    return places


def _line(error: Exception, text: str) -> str:
    """The error in one line."""
    if isinstance(error, QueryError):
        return str(error)[:_LONGEST]
    return str(query_errors.of_duckdb(error, text, None))[:_LONGEST]


def _bound(error: Exception, text: str, shape: pa.Schema) -> str:
    """The error of binding, with the nearest name where one is missing."""
    line = _line(error, text)
    if missing := _NO_COLUMN.search(line):
        return f"no column {missing[1]!r}{nearest(missing[1], shape.names)}"
    if missing := _NO_FIELD.search(line):
        names = sorted(set(_fields(shape)))
        listed = ", ".join(names[:20])
        return (
            f"no field {missing[1]!r} in the response{nearest(missing[1], names)}; it has: {listed}"
        )
    if "Cannot extract field" in line or "Cannot extract entry" in line:
        return f"{line}; of a text that holds JSON write response ->> 'key'"
    return line


def _fields(shape: Any) -> list[str]:
    """The names of the fields of all structs."""
    found = []
    for each in shape:
        kind = each.type
        while pa.types.is_list(kind):
            kind = kind.value_type
        if pa.types.is_struct(kind):
            found += [inner.name for inner in kind] + _fields(kind)
    return found
