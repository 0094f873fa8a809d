"""Numbers and characters that JSON does not have are named, and read as null where it is asked."""

import json

import pytest

from llmbatch.core.records import Record, Reject
from llmbatch.formats.json_records import JsonRecords, without_nan


def reason(text: str) -> str:
    found = JsonRecords().record(1, text.encode())
    assert isinstance(found, Reject)
    return found.reason


@pytest.mark.parametrize(
    "token", ["NaN", "-NaN", "Infinity", "-Infinity", "nan", "inf", "1e400", "-1E+999"]
)
def test_a_number_that_json_lacks_is_named_and_read_as_null(token: str) -> None:
    text = f'{{"t": "NaN, Infinity \\" 1e400", "a": [1, {token}], "b": 1e30}}'
    what = "too large for a number" if token[-1].isdigit() else "no JSON number"
    assert reason(text) == f"{token} is {what}: mend it, or read it as null with --nan null"
    records = JsonRecords(nan="null")
    found = records.record(1, text.encode())
    assert found == Record(1, text.replace(f"1, {token}]", "1, null]"))
    assert records.notes == ["NaN and infinite numbers read as null in 1 row"]


@pytest.mark.parametrize("text", ['{"a": NaN, "b": }', '{"a": Nan}', '{"a": NaN} x', "NaN, 1"])
def test_other_faults_stay_faults(text: str) -> None:
    assert reason(text).startswith("invalid JSON")
    assert isinstance(JsonRecords(nan="null").record(1, text.encode()), Reject)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("\\ud83d", "\\ud83d"),
        ("x\\uD83D y", "\\uD83D"),
        ("\\udc00", "\\udc00"),
        ("\\ud83d\\ude00 \\\\\\ud83d\\n", "\\ud83d"),
        ("\\ud83d\\ud83d\\ude00", "\\ud83d"),
    ],
)
def test_half_a_character_is_named(text: str, half: str) -> None:
    assert reason(f'{{"a": "{text}"}}').startswith(f"{half} is half of a character")


def test_a_comma_after_a_record_is_named() -> None:
    assert reason('{"a": 1},\n') == "a comma after the object: remove it (sed 's/,$//')"


def test_what_python_prints_is_named() -> None:
    assert reason("{'a': 1}").startswith("keys in single quotes, as Python prints them")


def test_text_that_is_json_stays_as_it_is() -> None:
    for value in ({"a": "NaN"}, {"a": -1.5e-3, "b": [None, True]}, {"nan": "\ud83d\ude00"}):
        text = json.dumps(value)
        assert without_nan(text.encode()) == text.encode()
