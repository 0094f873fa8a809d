"""Strings and numbers that a schema allows, at its bounds and with what is known to be hard."""

import random
import re
from decimal import Decimal
from functools import lru_cache

from llmbatch.constraints.patterns import strings, translate
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.proof.conjunction import Conjunction, NoInstanceError
from llmbatch.constraints.proof.writing import Spelled, decimal, whole

_PLAIN = "abcxyzABC 0189-_.,:/"
_HARD = "\"\\\n\r\t\b\f/é\u00a0\u2028日\U0001f600\x7f'{}[]"
_SAMPLES = {
    "date": ("2024-02-29", "1999-12-31", "0001-01-01", "2023-01-30"),
    "date-time": (
        *("2024-02-29T23:59:59Z", "1999-12-31T00:00:00.123456+05:30", "2016-12-31T23:59:60Z"),
        *("2024-01-02T03:04:05.1-00:00", "2020-01-01T00:00:00z", "2020-01-01t00:00:00Z"),
    ),
    "time": ("00:00:00Z", "23:59:59.999+01:00", "12:34:56-23:59"),
    "duration": ("P1D", "PT5M", "P1Y2M3DT4H5M6S", "P3W", "PT36H", "P1M"),
    "email": ("a@b.co", "first.last+tag@sub.example.org", "o'hara@example.com", "A_1@x-y.de"),
    "hostname": ("a", "example.com", "x-1.sub.example.org", "127.0.0.1"),
    "ipv4": ("0.0.0.0", "255.255.255.255", "10.1.2.30"),
    "ipv6": ("::", "::1", "2001:db8::ff00:42:8329", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1"),
    "uuid": ("123e4567-e89b-42d3-a456-426614174000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"),
    "uri": (
        *("https://example.com/a?b=c#d", "mailto:a@b.co", "urn:isbn:0451450523"),
        *("http://[::1]:80/", "ftp://u:p@host/x%20y", "a:"),
    ),
    "uri-reference": ("", "/a/b", "../x?y#z", "https://example.com", "#frag"),
    "json-pointer": ("", "/a/b", "/a~1b/0", "/é"),
    "relative-json-pointer": ("0", "1/a", "2#"),
    "regex": ("^a+$", "[0-9]{2}", "a|b"),
}
_NUMBERS = (
    *("0", "-0", "1", "-1", "7", "42", "255", "100", "1e2", "12345678901234567890123", "-99999999"),
    *("9007199254740993", "9223372036854775807", "-9223372036854775809", "2147483648"),
)
_FRACTIONS = (
    *("0.1", "-0.5", "3.14159265358979", "0.0000001", "1.5e-7", "2.50", "19.99", "1E5", "-2.5e+3"),
    *("123456.789012345", "0.1234567", "1e-7", "99999999999999999999.5"),
)


def make_string(held: Conjunction, chance: random.Random) -> str:
    """A string with the lengths, the pattern or the format of a schema, so far as one is found."""
    low = max((whole(each) for each in held.all("minLength")), default=0)
    high = min((whole(each) for each in held.all("maxLength")), default=max(low, 8) + 20)
    if high < low or low > 100_000:
        raise NoInstanceError
    patterns, formats = held.all("pattern"), held.all("format")
    if patterns:
        return _of_pattern(patterns, low, high, chance)
    if formats and (samples := _SAMPLES.get(formats[0])):
        fitting = [each for each in samples if low <= len(each) <= high]
        return chance.choice(fitting or samples)
    length = chance.choice([low, low, min(low + 1, high), high, chance.randint(low, high)])
    return free_text(min(length, low + 400), chance)


def free_text(length: int, chance: random.Random) -> str:
    """A text of so many characters, some of them hard."""
    share = chance.choice([0.0, 0.1, 0.5])
    drawn = (chance.choice(_HARD if chance.random() < share else _PLAIN) for _ in range(length))
    return "".join(drawn)


def _of_pattern(patterns: list[str], low: int, high: int, chance: random.Random) -> str:
    found = [each for each in _members(max(patterns, key=len)) if low <= len(each) <= high]
    if not found:
        raise NoInstanceError
    return chance.choice(found)


@lru_cache(256)
def _members(pattern: str) -> tuple[str, ...]:
    try:
        return tuple(strings.members(translate.search(pattern), 60))
    except PatternError as error:
        raise NoInstanceError from error


@lru_cache(256)
def near_misses(pattern: str) -> tuple[str, ...]:
    """Texts that a pattern nearly allows."""
    try:
        whole_pattern = translate.search(pattern)
    except PatternError:
        return ()
    # The words of a pattern are what a look-around may exclude.
    words = re.findall(r"[A-Za-z]{2,}|[0-9]", pattern)[:8]
    some = _members(pattern)[:6]
    near = [text for word in words for one in some for text in (word, word + one, one + word)]
    return (*strings.near_misses(whole_pattern, 60), *near)


def make_number(held: Conjunction, chance: random.Random, *, is_whole: bool) -> Spelled:
    """A number within the bounds of a schema, often at one."""
    low, high = _bounds(held)
    step = next((decimal(each) for each in held.all("multipleOf")), None)
    if step is None:
        candidates = [decimal(each) for each in (low, high) if each is not None]
        near = [each + shift for each in candidates for shift in (-1, 1, Decimal("0.5"))]
        texts = [f"{each:f}" for each in (*candidates, *near)] + list(_NUMBERS)
        texts += [] if is_whole else _FRACTIONS
    else:
        base = -(-decimal(low or "0") // step)
        shifts = (0, 1, 2, 7, 1999, -1, 10**6 + 1)
        texts = [f"{(base + shift) * step:f}" for shift in shifts]
    fitting = [each for each in texts if _fits(each, low, high, is_whole=is_whole)]
    if not fitting:
        raise NoInstanceError
    return Spelled(chance.choice(fitting))


def _bounds(held: Conjunction) -> tuple[str | None, str | None]:
    lows = [*held.all("minimum"), *held.all("exclusiveMinimum")]
    highs = [*held.all("maximum"), *held.all("exclusiveMaximum")]
    return max(lows, key=decimal, default=None), min(highs, key=decimal, default=None)


def _fits(text: str, low: str | None, high: str | None, *, is_whole: bool) -> bool:
    value = decimal(text)
    if is_whole and value != value.to_integral_value():
        return False
    if low is not None and value < decimal(low):
        return False
    return high is None or value <= decimal(high)
