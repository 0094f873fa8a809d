"""Values stay as they came, through parsing, writing and splicing."""

import copy
import json
import pickle
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.exact_json import (
    ExactFloat,
    Json,
    cell,
    columns_of,
    dump_record,
    parse_record,
    splice,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.integers(0, 10**40),
    st.sampled_from(["", ".0", ".10", ".5", ".12345678901234567890"]),
    st.sampled_from(["", "e5", "E-07", "e+20"]),
)


def _string(text: str) -> str:
    return orjson.dumps(text).decode()


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(f"{_string(key)}:{value}" for key, value in members.items()) + "}"


SCALARS = NUMBERS | TEXT.map(_string) | st.sampled_from(["null", "true", "false"])
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner).map(lambda items: f"[{','.join(items)}]")
        | st.dictionaries(TEXT, inner).map(_object)
    ),
    max_leaves=12,
)
RECORDS = st.dictionaries(TEXT, ANY_JSON, max_size=5).map(_object)


@given(RECORDS)
def test_a_record_is_written_with_the_text_it_was_read_from(text: str) -> None:
    assert dump_record(parse_record(text)) == text


@given(RECORDS)
def test_parsing_agrees_with_the_standard_library(text: str) -> None:
    assert parse_record(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":-0,"b":0}',
        '{"day":"2026-01-01","n":0}',
        '{"a":"x","b":1e999}',
        '{"a":true,"b":18446744073709551615,"c":18446744073709551616}',
        '{"a":-9223372036854775808,"b":-9223372036854775809}',
        '{"a":null,"b":{"c":[-0,1.10]}}',
    ],
)
def test_a_number_keeps_its_text_whatever_stands_beside_it(text: str) -> None:
    assert dump_record(parse_record(text)) == text


@given(RECORDS, st.dictionaries(TEXT, ANY_JSON))
def test_splicing_gives_the_union_and_keeps_the_source_text(
    text: str, extra: dict[str, str]
) -> None:
    extra = {key: value for key, value in extra.items() if key not in parse_record(text)}
    spliced = splice(text, extra)
    assert spliced.startswith(text[:-1])
    wanted = parse_record(text) | {key: json.loads(value) for key, value in extra.items()}
    assert parse_record(spliced) == wanted
    assert columns_of(spliced) == columns_of(text) + list(extra)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('{"a":1.10}', "1.10"),
        ('{"a": 1e5}', "1e5"),
        ('{"a":\n-0.0}', "-0.0"),
        ('{"a":-0}', "-0"),
        ('{"a":00123}', None),
        ('{"a":"00123"}', "00123"),
        ('{"a":9223372036854775807}', "9223372036854775807"),
        ('{"a":-9223372036854775809}', "-9223372036854775809"),
        ('{"a":18446744073709551616}', "18446744073709551616"),
        ('{"a":"at 3.50"}', "at 3.50"),
        ('{"a":null}', ""),
        ('{"a":true}', "true"),
        ('{"a":false}', "false"),
        ('{"a":[1, 2.50, "é", {"b": null}]}', '[1,2.50,"é",{"b":null}]'),
        ('{"a":1,"a":2}', "2"),
        ('{"a":NaN}', None),
        ('{"a":[1.5,Infinity]}', None),
        ("[1.5]", None),
        ('["a"]', None),
        ("", None),
    ],
)
def test_a_cell_shows_the_value_as_it_came(text: str, written: str | None) -> None:
    if written is None:
        with pytest.raises(ValueError):
            parse_record(text)
    else:
        assert cell(parse_record(text)["a"]) == written


def test_an_exact_float_is_a_number_that_shows_its_text() -> None:
    price = parse_record('{"price":1.10}')["price"]
    assert isinstance(price, ExactFloat)
    assert (str(price), f"{price}", f"{[price]}", f"{price:.1f}") == (
        "1.10",
        "1.10",
        "[1.10]",
        "1.1",
    )
    assert price * 2 == 2.2
    assert price == 1.1 and hash(price) == hash(1.1)


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_an_exact_float_survives_copies(twin: Any) -> None:
    assert str(twin(ExactFloat("1.10"))) == "1.10"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            {"a": 10**30, "b": [-(10**30), True, None]},
            f'{{"a":{10**30},"b":[-{10**30},true,null]}}',
        ),
        ({"a": 0.1, "é": "\u2028ü"}, '{"a":0.1,"é":"\u2028ü"}'),
        ({"a": Json('{"x":\n 1.0}')}, '{"a":{"x":  1.0}}'),
        ({"a": (1, 2**64, ExactFloat("1.0"))}, '{"a":[1,18446744073709551616,1.0]}'),
    ],
)
def test_dump_record(value: Any, text: str) -> None:
    assert dump_record(value) == text


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError):
        dump_record({"a": object()})


@pytest.mark.parametrize(
    ("data", "extra", "whole"),
    [
        ("{}", {"r": "1"}, '{"r":1}'),
        ("{ }", {"r": "1"}, '{ "r":1}'),
        ('{"a": 1.10 }', {"r": '"x"'}, '{"a": 1.10 ,"r":"x"}'),
        ('{"a":{}}', {"r": "[1,\r\n 2]", "s": "null"}, '{"a":{},"r":[1,   2],"s":null}'),
        ("{}", {"r": "[1,\r2]"}, '{"r":[1, 2]}'),
        ('{"a":"{"}', {'q"': "0"}, '{"a":"{","q\\"":0}'),
        (' {"a":1}\n', {}, '{"a":1}'),
    ],
)
def test_splice(data: str, extra: dict[str, str], whole: str) -> None:
    assert splice(data, extra) == whole


@pytest.mark.parametrize("data", ["", "[1]", "null", '{"a":1', "}"])
def test_only_objects_are_spliced(data: str) -> None:
    with pytest.raises(ValueError, match="not a JSON object"):
        splice(data, {"r": "1"})


def test_json_text_is_a_cell_as_it_is() -> None:
    assert cell(Json('{"a": 1}')) == '{"a": 1}'
    assert columns_of('{"b":1,"a":2}') == ["b", "a"]
