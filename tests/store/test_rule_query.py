"""A rule sees the values of one row, and nothing beside them."""

import duckdb
import pyarrow as pa
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.store import rule_query, rule_syntax
from llmbatch.store.query_errors import QueryError
from llmbatch.store.rule_query import Broken, RuleQuery

NUMBER = pa.decimal128(38, 9)
RESPONSE = pa.struct(
    [
        pa.field("net", NUMBER),
        pa.field("id", pa.string()),
        pa.field("items", pa.list_(pa.struct([pa.field("price", NUMBER)]))),
        pa.field("more", pa.string()),
    ]
)
SHAPE = pa.schema([("text", pa.string()), ("user", pa.string()), ("response", RESPONSE)])


def refusal(rule: str) -> str:
    with pytest.raises(UsageError) as caught:
        rule_query.read([("r", rule)])
        rule_query.bind([("r", rule)], SHAPE)
    assert "\n" not in str(caught.value)
    return str(caught.value)


GOOD = [
    "response.net > 0",
    "contains(text, response.id)",
    "response.more ->> 'k' = 'x'",
    "(response.more -> 'k') IS NULL",
    "list_sum(list_transform(response.items, lambda one: one.price)) = response.net",
    "user = 'x' -- a column of the input, and no function",
    "regexp_matches(text, '^[A-Z]')",
    "CASE WHEN text = '' THEN response.id IS NULL END",
    "TRY(CAST(text AS INTEGER)) > 1",
    "CAST(text AS DATE) > DATE '2026-01-01'",
    # Before 2.0 the type of a bare NULL is INTEGER.
    *(["NULL"] if duckdb.__version__ >= "2" else ["CAST(NULL AS BOOLEAN)"]),
]


@pytest.mark.parametrize("rule", GOOD)
def test_a_condition_over_the_row_is_taken(rule: str) -> None:
    rule_query.read([("r", rule)])
    rule_query.bind([("r", rule)], SHAPE)


REFUSED = {
    "a query": "EXISTS (SELECT 1)",
    "a query of a file": "text IN (SELECT content FROM read_text('/etc/hostname'))",
    "two statements": "true); SELECT (true",
    "more than the condition": "true) FROM range(3",
    "a union": "true) UNION SELECT (true",
    "a setting": "current_setting('memory_limit') = ''",
    "the environment": "getenv('HOME') = ''",
    "a variable": "getvariable('x') = 1",
    "a file": "read_text('/etc/hostname') IS NULL",
    "the session": "current_database() = ''",
    "another schema": "main.current_setting('threads') = '1'",
    "the catalog": "has_table_privilege('x', 'SELECT')",
    "SQL in a text": "json_execute_serialized_sql('{}') IS NULL",
    "chance": "random() > 0.5",
    "the time": "now() > TIMESTAMP '2026-01-01'",
    "a log": "write_log('x') IS NULL",
    "a pause": "sleep_ms(1000) IS NULL",
    "several rows": "unnest([true, false])",
    "many rows": "sum(response.net) > 1",
    "a window": "row_number() OVER () = 1",
    "all columns": "COLUMNS(*) IS NOT NULL",
    "a parameter": "text = $1",
    "a place": "#1 = ''",
    "no condition": "response.net",
    "no SQL": "response.net >",
}


@pytest.mark.parametrize("rule", REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_in_one_line(rule: str) -> None:
    assert refusal(rule).startswith("check r: ")


def test_no_function_of_duckdb_that_reads_more_than_its_arguments_is_let_through() -> None:
    with rule_query.connect() as connection:
        found = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'macro') AND regexp_matches(function_name, "
            "'setting|getenv|variable|secret|current_|^pg_|privilege|session|nextval|currval|"
            "setval|write_log|sleep|random|uuid(v|$)|^now$|today|execute|txid|version$')"
        ).fetchall()
        assert len(found) > 30
        for (name,) in found:
            if name != "uuid_extract_version":  # of a value that is given
                with pytest.raises(QueryError, match="not allowed"):
                    rule_syntax.parsed(connection, f"{name}(text) IS NULL", frozenset())


def test_the_nearest_name_is_told() -> None:
    assert refusal("response.nett > 0") == (
        "check r: no field 'nett' in the response (did you mean 'net'?); it has: id, items, more, "
        "net, price"
    )
    assert "of a text that holds JSON write response ->> 'key'" in refusal("response.more.k = 1")


def rows() -> pa.Table:
    answers = [{"net": 1}, None, {"net": -1}, {"net": None}]
    return pa.table(
        {"text": ["2", "0", "x", None], "response": pa.array(answers, RESPONSE)},
        pa.schema([SHAPE.field("text"), SHAPE.field("response")]),
    )


def test_what_is_unknown_is_not_broken() -> None:
    assert RuleQuery(["response.net > 0", "NULL"]).broken(rows()) == [Broken(2, 0)]


def test_an_error_is_that_of_its_row_and_rule() -> None:
    found = RuleQuery(["response.net > 0", "CAST(text AS INTEGER) > 1"]).broken(rows())
    assert [(one.row, one.rule, one.error is not None) for one in found] == [
        (1, 1, False),
        (2, 0, False),
        (2, 1, True),
    ]
    assert "'x'" in (found[2].error or "")


def test_a_rule_alone_may_be_asked() -> None:
    assert RuleQuery(["false", "response.net > 0"]).broken(rows(), [1]) == [Broken(2, 1)]
