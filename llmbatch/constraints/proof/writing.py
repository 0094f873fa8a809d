"""Values as a model would write them: compact JSON, with numbers as they are spelled."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any

_LONGEST_PLAIN = 400  # characters of a number without an exponent, at most


class Spelled(str):
    """A number by its text."""

    __slots__ = ()


class Listed(Spelled):
    """A number that the schema lists, which some backends write with 17 digits."""

    __slots__ = ()


def read_schema(text: str) -> Any:
    """A schema with every number as its text."""
    return json.loads(text, parse_float=Listed, parse_int=Listed)


def write(value: Any, *, is_ascii: bool = False, is_plain: bool = False) -> str:
    """The text of a value. `is_ascii`: other characters as escapes; `is_plain`: numbers without
    exponents, those of the schema with 17 digits."""
    if isinstance(value, Spelled):
        return _plain(value) if is_plain else str(value)
    if isinstance(value, dict):
        parts = (
            f"{json.dumps(key, ensure_ascii=is_ascii)}:"
            f"{write(part, is_ascii=is_ascii, is_plain=is_plain)}"
            for key, part in value.items()
        )
        return "{" + ",".join(parts) + "}"
    if isinstance(value, list):
        parts = (write(part, is_ascii=is_ascii, is_plain=is_plain) for part in value)
        return "[" + ",".join(parts) + "]"
    return json.dumps(value, ensure_ascii=is_ascii)


def spellings(value: Any) -> tuple[str, ...]:
    """Different texts of one value; a grammar that takes one of them takes the value."""
    ways = [(False, False), (True, False), (False, True), (True, True)]
    texts = [write(value, is_ascii=ascii_, is_plain=plain) for ascii_, plain in ways]
    # Some grammars take this control character, which JSON may have as it is, only as an escape.
    texts += [text.replace("\x7f", "\\u007f") for text in texts]
    return tuple(dict.fromkeys(text for text in texts if _is_text(text)))


def decimal(number: str) -> Decimal:
    """The value of a number's text; 0 for one that has none."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return Decimal(0)


def whole(number: str) -> int:
    """A count by its text, such as 3 or 3.0."""
    return int(decimal(number))


def _plain(number: Spelled) -> str:
    if isinstance(number, Listed) and set("eE.") & set(number):
        return format(float(number), ".17g")
    value = decimal(number)
    if abs(value.adjusted()) > _LONGEST_PLAIN:
        return str(number)
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain == "-0" else plain


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
