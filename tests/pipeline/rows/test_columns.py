"""Every answer that a schema allows can be written in every format, and read back."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from llmbatch.constraints.check import make_check
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import output_file
from llmbatch.pipeline.rows.columns import Layout, is_from
from llmbatch.pipeline.rows.export import write_rows
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.pipeline.tasks import registry
from tests.pipeline.rows.told_answers import Schema, shown, told

FORMATS = ("jsonl", "csv", "tsv", "parquet")
COLUMNS = ["id", "text"]
DATA = '{"id":"007","text":"x"}'
BIG = 10**25

csv.field_size_limit(2**31 - 1)


def output_of(schema: Schema, format_name: str, **more: Any) -> OutputFile:
    given = {"input": "i.csv", "output": f"o.{format_name}", "model": "m", "prompt": "p"}
    spec = JobSpec.model_validate(given | {"answer": {"schema": schema}} | more)
    return output_file.make(spec, registry.make(spec).columns)


def written(schema: Schema, answers: Sequence[str], format_name: str) -> list[dict[str, Any]]:
    """The answers by column, as others read them."""
    stream = io.BytesIO()
    layout = Layout(output_of(schema, format_name), COLUMNS)
    rows = [{"data": DATA, "answer": answer} for answer in answers]
    assert write_rows(stream, format_name, COLUMNS, layout, lambda: rows).rows == len(answers)
    records = read(stream.getvalue(), format_name)
    assert all((record.pop("id"), record.pop("text")) == ("007", "x") for record in records)
    return records


def read(content: bytes, format_name: str) -> list[dict[str, Any]]:
    if format_name == "jsonl":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    if format_name == "parquet":
        found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
        return found
    delimiter = "\t" if format_name == "tsv" else ","
    text = io.StringIO(content.decode(), newline="")
    header, *lines = csv.reader(text, delimiter=delimiter, strict=True)
    assert len(set(header)) == len(header)
    assert all(name.strip() for name in header)
    # In CSV nothing is an empty cell.
    return [{name: cell or None for name, cell in zip(header, line, strict=True)} for line in lines]


NAMES = st.sampled_from(
    ["a", "b", "id", "text", "response", "response_id", "", " ", "\t", "é", "n\0"]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", "null", "1", "a\r\nb", "\0", "\u2028", '"', "=1+1"]
)
INTEGERS = st.sampled_from([0, 1, -1, 2**53 + 1, 2**63, -(2**63), -(2**63) - 1, BIG])
NUMBERS = INTEGERS | st.floats(allow_nan=False, allow_infinity=False)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def parts(draw: st.DrawFn) -> tuple[Any, st.SearchStrategy[Any]]:
    """The schema of a property, and values that it allows."""
    kinds: dict[str, tuple[Schema, st.SearchStrategy[Any]]] = {
        "text": ({"type": "string"}, TEXTS),
        "integer": ({"type": "integer"}, INTEGERS | st.sampled_from([1.0, 1e300])),
        "number": ({"type": "number"}, NUMBERS),
        "boolean": ({"type": "boolean"}, st.booleans()),
        "nullable": ({"type": ["integer", "null"]}, INTEGERS | st.none()),
        "either": ({"type": ["string", "integer"]}, INTEGERS | TEXTS),
        "decimal": ({"anyOf": [{"type": "number"}, {"type": "string"}]}, NUMBERS | TEXTS),
        "words": ({"enum": ["x", "y"]}, st.sampled_from(["x", "y"])),
        "mixed": ({"enum": ["x", 1, None, True]}, st.sampled_from(["x", 1, None, True])),
        "list": ({"type": "array", "items": {}}, st.lists(ANYTHING, max_size=3)),
        "object": ({"type": "object"}, st.dictionaries(NAMES, ANYTHING, max_size=3)),
        "referred": ({"$ref": "#/$defs/any"}, ANYTHING),
        "union": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, INTEGERS | st.none()),
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    found: tuple[Any, st.SearchStrategy[Any]] = draw(
        st.sampled_from([kinds[kind], kinds[kind], (True, ANYTHING), ({}, ANYTHING)])
    )
    return found


@st.composite
def objects(draw: st.DrawFn) -> tuple[Schema, st.SearchStrategy[Any]]:
    """A schema with properties, and answers: objects with some of them, and whatever else."""
    found = draw(st.dictionaries(NAMES, parts(), min_size=1, max_size=4))
    schema: Schema = {"properties": {name: part for name, (part, _) in found.items()}}
    answers = st.fixed_dictionaries({}, optional={name: some for name, (_, some) in found.items()})
    kind = draw(st.sampled_from(["object", ["object", "null"], ["object", "array"], None]))
    if kind is not None:
        schema["type"] = kind
    others: st.SearchStrategy[Any] = st.sampled_from([None, None, False, True, {}])
    schema |= {"additionalProperties": said} if (said := draw(others)) is not None else {}
    more = st.dictionaries(NAMES, ANYTHING, max_size=2)
    both = st.tuples(more, answers).map(lambda pair: pair[0] | pair[1])
    return schema, answers | both | st.none() | ANYTHING


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Schema, list[str]]:
    """A schema, and the JSON of answers that it allows."""
    schema, answers = draw(objects())
    form = draw(st.sampled_from(["plain", "plain", "referred", "nullable", "anything"]))
    definitions = {"$defs": {"any": {}, "root": schema}}
    if form == "referred":
        schema = {"$ref": "#/$defs/root"}
    elif form == "nullable":
        schema = {"anyOf": [{"$ref": "#/$defs/root"}, {"type": "null"}], **schema}
        schema.pop("type", None)
    elif form == "anything":
        schema, answers = {"type": ["string", "number", "null", "array", "boolean"]}, ANYTHING
    ascii_only = draw(st.booleans())
    given = draw(st.lists(answers, min_size=1, max_size=4))
    texts = [json.dumps(value, ensure_ascii=ascii_only) for value in given]
    return schema | definitions, texts


@settings(max_examples=80)
@given(jobs())
@example(({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}, ["null"]))
@example(({"properties": {"a": {"type": "integer"}}}, ['{"a": 1}', "[1]", '{"b": 1}', f"{BIG}"]))
@example(({"properties": {"a": {"type": "number"}}}, ['{"a": 0.5}', f'{{"a": {BIG}}}']))
@example(({"properties": {"a": {}}}, ['{"a": ' + "[" * 400 + "]" * 400 + "}"]))
@example(({"properties": {"a": {"type": "integer"}, "": {"type": "string"}}}, ['{"": "x"}']))
def test_every_answer_that_a_schema_allows_is_written_and_read_back(
    job: tuple[Schema, list[str]],
) -> None:
    schema, answers = job
    check = make_check(Constraint("json", json_text(schema)))
    legal = [text for text in answers if check(text) is None]
    assume(legal)
    for format_name in FORMATS:
        records = written(schema, legal, format_name)
        assert len(records) == len(legal)
        for text, record in zip(legal, records, strict=True):
            answer = json.loads(text)
            if format_name == "jsonl":
                assert record == {"response": answer}
            else:
                tells_empty = format_name == "parquet"
                found = shown(told(record, schema), schema, tells_empty=tells_empty)
                wanted = shown(answer, schema, tells_empty=tells_empty)
                assert found == wanted, (format_name, record)


PERSON: Schema = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
}


def test_columns_are_of_the_schemas_types_as_long_as_the_answers_let_them() -> None:
    answers = ['{"name": "a", "age": 1.0}', '{"age": null}', "{}"]
    assert written(PERSON, answers[::2], "parquet") == [
        {"name": "a", "age": 1},
        {"name": None, "age": None},
    ]
    nullable = PERSON | {"type": ["object", "null"]}
    assert written(nullable, ["null", answers[0]], "parquet")[0] == {"name": None, "age": None}
    assert written(nullable, ["null"], "csv") == [{"name": None, "age": None}]


def test_a_column_is_json_if_a_number_does_not_fit_and_the_others_stay() -> None:
    answers = ['{"name": "a", "age": 3.0}', f'{{"name": "b", "age": {BIG}}}', '{"age": 4}']
    assert written(PERSON, answers, "parquet") == [
        {"name": "a", "age": "3.0"},
        {"name": "b", "age": str(BIG)},
        {"name": None, "age": "4"},
    ]


def test_numbers_keep_their_digits_in_text() -> None:
    schema = {"properties": {"n": {"type": "number"}, "either": {"type": ["number", "string"]}}}
    answer = '{"n": 0.1234567890123456789012345, "either": 1.10}'
    assert written(schema, [answer], "csv") == [
        {"n": "0.1234567890123456789012345", "either": "1.10"}
    ]
    assert written(PERSON, [f'{{"age": {BIG}}}'], "csv")[0]["age"] == str(BIG)


@pytest.mark.parametrize("format_name", ["csv", "tsv", "parquet"])
@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("X-16005", "X-16005"),
        ("[urgent] help", "[urgent] help"),
        ("5", '"5"'),
        ("1e5", '"1e5"'),
        ("-inf", '"-inf"'),  # DuckDB's json_valid takes this, nan and [1,]
        ("nan", '"nan"'),
        ("[1,]", '"[1,]"'),
        ("null", '"null"'),
        ("{}", '"{}"'),
        ('"said"', r'"\"said\""'),
        (5, "5"),
        (True, "true"),
        (["5"], '["5"]'),
        ({"a": "x"}, '{"a":"x"}'),
        (None, None),
    ],
)
def test_a_text_among_other_values_has_no_quotes_unless_it_looks_like_json(
    value: Any, cell: str | None, format_name: str
) -> None:
    assert written({"properties": {"a": {}}}, [json.dumps({"a": value})], format_name) == [
        {"a": cell}
    ]
    if not isinstance(value, list | dict):
        (record,) = written(
            {"type": ["string", "number", "boolean", "null"]}, [json.dumps(value)], format_name
        )
        assert record == {"response": cell}


def test_a_property_of_another_kind_than_its_column_makes_it_one_of_json() -> None:
    """Of this union only one part names `b`, and the other allows anything there."""
    schema = {
        "oneOf": [
            {"properties": {"a": {"const": 1}}, "required": ["a"]},
            {"properties": {"a": {"const": 2}, "b": {"type": "string"}}, "required": ["a"]},
        ]
    }
    answers = ['{"a": 2, "b": "7"}', '{"a": 1, "b": 7}', '{"a": 2, "b": "x"}']
    for format_name in ("csv", "parquet"):
        assert [record["b"] for record in written(schema, answers, format_name)] == [
            '"7"',
            "7",
            "x",
        ]


OPEN: Schema = PERSON | {"additionalProperties": True}


def test_properties_without_a_name_are_in_a_column_of_their_own() -> None:
    answers = ['{"name": "a", "age": 3}', '{"more": [1.10], "name": "b", "most": "5"}']
    rest = '{"more":[1.10],"most":"5"}'
    for format_name in ("csv", "parquet"):
        first, second = written(OPEN, answers, format_name)
        assert (first["name"], first["response_rest"]) == ("a", None)
        assert second == {"name": "b", "age": None, "response_rest": rest}
        # What a schema does not speak of is not lost either.
        assert written(PERSON, answers, format_name) == [first, second]


def test_a_table_has_a_column_for_the_rest_if_the_schema_says_that_there_may_be_one() -> None:
    answers = ['{"name": "a"}']
    for schema, there in [
        (OPEN, True),
        (PERSON, False),
        (PERSON | {"additionalProperties": False}, False),
    ]:
        assert ("response_rest" in written(schema, answers, "csv")[0]) is there
    assert "response_rest" in Layout(output_of(OPEN, "parquet"), COLUMNS).columns
    assert list(Layout(output_of(OPEN, "jsonl"), COLUMNS).columns) == ["response"]
    named = Layout(output_of(OPEN, "csv", response_column="out"), ["out_rest"])
    assert list(named.columns) == ["name", "age", "response_out_rest"]


def test_an_answer_that_columns_do_not_hold_has_one_of_its_own() -> None:
    untyped = {"properties": PERSON["properties"]}
    for format_name in ("csv", "parquet"):
        first, second, third = written(untyped, ['{"name": "a"}', "[1.10]", '"b"'], format_name)
        assert (first["name"], first["response"]) == ("a", None)
        assert second == {"name": None, "age": None, "response": "[1.10]"}
        assert third["response"] == "b"


def test_a_whole_answer_has_a_type_too() -> None:
    assert written({"type": "integer"}, ["7", " 8"], "parquet") == [
        {"response": 7},
        {"response": 8},
    ]
    assert written({"type": "integer"}, ["7", f"{BIG}"], "parquet")[1] == {"response": f"{BIG}"}
    assert written({"enum": ["a", "5"]}, ['"a"', '"5"'], "csv") == [
        {"response": "a"},
        {"response": "5"},
    ]
    assert written({"type": "array"}, ['[1, "a"]'], "csv") == [{"response": '[1, "a"]'}]
    assert written(
        {"type": ["object", "string"], "properties": {"a": {}}}, ['{"a": 1}', '"b"'], "csv"
    ) == [{"response": '{"a": 1}'}, {"response": "b"}]


def test_an_empty_text_is_told_from_nothing() -> None:
    stream = io.BytesIO()
    layout = Layout(output_of({"properties": {"a": {"type": "string"}, "b": {}}}, "csv"), ["id"])
    answers = ['{"a": "", "b": ""}', '{"a": null}', "{}"]
    rows = [{"data": '{"id":""}', "answer": answer} for answer in answers]
    write_rows(stream, "csv", ["id"], layout, lambda: rows)
    assert stream.getvalue() == b'id,a,b\n,"",""\n,,\n,,\n'


def test_columns_have_names_of_their_own() -> None:
    named = {
        "properties": {name: {"type": "string"} for name in ("id", "response", "", "attempts")}
    }
    layout = Layout(output_of(named, "csv", meta=True), COLUMNS)
    assert list(layout.columns)[:4] == [
        "response_id",
        "response",
        "response_",
        "response_attempts",
    ]
    assert len(written(named, ['{"x": 1}'], "csv")[0]) == 5
    cased = {"properties": {name: {"type": "string"} for name in ("ID", "name", "Name")}}
    layout = Layout(output_of(cased, "csv"), COLUMNS)
    assert list(layout.columns) == ["response_ID", "name", "response_Name"]


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        (["id", "text", "name", "age"], True),
        (["id", "name", "age", "response_rest", "attempts"], True),
        (["id", "response"], True),  # an answer was whole in earlier versions
        (["id", "name"], False),
        (["id", "response_rest"], False),
    ],
)
def test_an_output_is_known_by_its_columns(columns: list[str], known: bool) -> None:
    assert is_from(output_of(OPEN, "csv", meta=True), set(columns)) is known
    assert is_from(output_of(OPEN, "jsonl"), set(columns)) is ("response" in columns)
