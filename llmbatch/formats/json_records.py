"""Records out of JSON objects: each the text that it came as, or the reason why it is none."""

import re
from collections.abc import Callable
from typing import Any

import orjson

from llmbatch.core import units
from llmbatch.core.records import Record, Reject
from llmbatch.formats import lines
from llmbatch.formats.base import reject

# The deepest nesting of values: the JSON libraries can also write it again.
MAX_DEPTH = 250

_KINDS = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
_STRING = r'"(?:[^"\\]|\\.)*"'
# Strings, so that nothing in them is taken for a number; then what stands in place of one.
_NUMBERS = re.compile(
    rf"{_STRING}|-?\b(?:NaN|nan|Infinity|inf)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.DOTALL
)
_WORD = re.compile(r"-?(?:NaN|nan|Infinity|inf)")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
CURE = "is no JSON number: mend it, or read it as null with --nan null"
_TOO_LARGE = CURE.replace("no JSON number", "too large for a number")


class JsonRecords:
    """Makes the records of one input. `columns` are the keys seen so far; `nan` "null": numbers
    that JSON does not have are read as null; `nulled` counts the records with one."""

    def __init__(self, nan: str | None = None) -> None:
        self._nan_is_null = nan == "null"
        self.columns: dict[str, None] = {}
        self.nulled = 0

    @property
    def notes(self) -> list[str]:
        """The line on numbers that were read as null."""
        return nulled_notes(self.nulled)

    def record(self, number: int, raw: bytes, place: str = "") -> Record | Reject:
        """The record of an object, or the reject of what is none; `place` is said in reasons."""
        if type(raw) is lines.Oversize:
            return reject(number, lines.too_long() + place, raw)
        text = raw.strip()
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            mended = without_nan(text) if self._nan_is_null else None
            if mended is None:
                return reject(number, _fault(raw, error) + place, raw)
            self.nulled += 1
            text = mended
            value = orjson.loads(text)
        if type(value) is not dict:
            return reject(number, f"not a JSON object but {_kind(value)}{place}", raw)
        if len(text) > MAX_DEPTH and _too_deep(text, value):
            return reject(number, f"nested deeper than {MAX_DEPTH} levels{place}", raw)
        if not value.keys() <= self.columns.keys():
            self.columns |= dict.fromkeys(value)
        return Record(number, text.decode())


def nulled_notes(rows: int) -> list[str]:
    """The line on so many rows with numbers that were read as null; none for no rows."""
    return [f"NaN and infinite numbers read as null in {units.count(rows, 'row')}"] * bool(rows)


def without_nan(text: bytes) -> bytes | None:
    """JSON text with null in place of NaN, infinite and too large numbers; None if it is not JSON
    then, either."""
    try:
        mended = _NUMBERS.sub(lambda found: _null_for(found[0]), text.decode()).encode()
        orjson.loads(mended)
    except ValueError:
        return None
    return mended


def _null_for(token: str) -> str:
    return "null" if _is_no_number(token) else token


def _is_no_number(token: str) -> bool:
    """True for a number that JSON does not have, or no double holds."""
    if token.startswith('"'):
        return False
    if _WORD.fullmatch(token):
        return True
    return "e" in token.lower() and abs(float(token)) == float("inf")


def _fault(raw: bytes, error: orjson.JSONDecodeError) -> str:
    """The reason why a text is no JSON; positions count from 1 at its beginning."""
    if b"\0" in raw:
        return "NUL byte"
    try:
        text = raw.decode()
    except UnicodeDecodeError as bad:
        return f"invalid UTF-8 at byte {bad.start + 1}"
    for look in _LOOKS:
        if found := look(text):
            return found
    indent = len(raw) - len(raw.lstrip())
    reason = error.msg.partition(": line ")[0]
    return f"invalid JSON at column {error.colno + indent}: {reason}"


def _number_fault(text: str) -> str | None:
    if without_nan(text.encode()) is None:
        return None
    tokens = (found[0] for found in _NUMBERS.finditer(text))
    token = next(filter(_is_no_number, tokens), None)
    if token is None:
        return None
    return f"{token[:40]} {CURE if _WORD.fullmatch(token) else _TOO_LARGE}"


def _surrogate_fault(text: str) -> str | None:
    """Of a half of a UTF-16 pair without the other one."""
    high: re.Match[str] | None = None
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1] or "0", 16)
        is_low = 0xDC00 <= code < 0xE000
        is_pair = is_low and high is not None and high.end() == escape.start()
        if (high is not None or is_low) and not is_pair:
            return _half((high or escape)[0])
        high = escape if 0xD800 <= code < 0xDC00 else None
    return None if high is None else _half(high[0])


def _half(escape: str) -> str:
    return (
        f"{escape} is half of a character, of a text that was cut within it: remove it, or write "
        "\\ufffd"
    )


def _comma_fault(text: str) -> str | None:
    bare = text.strip()
    if not bare.endswith(","):
        return None
    try:
        orjson.loads(bare[:-1])
    except orjson.JSONDecodeError:
        return None
    return "a comma after the object: remove it (sed 's/,$//')"


def _quote_fault(text: str) -> str | None:
    if re.match(r"\s*\{\s*'", text) is None:
        return None
    return "keys in single quotes, as Python prints them: write it with json.dumps"


_LOOKS: tuple[Callable[[str], str | None], ...] = (
    _comma_fault,
    _quote_fault,
    _number_fault,
    _surrogate_fault,
)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a number")


def _too_deep(text: bytes, value: object) -> bool:
    """True if `value` is nested too deeply; few brackets answer it without a walk."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return False
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return depth > MAX_DEPTH
