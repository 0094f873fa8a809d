"""The formats of JSON Schema that are checked, each with one meaning in every draft.

It is that of draft 2020-12: dates and times are those of RFC 3339, so a time has a zone. Formats
that are not in `CHECKED` only describe an answer.
"""

import ipaddress
import re
import warnings
from calendar import monthrange
from collections.abc import Callable
from contextlib import suppress

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?([zZ]|[+-]\d\d:\d\d)?", re.ASCII)
_DURATION = re.compile(
    r"P(?!$)(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)?"
    r"(?:T(?!$)(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)",
    re.ASCII,
)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_ATEXT = r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf'{_ATEXT}(?:\.{_ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*"')
_PART = r"[a-zA-Z0-9._~!$&'()*+,;=:@%-]"
_HOST = r"(?:\[[0-9a-fA-Fv:.]+\]|[a-zA-Z0-9._~!$&'()*+,;=%-]*)"
_AUTHORITY = rf"//(?:[a-zA-Z0-9._~!$&'()*+,;=:%-]*@)?{_HOST}(?::\d*)?(?=[/?#]|$)"
# Two slashes at its begin are those of an authority.
_PATH = rf"(?:{_AUTHORITY}|(?!//))(?:{_PART}|/)*"
_REST = rf"{_PATH}(?:\?(?:{_PART}|[/?])*)?(?:#(?:{_PART}|[/?])*)?"
_URI = re.compile(rf"[a-zA-Z][a-zA-Z0-9+.-]*:{_REST}", re.ASCII)
_URI_REFERENCE = re.compile(rf"(?:{_URI.pattern}|{_REST})", re.ASCII)
_BAD_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*", re.DOTALL)
_RELATIVE_POINTER = re.compile(rf"(?:0|[1-9]\d*)(?:#|{_POINTER.pattern})", re.ASCII | re.DOTALL)

_NO_ZONE = "it has no zone (Z or +01:00); for a local time use a pattern instead of the format"

Fault = str | None
"""The reason why a text is not of a format; "" if there is nothing more to say, None if it is."""


def _date(text: str) -> Fault:
    if not (found := _DATE.fullmatch(text)):
        return "as 2024-12-31"
    year, month, day = map(int, found.groups())
    if not 1 <= month <= 12:
        return "there is no such month"
    # The year 0 has no calendar of its own; it is a leap year.
    return None if 1 <= day <= monthrange(year or 2000, month)[1] else "there is no such day"


def _time(text: str) -> Fault:
    if not (found := _TIME.fullmatch(text)):
        return "as 23:59:59Z"
    hour, minute, second = map(int, found.groups()[:3])
    zone = found[4]
    if zone is None:
        return _NO_ZONE
    offset = 0
    if zone not in "zZ":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return "there is no such zone"
        offset = (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)
    if hour > 23 or minute > 59:
        return "there is no such time of day"
    if second == 60:
        # A leap second is the last one of a day in UTC.
        return None if (hour * 60 + minute - offset) % 1440 == 1439 else "no leap second is then"
    return None if second < 60 else "there is no such time of day"


def _date_time(text: str) -> Fault:
    if len(text) < 11 or text[10] not in "tT":
        return "as 2024-12-31T23:59:59Z"
    fault = _date(text[:10])
    return _time(text[11:]) if fault is None else fault


def _hostname(text: str) -> Fault:
    labels = text.split(".")
    good = len(text) <= 253 and all(map(_LABEL.fullmatch, labels))
    return None if good else ""


def _email(text: str) -> Fault:
    local, at, domain = text.rpartition("@")
    if not at or len(local) > 64 or not _LOCAL.fullmatch(local):
        return ""
    if domain.startswith("[") and domain.endswith("]"):
        inner = domain[1:-1]
        is_6 = inner.lower().startswith("ipv6:")
        return _ipv6(inner[5:]) if is_6 else _ipv4(inner)
    return _hostname(domain)


def _ipv4(text: str) -> Fault:
    with suppress(ValueError):
        ipaddress.IPv4Address(text)
        return None
    return ""


def _ipv6(text: str) -> Fault:
    with suppress(ValueError):
        # A zone (fe80::1%eth0) is no part of an address.
        return "" if ipaddress.IPv6Address(text).scope_id else None
    return ""


def _regex(text: str) -> Fault:
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None


def _matching(pattern: re.Pattern[str]) -> Callable[[str], Fault]:
    return lambda text: None if pattern.fullmatch(text) else ""


def _address(pattern: re.Pattern[str]) -> Callable[[str], Fault]:
    def fault(text: str) -> Fault:
        return None if pattern.fullmatch(text) and not _BAD_PERCENT.search(text) else ""

    return fault


CHECKED: dict[str, Callable[[str], Fault]] = {
    "date": _date,
    "date-time": _date_time,
    "duration": _matching(_DURATION),
    "email": _email,
    "hostname": _hostname,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "json-pointer": _matching(_POINTER),
    "regex": _regex,
    "relative-json-pointer": _matching(_RELATIVE_POINTER),
    "time": _time,
    "uri": _address(_URI),
    "uri-reference": _address(_URI_REFERENCE),
    "uuid": _matching(_UUID),
}
"""The checks of formats by their names."""
