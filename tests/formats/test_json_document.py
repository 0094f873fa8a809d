"""JSON documents are read record by record, and faults stay where they are."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Record, Reject
from llmbatch.formats import ReadOptions, json_text, lines, open_reader

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
VALUES = st.recursive(
    TEXT
    | st.integers()
    | st.booleans()
    | st.none()
    | st.sampled_from(['"', "\\", '\\"', "{", "]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(TEXT, VALUES, max_size=3), max_size=5)


def read(
    data: bytes | str, name: str = "in.json", **options: Any
) -> tuple[list[Record | Reject], list[str]]:
    raw = data.encode() if isinstance(data, str) else data
    with open_reader(name, io.BytesIO(raw), "jsonl", ReadOptions(**options)) as reader:
        return list(reader), reader.notes


def records(data: bytes | str, name: str = "in.json", **options: Any) -> list[Any]:
    """The values of the records; for a reject its reason."""
    found, _ = read(data, name, **options)
    return [json.loads(each.data) if isinstance(each, Record) else each.reason for each in found]


@settings(max_examples=40)
@given(OBJECTS, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(3, 40))
def test_every_shape_gives_the_same_records(
    values: list[Any], indent: int | None, ascii: bool, chunk: int
) -> None:
    def dumped(value: Any) -> str:
        return json.dumps(value, indent=indent, ensure_ascii=ascii)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_CHUNK", chunk)
        assert records("\ufeff" + dumped(values)) == values
        path = {"other": [[]], "meta": {"a]": "["}, "data": {"it": values}, "after": 1}
        assert records(dumped(path), json_path="data.it") == values
        with_keys = [{"k": index, "v": value} for index, value in enumerate(values)]
        if len(values) > 1:  # of a single one its records may have to be named
            assert records("\n".join(map(dumped, with_keys)), "in.jsonl") == with_keys
            assert records("".join(map(dumped, with_keys))) == with_keys


def test_texts_are_kept_as_they_were_written_on_one_line() -> None:
    found, notes = read('[\n  {\n    "a": 1.10,\n    "b": "x  y"\n  },\n  {"a": 1e2}\n]\n')
    assert found == [Record(1, '{ "a": 1.10, "b": "x  y" }'), Record(2, '{"a": 1e2}')]
    assert notes == ["is a JSON array: its elements are the rows, and counted as lines"]


@pytest.mark.parametrize(
    ("name", "data", "values"),
    [
        ("in.jsonl", '[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ("in.jsonl", '{"a": 1}{"a": 2} {"a": 3}\n', [{"a": 1}, {"a": 2}, {"a": 3}]),
        ("in.jsonl", '{\n"a": 1\n}\n{\n"a": 2\n}', [{"a": 1}, {"a": 2}]),
        ("in.jsonl", '{"a": 1},\n{"a": 2},\n', [{"a": 1}, {"a": 2}]),
        ("in.json", '{"a": 1}\n{"a": 2}\n', [{"a": 1}, {"a": 2}]),
        ("in.json", '{"a": [1, 2], "b": {"c": []}}', [{"a": [1, 2], "b": {"c": []}}]),
        ("in.json", "[]", []),
        ("in.json", "", []),
        # One line of JSON Lines is a row, whatever is in it.
        ("in.jsonl", '{"a": [{"b": 1}]}', [{"a": [{"b": 1}]}]),
        ("in.json", '{"a": [{"b": 1}]}\n{"a": []}\n', [{"a": [{"b": 1}]}, {"a": []}]),
    ],
)
def test_the_content_says_the_shape(name: str, data: str, values: list[Any]) -> None:
    assert records(data, name) == values


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        ('{"data": [{"a": 1}]}', "data"),
        ('{"n": 2,\n "result": {"items": [\n {"a": 1}]}, "rows": [{}]}', "result.items or rows"),
    ],
)
def test_records_within_an_object_are_asked_for_by_their_path(data: str, paths: str) -> None:
    with pytest.raises(UsageError, match=f"in.json: .* name them with --json-path {paths}$"):
        read(data)
    assert records(data, json_path=paths.partition(" ")[0]) == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ('{"rows": [{}], "n": 1}', "data", "no records at --json-path data; there are: rows"),
        ('{"n": 1}', "n", "no records at --json-path n"),
        ("[1]", "n", "no records at --json-path n"),
        ('[{"a": 1}, {"a": 2}', "", "line 1: the array does not end: fetch the whole file again"),
        ('[{"a": 1},\n {"a": ', "", "line 2: record 2 does not end, or is no JSON"),
        ('[{"a": 1}\n{"a": 2}]', "", "line 2: a comma is missing between two elements"),
        ('[{"a": 1}] x', "", "line 1: more text after the end of the array"),
        ('[{"a": "x\ny"}]', "", "record 1 does not end, or is no JSON"),
    ],
)
def test_a_document_that_cannot_be_read_is_told_with_its_line(
    data: str, path: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read(data, json_path=path or None)


def test_a_fault_in_an_element_rejects_it_alone() -> None:
    data = '[{"a": 1},\n7, {"a" 1},\n{"a": NaN}, {"a": 2},]'
    assert records(data) == [
        {"a": 1},
        "not a JSON object but a number (line 2 of the file)",
        "invalid JSON at column 6: unexpected character, expected ':' after key "
        "(line 2 of the file)",
        "NaN is no JSON number: mend it, or read it as null with --nan null (line 3 of the file)",
        {"a": 2},
    ]


def test_an_element_over_the_limit_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 1024 * 1024)
    found = records('[{"a": "' + "x" * 3_000_000 + '"}, {"a": 2}]')
    assert found == ["longer than 1 MiB (line 1 of the file)", {"a": 2}]


def test_an_array_in_another_encoding_is_read() -> None:
    assert records('[{"a": "\u00fc"}]'.encode("utf-16")) == [{"a": "\u00fc"}]
