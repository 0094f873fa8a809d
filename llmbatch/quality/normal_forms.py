"""The normal forms by which answers and gold are compared where they need not be the same text.

Of texts (the evaluation script of SQuAD; P. Rajpurkar and others 2016): lower case, without
punctuation (ASCII) and the articles a, an and the, one blank between words.

Of values of JSON:
- Text: composed alike (Unicode NFKC), without case, one blank between words and none around them.
- Numbers: `1,234.50`, `1234.5` and the number itself are one; a text with a zero before its digits
  stays a text, since it may be an id.
- Dates: `2026-11-28`, `2026/11/28`, `28.11.2026`, `28 November 2026` and `Nov 28, 2026` are one;
  `28/11/2026` too, but `03/04/2026` stays a text: which part is the month is not known.
- true and false are one with these words. null, an empty text and a missing field are one.
- Arrays keep their order, objects have none.
"""

import re
import string
import unicodedata
from collections.abc import Hashable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NUMBER = re.compile(
    r"[+-]?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?"
)
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_SLASHES = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_WRITTEN = ("%d %B %Y", "%d %b %Y", "%B %d %Y", "%b %d %Y")
_LONGEST_DATE = 30
_MOST_EXPONENT = 400
_MONTHS = 12


def of_text(text: str) -> str:
    """The normal form of a text, as SQuAD has it."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def of_value(value: Any) -> Hashable:
    """The normal form of a JSON value: two that are alike have the same."""
    if isinstance(value, dict):
        members = {name: of_value(item) for name, item in value.items()}
        return "object", frozenset((k, v) for k, v in members.items() if v is not None)
    if isinstance(value, list | tuple):
        return "array", tuple(map(of_value, value))
    if value is None:
        return None
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, str):
        return _of_string(value)
    return _number(str(value)) or ("text", str(value))


def _of_string(text: str) -> Hashable:
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    if not plain:
        return None
    if plain in ("true", "false"):
        return "boolean", plain == "true"
    return _number(plain) or _date(plain) or ("text", plain)


def _number(text: str) -> Hashable:
    """The number that is written so; None if it is none. One that is too large for any use stays a
    text."""
    if not _NUMBER.fullmatch(text.lower()):
        return None
    try:
        number = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_EXPONENT:
        return None
    return "number", number


def _date(text: str) -> Hashable:
    """The date, or date and time, that is written so; None if it is none."""
    if len(text) > _LONGEST_DATE or not any(mark.isdigit() for mark in text):
        return None
    with suppress(ValueError, OverflowError):
        if found := _of_digits(text):
            return "date", found
        if ":" in text:
            return "time", datetime.fromisoformat(text.upper())
    words = " ".join(text.replace(",", " ").split())
    for form in _WRITTEN:
        with suppress(ValueError):
            return "date", datetime.strptime(words, form).date()
    return None


def _of_digits(text: str) -> date | None:
    """The date that is written in digits; ValueError for one that there is not."""
    if found := _YEAR_FIRST.fullmatch(text):
        return date(*map(int, found.groups()))
    if found := _DAY_FIRST.fullmatch(text):
        return date(*map(int, reversed(found.groups())))
    found = _SLASHES.fullmatch(text)
    return _slashed(*map(int, found.groups())) if found else None


def _slashed(first: int, second: int, year: int) -> date | None:
    """A date of which one part can only be the day."""
    if first > _MONTHS:
        return date(year, second, first)
    return date(year, first, second) if second > _MONTHS or first == second else None
