"""A row as the source of an answer: whether it has a value, as it is written or in another form.

Other forms: another case, accents or punctuation; numbers with separators of thousands and a
decimal point or comma; dates with the month as a number or a word, in several orders; codes with
or without hyphens and spaces.
"""

import re
import unicodedata
from functools import cached_property

from llmbatch.quality.signs.words import LONGEST

_NUMBER = re.compile(r"(?<![\w.,])[+-]?\d(?:[\d.,'\u2019\u00a0\u202f]*\d)?(?!\w)")
_SPACED_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?: \d{3})+(?!\d)")
_NOT_WORD = re.compile(r"[\W_]+")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_SHORTEST_CODE = 4
_MONTHS = (
    "january jan januar jänner janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar février févr febrero febbraio fevereiro fev februari",
    "march mar märz mars marzo março maart mrt mrz",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août agosto ago augustus",
    "september sep sept septembre septiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre déc diciembre dic dicembre dezembro",
)
MONTH_OF = {word: number for number, names in enumerate(_MONTHS, 1) for word in names.split()}
"""The number of a month by its names and their short forms."""

Day = tuple[int, int, int]
"""Year, month, day."""


class Source:
    """The text of a row."""

    def __init__(self, text: str) -> None:
        self._text = text[:LONGEST]

    def has(self, value: str) -> bool:
        """True if the text has this value in some form; an empty one it has."""
        text = plain(value)
        if not text or f" {text} " in self._plain:
            return True
        code = text.replace(" ", "")
        if len(code) >= _SHORTEST_CODE and not code.isalpha() and code in self._code:
            return True
        if not days_in(value).isdisjoint(self._days):
            return True
        numbers = numbers_in(value)
        is_number = bool(numbers) and not _NUMBER.sub("", value).strip(" €$£%")
        return is_number and all(forms & self._numbers for forms in numbers)

    def has_number(self, value: str) -> bool:
        """True if the text has this number in some form, also as a part of a date or a code."""
        return self.has(value) or all(forms & self._numbers for forms in numbers_in(value))

    @cached_property
    def _plain(self) -> str:
        return f" {plain(self._text)} "

    @cached_property
    def _code(self) -> str:
        return self._plain.replace(" ", "")

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset().union(*numbers_in(self._text))

    @cached_property
    def _days(self) -> frozenset[Day]:
        return days_in(self._text)


def plain(text: str) -> str:
    """A text without case, accents and punctuation."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in text if not unicodedata.combining(character))
    return _NOT_WORD.sub(" ", text.casefold()).strip()


def numbers_in(text: str) -> list[frozenset[str]]:
    """The numbers of a text, each in all of its readings: `1.234` is 1234 and 1.234."""
    found = [each[0] for each in _NUMBER.finditer(text)]
    found += [each[0].replace(" ", "") for each in _SPACED_NUMBER.finditer(text)]
    return [_readings(number) for number in found]


def _readings(number: str) -> frozenset[str]:
    digits = re.sub(r"['\u2019\u00a0\u202f+]", "", number)
    readings = {
        digits.replace(",", ""),
        digits.replace(".", "").replace(",", "."),
        digits.replace(",", "").replace(".", ""),
    } if not _is_decimal(digits) else {digits.replace(",", ".")}  # fmt: skip
    return frozenset(_canonical(reading) for reading in readings if reading.count(".") <= 1)


def _is_decimal(digits: str) -> bool:
    """True if a point or comma can only be that before decimals: one, not before three digits."""
    _, mark, decimals = digits.replace(",", ".").rpartition(".")
    return bool(mark) and len(decimals) != 3 and sum(map(digits.count, ".,")) == 1


def _canonical(number: str) -> str:
    sign = "-" if number.startswith("-") else ""
    whole, _, decimals = number.lstrip("-").partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    return sign + whole + (f".{decimals}" if decimals else "")


def days_in(text: str) -> frozenset[Day]:
    """The dates of a text, in all readings."""
    parts = [part.casefold() for part in _PARTS.findall(text)]
    found = set[Day]()
    for triple in zip(parts, parts[1:], parts[2:], strict=False):
        values = [MONTH_OF.get(part, int(part) if part.isdecimal() and len(part) < 5 else 0)
                  for part in triple]  # fmt: skip
        words = [not part.isdecimal() for part in triple]
        for year, month, day in ((0, 1, 2), (2, 1, 0), (2, 0, 1)):
            is_named = words[month] or not any(words)
            full = values[year] + 2000 * (values[year] < 100 and len(triple[year]) == 2)
            if (
                is_named
                and not words[year]
                and not words[day]
                and _is_day(full, values[month], values[day])
            ):
                found.add((full, values[month], values[day]))
    return frozenset(found)


def _is_day(year: int, month: int, day: int) -> bool:
    return 1000 <= year <= 2999 and 1 <= month <= 12 and 1 <= day <= 31
