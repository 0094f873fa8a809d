"""The syntax of a user's query: what it may hold, and the order of its rows.

A query is data, and may come from others: it reads files and attached databases, and does nothing
else. What may be in it is named here, node by node of its syntax tree: DuckDB also counts as a
SELECT what writes a file in a common table expression.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson

from llmbatch.store.query_errors import QueryError, described

_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
# Functions that make tables; those that read files read local ones, no extension is loaded.
_TABLE_FUNCTIONS = frozenset(
    {
        "read_csv",
        "read_csv_auto",
        "sniff_csv",
        "read_parquet",
        "parquet_scan",
        "parquet_schema",
        "parquet_metadata",
        "parquet_file_metadata",
        "parquet_kv_metadata",
        "read_json",
        "read_json_auto",
        "read_json_objects",
        "read_json_objects_auto",
        "read_ndjson",
        "read_ndjson_auto",
        "read_ndjson_objects",
        "read_text",
        "read_blob",
        "read_duckdb",
        "glob",
        "range",
        "generate_series",
        "unnest",
        "repeat",
        "repeat_row",
        "json_each",
        "json_tree",
        "generate_subscripts",
    }
)
# Functions that do more than to compute a value.
_EFFECTS = frozenset({"write_log", "nextval", "setval", "getenv", "json_execute_serialized_sql"})
_LIMITS = frozenset({"LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"})
_ORDER = "ORDER_MODIFIER"

Tree = dict[str, Any]


def parsed(connection: duckdb.DuckDBPyConnection, text: str) -> Tree:
    """The syntax tree of one SELECT. Raises QueryError for what a query may not hold."""
    found = connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
    tree: Tree = orjson.loads(found)
    if tree["error"]:
        raise QueryError(described(tree, "error_message", text, 0))
    _check(tree)
    return tree


def _check(tree: Tree) -> None:
    for node in nodes(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _NODES:
            what = kind.removesuffix("_NODE").removesuffix("_QUERY")
            raise QueryError(f"{what} is not allowed: a query only reads")
        if kind == "TABLE_FUNCTION":
            name = _function(node["function"])
            if name not in _TABLE_FUNCTIONS:
                raise QueryError(f"the table function {name} is not allowed: a query only reads")
        elif kind == "FUNCTION" and _function(node) in _EFFECTS:
            raise QueryError(f"the function {_function(node)} is not allowed: a query only reads")


def _function(node: Mapping[str, Any]) -> str:
    return str(node.get("function_name", "")).lower()


def nodes(value: Any) -> Iterator[Tree]:
    """All objects of a tree."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def check_paths(tree: Tree, folder: str, closed: Sequence[str]) -> None:
    """Raise QueryError for a file that lies in one of the `closed` folders."""
    for node in nodes(tree):
        for text in (node.get("table_name"), _constant(node)):
            if isinstance(text, str) and is_in(Path(folder, text), closed):
                raise QueryError(f"{text}: lies in the job's own state folder, which a run writes")


def _constant(node: Tree) -> Any:
    """The value of a constant; versions of DuckDB have it in different places."""
    for key, within in (("literal", "text"), ("value", "value")):
        if isinstance(held := node.get(key), dict):
            return held.get(within)
    return None


def is_in(path: Path, folders: Sequence[str]) -> bool:
    """True if a file lies in one of these folders, or is one of them."""
    try:
        real = path.resolve()
    except (OSError, ValueError):  # no name of a file
        return False
    return any(real.is_relative_to(Path(folder).resolve()) for folder in folders)


def tables(tree: Tree) -> set[tuple[str, str]]:
    """The tables that are named together with their database, both in lower case."""
    named = set()
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            owners = {node.get("catalog_name"), node.get("schema_name")} - {"", None}
            named |= {(str(owner).lower(), str(node["table_name"]).lower()) for owner in owners}
    return named


def has_order(tree: Tree) -> bool:
    """True if the rows have an order of the query's own."""
    return any(modifier["type"] == _ORDER for modifier in _modifiers(tree))


_CHANGING = frozenset(
    {
        "random",
        "uuid",
        "uuidv4",
        "uuidv7",
        "gen_random_uuid",
        "now",
        "get_current_timestamp",
        "get_current_time",
        "transaction_timestamp",
        "current_date",
        "current_localtimestamp",
        "current_localtime",
        "today",
    }
)


def notes(tree: Tree, id_column: str | None) -> list[str]:
    """The lines that tell a user of the rows of a query what they do not show."""
    found = []
    if not has_order(tree):
        by = f"the column {id_column}" if id_column else "all columns, one after the other"
        found.append(f"no ORDER BY: its rows are in the order of {by}")
    named = {_function(node) for node in nodes(tree) if node.get("type") == "FUNCTION"}
    if changing := sorted(named & _CHANGING):
        found.append(f"{', '.join(changing)}: other rows each time, which are computed anew")
    if any(isinstance(one := node.get("sample"), dict) and not one.get("repeatable")
           for node in nodes(tree)):  # fmt: skip
        found.append("a sample is drawn anew each time: add REPEATABLE (1) to keep its rows")
    return found


def _modifiers(tree: Tree) -> list[Tree]:
    found: list[Tree] = tree["statements"][0]["node"]["modifiers"]
    return found


def ordered(
    connection: duckdb.DuckDBPyConnection, tree: Tree, text: str, positions: Sequence[int]
) -> str:
    """The query with its rows in an order that is the same each time: its own, and among equals
    that of the columns at these positions (from 1). A limit takes the first rows of that order."""
    order = ", ".join(map(str, positions))
    wrapped = f"SELECT * FROM (\n{text}\n) ORDER BY {order}"
    modifiers = _modifiers(tree)
    if not any(modifier["type"] in _LIMITS | {_ORDER} for modifier in modifiers):
        return wrapped
    helper = parsed(connection, f"SELECT 1 ORDER BY {order}")
    added = _modifiers(helper)[0]
    own = next((modifier for modifier in modifiers if modifier["type"] == _ORDER), None)
    if own is None:
        at = sum(modifier["type"] == "DISTINCT_MODIFIER" for modifier in modifiers)
        modifiers.insert(at, added)
    elif not any(entry["expression"]["class"] == "STAR" for entry in own["orders"]):
        own["orders"] += added["orders"]
    made = connection.execute(
        "SELECT json_deserialize_sql(?)", [orjson.dumps(tree).decode()]
    ).fetchall()
    return str(made[0][0])
