"""A connection for a user's query: it can write nothing, reaches no network, loads no extension.

Databases are attached for reading. Tables of SQLite are copied by Python's own library: DuckDB
would have to fetch an extension for it.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow as pa

from llmbatch.store.query_errors import QueryError

_SETTINGS = (
    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
    "SET allow_community_extensions = false; SET allow_persistent_secrets = false;"
    "SET python_enable_replacements = false; SET enable_progress_bar = false;"
    # The same rows everywhere, whatever the zone of the machine.
    "SET TimeZone = 'UTC'; SET threads = 2; SET errors_as_json = true;"
)
_ATTACH = re.compile(
    r"""\s*ATTACH\s+(?:DATABASE\s+)?(?:IF\s+NOT\s+EXISTS\s+)?'((?:[^']|'')+)'
    (?:\s+AS\s+("(?:[^"]|"")+"|\w+))?\s*(?:\(([^()']*)\))?\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_OPTIONS = frozenset({"READ_ONLY", "READ_ONLY TRUE", "READ_ONLY 1", "TYPE DUCKDB", "TYPE SQLITE"})
_SQLITE = b"SQLite format 3\0"
_COPIED_ROWS = 5_000
# By the names of the kinds of values in a column of SQLite, NULL aside.
_TYPES = {
    ("integer",): "BIGINT",
    ("real",): "DOUBLE",
    ("integer", "real"): "DOUBLE",
    ("text",): "VARCHAR",
    ("blob",): "BLOB",
}
_ARROW = {"BIGINT": pa.int64(), "DOUBLE": pa.float64(), "VARCHAR": pa.string(), "BLOB": pa.binary()}


def connect(memory: str, temporary: str) -> duckdb.DuckDBPyConnection:
    """A connection with no database; the folder `temporary` takes what does not fit in `memory`."""
    connection = duckdb.connect(":memory:")
    connection.execute(_SETTINGS)
    connection.execute("SET memory_limit = ?", [memory])
    connection.execute("SET temp_directory = ?", [temporary])
    return connection


def statements(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[list[str], str]:
    """The ATTACH statements of a text, and the one SELECT after them. Raises QueryError for any
    other statement."""
    found = [
        (str(one.type).rpartition(".")[2], one.query.strip())
        for one in connection.extract_statements(text)
    ]
    for kind, query in found:
        if kind not in ("ATTACH", "SELECT"):
            what = query.partition(" ")[0].upper() or "this statement"
            raise QueryError(f"{what} is not allowed: a query only reads (SELECT, after ATTACH)")
    kinds = [kind for kind, _ in found]
    if kinds.count("SELECT") != 1 or kinds[-1] != "SELECT":
        raise QueryError("write one SELECT, after ATTACH statements if it needs some")
    return [query for _, query in found[:-1]], found[-1][1].rstrip().rstrip(";")


def attach(
    connection: duckdb.DuckDBPyConnection,
    statement: str,
    folder: str,
    wanted: Iterable[tuple[str, str]],
) -> str:
    """Attach what an ATTACH statement names, for reading; returns the path of the file. `folder`:
    where its relative path begins; `wanted`: the databases and tables of which SQLite's are
    copied."""
    path, name = attachment(statement, folder)
    with Path(path).open("rb") as stream:
        is_sqlite = stream.read(len(_SQLITE)) == _SQLITE
    if is_sqlite:
        alias = name.strip('"').lower()
        tables = {table for owner, table in wanted if owner == alias}
        _copy(connection, path, name, tables)
    else:
        connection.execute(f"ATTACH {_text(path)} AS {name} (READ_ONLY)")
    return path


def attachment(statement: str, folder: str) -> tuple[str, str]:
    """The path of the file and the name of the database that an ATTACH statement names."""
    found = _ATTACH.fullmatch(statement)
    if not found:
        raise QueryError("write ATTACH 'file' AS name")
    given, name, options = found[1].replace("''", "'"), found[2], found[3] or ""
    for option in filter(None, map(str.strip, options.split(","))):
        if " ".join(option.upper().split()) not in _OPTIONS:
            raise QueryError(f"ATTACH ({option}) is not allowed: a query only reads")
    path = Path(folder, given)
    if not path.is_file():
        raise QueryError(f"ATTACH {given}: no such file")
    return str(path.resolve()), name or _name(path.stem)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _copy(
    connection: duckdb.DuckDBPyConnection, path: str, name: str, wanted: Iterable[str]
) -> None:
    """Copy the wanted tables of a file of SQLite."""
    connection.execute(f"ATTACH ':memory:' AS {name}")
    try:
        with closing(sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)) as source:
            there = source.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            ).fetchall()
            for (table,) in there:
                if table.lower() in wanted:
                    _copy_table(connection, source, name, table)
    except sqlite3.Error as error:
        raise QueryError(f"{path}: cannot be read by SQLite: {error}") from error


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _copy_table(
    connection: duckdb.DuckDBPyConnection, source: sqlite3.Connection, name: str, table: str
) -> None:
    declared = source.execute(f"PRAGMA table_info({_name(table)})").fetchall()
    columns = {_name(column[1]): _type(source, table, column[1], column[2]) for column in declared}
    target = f"{name}.main.{_name(table)}"
    shape = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE {target} ({shape})")
    chosen = ", ".join(
        f"CAST({column} AS TEXT)" if kind == "VARCHAR" else column
        for column, kind in columns.items()
    )
    rows = source.execute(f"SELECT {chosen} FROM {_name(table)}")
    while found := rows.fetchmany(_COPIED_ROWS):
        _insert(connection, target, list(columns.values()), found)


def _insert(
    connection: duckdb.DuckDBPyConnection,
    target: str,
    kinds: Sequence[str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    arrays = [
        pa.array(values, type=_ARROW[kind])
        for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)
    ]
    batch = pa.Table.from_arrays(arrays, names=[f"c{index}" for index in range(len(arrays))])
    connection.register("llmbatch_batch", batch)
    connection.execute(f"INSERT INTO {target} SELECT * FROM llmbatch_batch")
    connection.unregister("llmbatch_batch")


def _type(source: sqlite3.Connection, table: str, column: str, declared: str) -> str:
    """The type of the values of a column of SQLite, in which each value has one of its own. Values
    of several types are text, and so are integers beside fractions that a float would change."""
    named = _name(column)
    found = source.execute(
        f"SELECT typeof({named}), max(abs({named})) FROM {_name(table)} "
        f"WHERE {named} IS NOT NULL GROUP BY 1"
    ).fetchall()
    kinds = tuple(sorted(kind for kind, _ in found))
    if kinds == ("integer", "real") and dict(found)["integer"] > 2**53:
        return "VARCHAR"
    if not kinds:
        return "BIGINT" if "INT" in declared.upper() else "VARCHAR"
    return _TYPES.get(kinds, "VARCHAR")
