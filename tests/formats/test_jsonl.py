"""JSON Lines: the text of a record is kept byte for byte, and bad lines stay alone."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.exact_json import Json, dump_record, parse_record
from llmbatch.core.records import Record, Reject
from llmbatch.formats import ReadOptions, lines, open_reader, open_writer

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
LINES = st.builds(
    lambda value, ascii, colon, pad: (
        pad + json.dumps(value, ensure_ascii=ascii, separators=(",", colon)) + pad
    ),
    st.dictionaries(TEXT, VALUES, max_size=4),
    st.booleans(),
    st.sampled_from([":", ": ", " :\t"]),
    st.sampled_from(["", " ", "\t "]),
)


def read(data: bytes) -> list[Record | Reject]:
    with open_reader(
        "in.jsonl", io.BytesIO(data), "jsonl", ReadOptions(encoding="utf-8")
    ) as reader:
        return list(reader)


@given(st.lists(LINES | st.just("")), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_records_are_kept_byte_for_byte(texts: list[str], end: str, mark: bool) -> None:
    data = ("\ufeff" if mark else "") + end.join(texts)
    wanted = [Record(n, text.strip(" \t")) for n, text in enumerate(texts, 1) if text]
    with open_reader("in.jsonl", io.BytesIO(data.encode()), "jsonl") as reader:
        assert list(reader) == wanted
        keys = dict.fromkeys(key for record in wanted for key in json.loads(record.data))
        assert reader.columns == list(keys)


@given(st.lists(st.sampled_from([b'{"a":1}', b"{", b"x", b'"', b"\n", b"\r", b"\0", b"\xff"])))
def test_every_line_of_any_input_is_one_record_or_reject(parts: list[bytes]) -> None:
    data = b'{"first":1}\n' + b"".join(parts)
    items = read(data)
    filled = [n for n, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    assert [item.line for item in items] == filled


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1,2]", "not a JSON object but an array"),
        (b'"text"', "not a JSON object but a string"),
        (b"12", "not a JSON object but a number"),
        (b"1.5", "not a JSON object but a number"),
        (b"null", "not a JSON object but null"),
        (b"true", "not a JSON object but true or false"),
        (b'  {"a":x}', "invalid JSON at column 8: unexpected character, expected a JSON value"),
        (b'{"a":1', "invalid JSON at column 7: unexpected end of data"),
        (b'{"a":NaN}', "NaN is no JSON number"),
        (b'{"a":-Infinity}', "-Infinity is no JSON number"),
        (b'{"a":1} {"b":2}', "invalid JSON at column 9: "),
        (b'{"a":"\\ud800"}', "\\ud800 is half of a character"),
        (b'{"a":1e999}', "1e999 is too large for a number"),
        (b'{"a":"\xff"}', "invalid UTF-8 at byte 7"),
        (b'{"a":"\0"}', "NUL byte"),
        (b'\xef\xbb\xbf{"a":1}', "invalid JSON at column 1"),
        (b'{"a":' + b"[" * 250 + b"]" * 250 + b"}", "nested deeper than 250 levels"),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid JSON at column "),
    ],
)
def test_a_bad_line_is_rejected_alone(line: bytes, reason: str) -> None:
    items = read(b'{"a":0}\n' + line + b'\n{"a":2}')
    assert [item for item in items if isinstance(item, Record)] == [
        Record(1, '{"a":0}'),
        Record(3, '{"a":2}'),
    ]
    bad = items[1]
    assert isinstance(bad, Reject)
    assert bad.line == 2
    assert bad.reason.startswith(reason)
    assert bad.raw == line.decode(errors="backslashreplace").replace("\0", "\\x00")[:10_000]


def test_deep_but_allowed_values_and_many_brackets_are_records() -> None:
    deep = '{"a":' + "[" * 249 + "1.50" + "]" * 249 + ',"b":[]}'
    wide = '{"a":[' + ",".join(["[]"] * 1000) + "]}"
    text = '{"a":"' + "[" * 1000 + '"}'
    items = read("\n".join([deep, wide, text]).encode())
    assert items == [Record(1, deep), Record(2, wide), Record(3, text)]
    assert dump_record(parse_record(deep)) == deep


def test_an_empty_input_has_no_records() -> None:
    assert read(b"") == read(b"\n \n") == read(b"\xef\xbb\xbf") == []


def test_an_array_of_plain_values_is_one_bad_line() -> None:
    assert [item.line for item in read(b'[1]\n{"a":1}')] == [1, 2]


@pytest.mark.parametrize("start", [b'{"a":"', b'{"a":1}', b""])
def test_a_line_over_the_limit_is_rejected(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_RECORD_BYTES", 1024 * 1024)
    items = read(start + b" " * 3_000_000 + b'"}\n{"a":2}\n')
    assert isinstance(items[0], Reject)
    assert items[0].reason == "longer than 1 MiB"
    assert items[1:] == [Record(2, '{"a":2}')]


def test_the_writer_keeps_the_record_and_adds_the_answer() -> None:
    stream = io.BytesIO()
    with open_writer(stream, "jsonl", ["id"], {"response": "json", "tokens": "integer"}) as writer:
        writer.write('{"id": 1.10, "é":"\\u00e9"}', {"response": Json('{"x":\n1}'), "tokens": 2})
        writer.write("{}", {"tokens": None, "response": "a\nb"})
        writer.write("{}", {})
    assert stream.getvalue().decode().splitlines() == [
        '{"id": 1.10, "é":"\\u00e9","response":{"x": 1},"tokens":2}',
        '{"response":"a\\nb","tokens":null}',
        '{"response":null,"tokens":null}',
    ]


@given(st.lists(LINES), TEXT, st.integers())
def test_written_records_are_read_back(texts: list[str], text: str, count: int) -> None:
    stream = io.BytesIO()
    with open_writer(stream, "jsonl", [], {"the answer": "text", "the count": "integer"}) as writer:
        for line in texts:
            writer.write(line, {"the answer": text, "the count": count})
    extra = {"the answer": text, "the count": count}
    wanted = [json.loads(line) | extra for line in texts]
    read_back = [item for item in read(stream.getvalue()) if isinstance(item, Record)]
    assert [parse_record(item.data) for item in read_back] == wanted
