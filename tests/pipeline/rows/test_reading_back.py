"""Answers to schemas as their makers write them, read back by DuckDB and pandas from every format.

The schemas are in the words of Pydantic 2, zod (3, with zod-to-json-schema, and 4) and OpenAI's
strict mode.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmbatch.constraints.check import make_check
from llmbatch.core.messages import json_text
from llmbatch.core.records import Constraint
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import output_file
from llmbatch.pipeline.rows.columns import Layout
from llmbatch.pipeline.rows.export import write_rows
from llmbatch.pipeline.tasks import registry
from tests.pipeline.rows.told_answers import Schema, distinct, shown, told

Values = st.SearchStrategy[Any]

DATA = '{"id":"007","text":""}'
PIECES = ("{", "}", "[", "]", '"', ",", ":", "1", "-", ".", "e", "true", "nan", "inf", " ", "\n")
JSON_LIKE: Values = st.lists(st.sampled_from(PIECES), max_size=4).map("".join)
PLAIN: Values = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
TEXTS: Values = (
    PLAIN
    | JSON_LIKE
    | st.sampled_from(
        [
            "",
            "5",
            "1e5",
            "null",
            "NA",
            "true",
            "{}",
            '["a"]',
            '"said"',
            "a, b",
            "a\r\nb",
            "\0",
            "é",
            "#",
        ]
    )
)
INTEGERS: Values = st.integers(-100, 100) | st.sampled_from([2**53 + 1, -(2**63), 2**63, 10**30])
NUMBERS: Values = INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | st.just(1e-300)
DECIMALS: Values = st.decimals(-999, 999, places=2).map(str)
ANYTHING: Values = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
COLORS: Values = st.sampled_from(["red", "5"])
POINTS: Values = st.fixed_dictionaries({"x": INTEGERS}, optional={"label": TEXTS | st.none()})

NULL = {"type": "null"}
COLOR = {"enum": ["red", "5"], "title": "Color", "type": "string"}
POINT = {
    "properties": {"x": {"type": "integer"}, "label": {"anyOf": [{"type": "string"}, NULL]}},
    "required": ["x"],
    "title": "Point",
    "type": "object",
}
CAT = {"type": "object", "properties": {"kind": {"type": "string", "const": "cat"}}}
DOG = {"type": "object", "properties": {"kind": {"const": "dog"}, "n": {"type": "number"}}}
DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^[+-]?\d*\.?\d*$"}]}

# The schema of a field with its values, `#/D/` for the place of definitions.
FIELDS: list[tuple[Any, Values]] = [
    ({"title": "Name", "type": "string", "minLength": 0}, TEXTS),
    ({"anyOf": [{"type": "string"}, NULL], "default": None, "title": "Note"}, TEXTS | st.none()),
    ({"type": ["string", "null"]}, TEXTS | st.none()),
    ({"type": "string", "format": "date-time"}, st.just("2026-11-28T06:55:00Z")),
    ({"anyOf": [{"format": "date", "type": "string"}, NULL]}, st.dates().map(str) | st.none()),
    ({"const": "a", "title": "Kind", "type": "string"}, st.just("a")),
    ({"anyOf": [{"type": "string", "const": "5"}, {"type": "string", "const": "b"}]},
     st.sampled_from(["5", "b"])),
    ({"enum": [1, 2], "type": "integer"}, st.sampled_from([1, 2])),
    ({"enum": [1, "1", None, True]}, st.sampled_from([1, "1", None, True])),
    ({"$ref": "#/D/Color"}, COLORS),
    ({"$ref": "#/D/Color", "default": "red", "description": "of it"}, COLORS),
    ({"allOf": [{"$ref": "#/D/Color"}], "default": "red"}, COLORS),
    ({"anyOf": [{"$ref": "#/D/Color"}, NULL], "default": None}, COLORS | st.none()),
    ({"type": "integer", "minimum": -(10**31)}, INTEGERS),
    ({"anyOf": [{"type": "integer"}, NULL]}, INTEGERS | st.none()),
    ({"type": "number"}, NUMBERS),
    ({"anyOf": [{"type": "integer"}, {"type": "number"}, NULL]}, NUMBERS | st.none()),
    (DECIMAL, DECIMALS | NUMBERS),
    ({"anyOf": [*DECIMAL["anyOf"], NULL]}, DECIMALS | st.none()),
    ({"type": "boolean"}, st.booleans()),
    ({"type": ["boolean", "null"]}, st.booleans() | st.none()),
    ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, INTEGERS | TEXTS),
    ({"items": {"type": "string"}, "type": "array"}, st.lists(TEXTS, max_size=2)),
    ({"items": {"$ref": "#/D/Point"}, "type": "array"}, st.lists(POINTS, max_size=2)),
    ({"anyOf": [{"type": "string"}, {"$ref": "#/D/Point"}, NULL]}, TEXTS | POINTS | st.none()),
    ({"$ref": "#/D/Point"}, POINTS),
    ({"anyOf": [{"$ref": "#/D/Point"}, NULL]}, POINTS | st.none()),
    ({"additionalProperties": {"type": "integer"}, "type": "object"},
     st.dictionaries(TEXTS, INTEGERS, max_size=2)),
    ({"title": "Any"}, ANYTHING),
    ({"oneOf": [{"$ref": "#/D/Cat"}, {"$ref": "#/D/Dog"}]},
     st.sampled_from([{"kind": "cat"}, {"kind": "dog", "n": 0.5}])),
]  # fmt: skip
NAMES = st.sampled_from(["a", "A", "b", "ID", "text", "Order ID", "response", "response_rest"])


@st.composite
def models(draw: st.DrawFn) -> tuple[Schema, Values]:
    """The schema of an object of some fields, with its answers."""
    fields = draw(st.dictionaries(NAMES, st.sampled_from(FIELDS), min_size=1, max_size=5))
    properties = {name: part for name, (part, _) in fields.items()}
    values = {name: some for name, (_, some) in fields.items()}
    schema: Schema = {"type": "object", "properties": properties}
    if draw(st.booleans()):  # as OpenAI's strict mode has it
        schema |= {"required": list(properties), "additionalProperties": False}
        return schema, st.fixed_dictionaries(values)
    answers: Values = st.fixed_dictionaries({}, optional=values)
    if draw(st.booleans()):  # extra="allow", .loose(), .catchall(z.any())
        schema["additionalProperties"] = draw(st.sampled_from([True, {}]))
        more = st.dictionaries(NAMES | TEXTS, ANYTHING, max_size=2)
        answers = st.tuples(more, answers).map(lambda pair: pair[0] | pair[1])
    return schema, answers


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Schema, list[str]]:
    """A schema as a maker writes it out, and the JSON of answers to it."""
    schema, answers = draw(models())
    form = draw(st.sampled_from(["plain", "named", "optional", "root", "root"]))
    shelf = draw(st.sampled_from(["$defs", "definitions"]))
    definitions = {"Color": COLOR, "Point": POINT, "Cat": CAT, "Dog": DOG, "Root": schema}
    if form == "named":
        schema = {"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/D/Root"}
    elif form == "optional":
        schema, answers = {"anyOf": [{"$ref": "#/D/Root"}, NULL]}, answers | st.none()
    elif form == "root":
        schema, answers = draw(st.sampled_from(FIELDS))
    # Definitions that nothing refers to are taken for a reference that was forgotten.
    shelved = {"D": definitions} if schema != {"title": "Any"} else {}
    text = json.dumps(schema | shelved).replace("#/D/", f"#/{shelf}/")
    whole = json.loads(text.replace('"D":', f'"{shelf}":'))
    given = draw(st.lists(answers, min_size=1, max_size=3))
    return whole, [json.dumps(value, ensure_ascii=False) for value in given]


def written(folder: Path, schema: Schema, answers: Sequence[str]) -> list[str]:
    """The paths of outputs with these answers."""
    paths = []
    rows = [{"data": DATA, "answer": answer} for answer in answers]
    for format_name in ("csv", "parquet", "jsonl"):
        path = folder / f"out.{format_name}"
        given = {"input": "i.csv", "output": str(path), "model": "m", "prompt": "p"}
        spec = JobSpec.model_validate(given | {"answer": {"schema": schema}})
        layout = Layout(output_file.make(spec, registry.make(spec).columns), ["id", "text"])
        with path.open("wb") as stream:
            write_rows(stream, format_name, ["id", "text"], layout, lambda: rows)
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def database() -> duckdb.DuckDBPyConnection:
    # The files are written anew under the same names, too soon for their times to tell.
    return duckdb.connect(config={"threads": 1, "enable_external_file_cache": False})


def by_duckdb(database: duckdb.DuckDBPyConnection, path: str) -> list[dict[str, Any]]:
    if path.endswith("parquet"):
        found = database.execute("FROM read_parquet($1)", [path])
    elif path.endswith("jsonl"):
        types = "{id: 'VARCHAR', text: 'VARCHAR', response: 'JSON'}"
        found = database.execute(
            f"FROM read_json($1, columns = {types}, format = 'newline_delimited')", [path]
        )
    else:
        options = "header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"'"
        found = database.execute(
            f"FROM read_csv($1, {options}, nullstr = '', allow_quoted_nulls = false)", [path]
        )
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def by_pandas(path: str) -> list[dict[str, Any]]:
    if path.endswith("parquet"):
        table = pd.read_parquet(path, dtype_backend="pyarrow")
    else:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    found: list[dict[str, Any]] = table.astype(object).where(table.notna(), None).to_dict("records")
    return found


@settings(max_examples=40)
@given(jobs())
def test_what_was_answered_is_read_back(
    database: duckdb.DuckDBPyConnection,
    tmp_path_factory: pytest.TempPathFactory,
    job: tuple[Schema, list[str]],
) -> None:
    schema, answers = job
    check = make_check(Constraint("json", json_text(schema)))
    legal = [answer for answer in answers if check(answer) is None]
    assume(legal)
    paths = written(tmp_path_factory.getbasetemp(), schema, legal)
    for path in paths[:2]:
        found, again = by_duckdb(database, path), by_pandas(path)
        assert_told(found, schema, legal, tells_empty=True)
        assert_told(again, schema, legal, tells_empty=path.endswith("parquet"))
        # SQL takes names that differ in case for one, and would give the second another name.
        assert list(found[0]) == list(again[0])
    records = by_duckdb(database, paths[2])
    read = [json.loads(record["response"] or "null") for record in records]
    assert distinct(read) == distinct([json.loads(answer) for answer in legal])


def assert_told(
    records: list[dict[str, Any]], schema: Schema, answers: Sequence[str], *, tells_empty: bool
) -> None:
    cells = [dict(list(record.items())[2:]) for record in records]
    found = [shown(told(record, schema), schema, tells_empty=tells_empty) for record in cells]
    wanted = [shown(json.loads(text), schema, tells_empty=tells_empty) for text in answers]
    assert found == wanted, records
