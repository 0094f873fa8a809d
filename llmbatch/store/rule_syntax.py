"""The syntax of a rule: one condition over the values of one row, and nothing beside them.

A rule is data, and may come from others. It is one expression of SQL without a query in it, so it
has nothing to read from but the columns that it is given; and of DuckDB's functions it may call
those that compute a value of their arguments alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import orjson

from llmbatch.store import query_syntax
from llmbatch.store.query_errors import QueryError, described
from llmbatch.store.query_syntax import Tree

_HEAD = "SELECT (\n"
WRAPPED = _HEAD + "{rule}\n)"
"""A rule as the one value of a query; what is no single expression does not parse so."""
_REFUSED_CLASSES = {
    "SUBQUERY": "a query within a rule is not allowed: a rule sees one row, and no table",
    "WINDOW": "a window function is not allowed: a rule sees one row at a time",
    "STAR": "* and COLUMNS are not allowed: name the columns",
    "POSITIONAL_REFERENCE": "# is not allowed: name the column",
    "PARAMETER": "a parameter ($1, ?) is not allowed: write the value",
}
# Of what is computed alike each time only: what tells of the session, its settings, the machine or
# other tables, and what has an effect.
_OUTSIDE = frozenset(
    {
        "current_catalog",
        "current_connection_id",
        "current_database",
        "current_query",
        "current_query_id",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_transaction_id",
        "current_user",
        "currval",
        "getenv",
        "getvariable",
        "in_search_path",
        "json_deserialize_sql",
        "json_execute_serialized_sql",
        "json_serialize_plan",
        "json_serialize_sql",
        "nextval",
        "session_user",
        "setseed",
        "setval",
        "sleep_ms",
        "stats",
        "txid_current",
        "user",
        "vector_type",
        "version",
        "write_log",
    }
)
_CLAUSES = (
    *("modifiers", "group_expressions", "group_sets", "where_clause", "having", "qualify"),
    "sample",
)
_MANY_ROWS = frozenset({"unnest", "generate_subscripts"})
_BY_CHANCE = frozenset({"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid"})
_BY_TIME = frozenset(
    {
        "age",
        "current_date",
        "current_localtime",
        "current_localtimestamp",
        "get_current_time",
        "get_current_timestamp",
        "now",
        "today",
        "transaction_timestamp",
    }
)
BARE = frozenset(
    {
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_user",
        "session_user",
        "user",
        "current_catalog",
        "current_schema",
        "current_role",
    }
)
"""Values that SQL has without parentheses, which the parser gives as names of columns."""


@dataclass(frozen=True, slots=True)
class ParsedRule:
    """A rule that may be run. `names`: the columns that it names, as it writes them; `perhaps`:
    names that are those of values of a lambda, or of columns of JSON before an arrow."""

    text: str
    names: tuple[str, ...]
    perhaps: tuple[str, ...]


def aggregates(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The functions that compute one value of many rows, and nothing else."""
    found = connection.execute(
        "SELECT function_name FROM duckdb_functions() GROUP BY function_name "
        "HAVING bool_and(function_type = 'aggregate')"
    ).fetchall()
    return frozenset(name for (name,) in found)


def parsed(
    connection: duckdb.DuckDBPyConnection, text: str, aggregates: frozenset[str]
) -> ParsedRule:
    """The rule of this text. Raises QueryError for what a rule may not hold."""
    query = WRAPPED.format(rule=text)
    found = connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0]
    tree: Tree = orjson.loads(found)
    if tree["error"]:
        line = described(tree, "error_message", text, -len(_HEAD.encode()))
        raise QueryError(line.replace(" of the query)", " of the rule)"))
    expression = _one_expression(tree)
    for node in query_syntax.nodes(expression):
        _check(node, aggregates)
    own = frozenset(_of_lambdas(expression))
    names = dict.fromkeys(_names(expression))
    return ParsedRule(
        text,
        tuple(name for name in names if name not in own),
        tuple(name for name in names if name in own),
    )


def _one_expression(tree: Tree) -> Tree:
    """The expression that is all of the query. Raises QueryError where there is more."""
    statements = tree["statements"]
    node = statements[0]["node"] if len(statements) == 1 else {}
    chosen = node.get("select_list", [])
    is_plain = (
        node.get("type") == "SELECT_NODE"
        and len(chosen) == 1
        and node.get("from_table", {}).get("type") == "EMPTY"
        and not node.get("cte_map", {}).get("map")
        and not any(node.get(part) for part in _CLAUSES)
    )
    if not is_plain:
        raise QueryError("write one condition, such as response.net > 0, and no statement")
    expression: Tree = chosen[0]
    return expression


def _check(node: Tree, aggregates: frozenset[str]) -> None:
    if refused := _REFUSED_CLASSES.get(str(node.get("class"))):
        raise QueryError(refused)
    if str(node.get("type", "")).endswith("_NODE"):
        raise QueryError(_REFUSED_CLASSES["SUBQUERY"])
    if node.get("class") == "FUNCTION":
        name = str(node.get("function_name", "")).lower()
        if node.get("schema") or node.get("catalog"):
            raise QueryError(f"write the function {name} by its own name: {name}(...)")
        _check_function(name, aggregates)


def _check_function(name: str, aggregates: frozenset[str]) -> None:
    if name in _BY_CHANCE:
        raise QueryError(f"the function {name} is not allowed: a rule says the same each time")
    if name in _BY_TIME:
        raise QueryError(
            f"the function {name} is not allowed: a rule says the same each time; write the date, "
            "such as DATE '2026-01-31'"
        )
    if name in _OUTSIDE or name.startswith(("pg_", "has_", "duckdb_")):
        raise QueryError(f"the function {name} is not allowed: a rule reads nothing but the row")
    if name in _MANY_ROWS or name in aggregates:
        raise QueryError(
            f"the function {name} is not allowed: a rule sees one row; for a list there are "
            "list_sum, list_max, list_filter and others"
        )


def _of_lambdas(expression: Tree) -> Iterator[str]:
    """The names to the left of arrows, of lambdas or of JSON."""
    for node in query_syntax.nodes(expression):
        if node.get("class") == "LAMBDA":
            yield from _names(node.get("lhs"))


def _names(part: Any) -> Iterator[str]:
    for node in query_syntax.nodes(part):
        if node.get("class") == "COLUMN_REF":
            yield str(node["column_names"][0])
