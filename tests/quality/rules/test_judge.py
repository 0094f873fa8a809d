"""Rules see a row and its answer, typed; groups are judged as single rows are."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.constraints import answer_types
from llmbatch.core.errors import UsageError
from llmbatch.quality.rules import judge, view
from llmbatch.quality.rules.judge import RuleJudge
from llmbatch.quality.rules.view import CheckedAnswer, RowView
from llmbatch.store import rule_query
from llmbatch.store.rule_query import Broken

ORDER = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "net": {"type": "number"},
        "tax": {"type": ["number", "null"]},
        "total": {"type": "number"},
        "count": {"type": "integer"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
        "any": {},
    },
    "required": ["order_id"],
    "$defs": {"item": {"type": "object", "properties": {"price": {"type": "number"}}}},
}
LABEL = {"response": "text", "confidence": "number"}


def seen(
    rules: dict[str, str],
    columns: tuple[str, ...] = ("id", "text"),
    schema: dict[str, Any] | None = ORDER,
    fields: dict[str, str] | None = None,
    kinds: dict[str, str] | None = None,
) -> RowView:
    """The view of these rules, bound."""
    named = list(rules.items())
    parsed = rule_query.read(named)
    made = view.make(
        list(zip(rules, parsed, strict=True)),
        columns,
        lambda names: kinds or {},
        "text" if schema is None or fields else answer_types.type_of(schema),
        fields or {},
        is_json=schema is not None,
    )
    rule_query.bind(named, made.schema())
    return made


def holds(rule: str, data: Any, answer: str, **more: Any) -> bool:
    """True if the rule is not broken."""
    given_view = seen({"r": rule}, tuple(data), **more)
    one = CheckedAnswer(orjson.dumps(data).decode(), answer)
    found = RuleJudge(given_view, [rule]).broken([one])
    assert not any(each.error for each in found), found
    return not found


def test_the_types_are_those_of_the_schema() -> None:
    assert answer_types.type_of(ORDER) == {
        "struct": {
            "order_id": "text",
            "net": "number",
            "tax": "number",
            "total": "number",
            "count": "integer",
            "items": {"list": {"struct": {"price": "number"}}},
            "any": "json",
        }
    }


SUM = "response.total = response.net + response.tax"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # Floats would find neither: 0.1 + 0.2 is not 0.3 there.
        ('{"total": 0.3, "net": 0.1, "tax": 0.2}', True),
        ('{"total": 123456789012345.30, "net": 123456789012345.10, "tax": 0.2}', True),
        ('{"total": 123456789012345.31, "net": 123456789012345.10, "tax": 0.2}', False),
        ('{"total": 3e1, "net": 10, "tax": 20.0}', True),
        ('{"total": 3, "net": 10, "tax": null}', True),  # unknown
        ('{"total": 3, "net": 10}', True),  # unknown
    ],
)
def test_numbers_are_exact(answer: str, expected: bool) -> None:
    assert holds(SUM, {"id": 1}, answer) is expected


def test_values_of_the_input_are_text_unless_all_are_numbers() -> None:
    answer = '{"total": 12.50, "count": 2, "items": [{"price": 12.5}], "any": {"a": [1.10]}}'
    assert holds("amount = '12.50'", {"amount": "12.50"}, answer)
    assert holds("CAST(amount AS DECIMAL(9, 2)) = response.total", {"amount": "12.50"}, answer)
    number = {"kinds": {"amount": "number"}}
    assert holds("amount = response.total", {"amount": 12.5}, answer, **number)
    assert holds("list_sum(list_transform(response.items, lambda x: x.price)) = 12.5", {}, answer)
    assert holds("response.any ->> '$.a[0]' = '1.10' OR true", {}, answer)
    assert holds("response.any = '{\"a\":[1.10]}'", {}, answer)


def test_names_that_clash() -> None:
    data = {"response": "what was asked", "finish_reason": "of the input"}
    text = {"schema": None}
    assert holds("input_response = 'what was asked' AND response = 'said'", data, "said", **text)
    rule = "finish_reason = 'of the input' AND response_finish_reason IS NULL"
    assert holds(rule, data, "said", **text)


def test_a_label_stands_beside_its_confidence() -> None:
    answer = '{"response": "spam", "confidence": 0.75}'
    rule = "response = 'spam' AND confidence = 0.75 AND label <> response"
    assert holds(rule, {"label": "ham"}, answer, fields=LABEL)


def test_a_name_that_is_no_column_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"check r: no column 'txt' \(did you mean 'text'\?\)"):
        seen({"r": "txt = ''"})
    with pytest.raises(UsageError, match="check r: current_date is not allowed"):
        seen({"r": "current_date > DATE '2026-01-01'"})
    with pytest.raises(UsageError, match="are one to SQL"):
        seen({"r": "a = ''", "s": "A = ''"}, ("a", "A"))


def test_a_value_that_fits_in_no_column_fails_its_row_alone() -> None:
    rules = {"r": "response.net > 0", "s": "response.count > 0"}
    answers = ['{"net": 1, "count": 1}', '{"net": 1e40}', '{"count": 9223372036854775808}', "{"]
    group = [CheckedAnswer(None, answer) for answer in answers]
    found = RuleJudge(seen(rules), [*rules.values()]).broken(group)
    assert [(one.row, one.rule) for one in found] == [
        (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (3, 1)
    ]  # fmt: skip
    assert all(one.error for one in found)


RULES = {
    "sum": SUM,
    "cited": "contains(text, response.order_id)",
    "whole": "CAST(text AS INTEGER) % 2 = 0",
    "few": "response.count BETWEEN 1 AND 5",
    "shape": "regexp_matches(response.order_id, text)",
}
NUMBER = st.decimals(-10, 10, places=2).map(str)
ANSWER = st.one_of(
    st.builds(
        '{{"order_id": {}, "net": {}, "tax": {}, "total": {}, "count": {}}}'.format,
        st.sampled_from(['"1"', '"a"', '""', "null"]),
        NUMBER,
        st.one_of(NUMBER, st.just("null")),
        NUMBER,
        st.sampled_from(["1", "9", "null", "1e99"]),
    ),
    st.just('{"order_id": "1"}'),
)
ROWS = st.lists(st.tuples(st.sampled_from(["1", "22", "x1", "(", ""]), ANSWER), max_size=12)
ALL = RuleJudge(seen(RULES), [*RULES.values()])


@settings(max_examples=15, deadline=None)
@given(ROWS)
def test_a_group_is_judged_as_its_rows_are_one_by_one(rows: list[tuple[str, str]]) -> None:
    group = [CheckedAnswer(orjson.dumps({"text": text}).decode(), answer) for text, answer in rows]
    together = ALL.broken(group)
    apart = [
        Broken(place, each.rule, each.error)
        for place, one in enumerate(group)
        for each in ALL.broken([one])
    ]
    assert together == apart


def test_a_view_and_a_group_are_json() -> None:
    rules = [*RULES.values()]
    group = [CheckedAnswer('{"text": "x"}', '{"order_id": "x", "count": 7}')]
    made = json.loads(json.dumps(seen(RULES).to_json()))
    assert RowView.from_json(made) == seen(RULES)
    text = judge.encoded(group)
    assert orjson.loads(text) == [None, [[*group[0]]]]
    assert RuleJudge(RowView.from_json(made), rules).broken(group) == ALL.broken(group)
